"""The labeling job: made once, attached to, and continued where it was stopped; nobody is asked twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from include.loop.core import layout
from include.loop.core.errors import JobRejected, NoImages, NotSetUp
from include.loop.core.records.labeling import LabelingRequest, LeftOut
from include.loop.exchange.importing import Request, import_data
from include.loop.labeling import job
from include.loop.labeling.job import LabelledImages, asking_jobs, attempts, label, stop
from include.loop.labeling.known import Image, by_image
from include.loop.labeling.planning import Wish, plan_labeling
from include.loop.labeling.progress import LabelingStatus, Watch
from include.loop.serving.teardown import TeardownResult, teardown
from tests.loop.place import SIZE, Place, box, picture
from tests.support.cloud import eventually

MULTI_SELECT = "crowd-image-classifier-multi-select"


class Job:
    """One plan and its jobs."""

    def __init__(self, place: Place, images: int, **wish: Any) -> None:
        self.place = place
        for number in range(images):
            place.put(f"new/{number}.jpg", picture(40 + number))
        wished = Wish(place.storage.uri("new/"), **wish)
        self.name = plan_labeling(place.workspace, wished, keep=True).name

    def label(self, waited_for: Watch | None = None) -> Watch:
        found = label(self.place.workspace, self.name, waited_for)
        assert isinstance(found, Watch)
        return found

    def done(self, watch: Watch) -> LabelledImages:
        self.until(watch, LabelingStatus.COMPLETED)
        found = label(self.place.workspace, self.name, watch)
        assert isinstance(found, LabelledImages)
        return found

    def until(self, watch: Watch, status: LabelingStatus) -> None:
        eventually(lambda: self.describe(watch)["LabelingJobStatus"] == status, within=200)

    def describe(self, watch: Watch) -> Any:
        return self.place.control.describe_labeling_job(LabelingJobName=watch.job)

    def until_labelled(self, watch: Watch, count: int) -> None:
        """So few answers wait for more of them, to be consolidated together."""

        def labelled() -> bool:
            self.place.rig.clock.advance(5)
            return bool(self.describe(watch)["LabelCounters"]["HumanLabeled"] == count)

        eventually(labelled, within=200, pause=0.5)  # the clock moves at every look

    def answer(self, count: int) -> list[str]:
        """A person labels so many images; which ones."""
        images: list[str] = []

        def draw(shown: dict[str, Any]) -> dict[str, Any]:
            images.append(shown["taskObject"])
            return drawn()

        def one() -> bool:
            self.place.answer(draw, at_most=1)
            return len(images) >= count

        eventually(one, within=200)
        return images


def drawn() -> dict[str, Any]:
    size = {"width": SIZE[0], "height": SIZE[1]}
    return {"boundingBox": {"boundingBoxes": [box()], "inputImageProperties": size}}


def test_the_same_plan_attaches_to_its_job_running_or_done(place: Place):
    planned = Job(place, 3)
    watch = planned.label()
    assert watch.job == f"{planned.name}-1"
    assert planned.label() == watch, "a retry makes no second job"
    assert list(asking_jobs(place.workspace)) == [watch.job]
    planned.answer(3)
    done = planned.done(watch)
    assert (done.human, done.machine, done.failed, done.unlabeled) == (3, 0, 0, 0)
    lines = list(place.storage.read_lines(done.manifest_uri))
    assert [line["source-ref"].rsplit("/", 1)[1] for line in lines] == ["0.jpg", "1.jpg", "2.jpg"]
    assert all(line["review-metadata"]["class-map"] == {"0": "cat"} for line in lines)
    plan = plan_labeling(place.workspace, Wish(place.storage.uri("new/")))
    assert (plan.asked, plan.expected_dollars) == (0, 0), "what is done costs nothing"
    assert plan.text == f"nothing to ask: {watch.job} has the labels of 3 images."
    assert label(place.workspace, planned.name) == done
    assert place.person().take() is None, "nobody is asked again"
    assert list(asking_jobs(place.workspace)) == []


def test_a_job_that_was_stopped_needs_somebodys_word_and_goes_on_with_what_has_no_label(place: Place):
    planned = Job(place, 4, most_images=4)
    watch = planned.label()
    first = planned.answer(2)
    planned.until_labelled(watch, 2)
    stop(place.control, watch.job)
    planned.until(watch, LabelingStatus.STOPPED)
    with pytest.raises(JobRejected, match=rf"{watch.job} was stopped\. 2 images have a label in s3://"):
        planned.label(watch)
    stop(place.control, watch.job)  # nothing to stop is nothing wrong
    left = plan_labeling(place.workspace, Wish(place.storage.uri("new/"), most_images=4))
    assert left.text.startswith(
        f"{watch.job} was stopped: the next job asks about 2 of 4 images to be labelled"
    )
    again = planned.label()
    assert again.job == f"{planned.name}-2"
    assert again.spent == watch.rates.dollars(2)
    source = planned.describe(again)["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"]
    assert source == place.storage.uri(f"labeling/{watch.job}/manifests/output/output.manifest")
    assert planned.describe(again)["StoppingConditions"] == {"MaxHumanLabeledObjectCount": 2}
    second = planned.answer(2)
    assert len({*first, *second}) == 4, "each image was shown once"
    done = planned.done(again)
    assert (done.human, done.dollars) == (4, round(watch.rates.dollars(4), 2))
    assert len(list(attempts(place.control, planned.name))) == 2


def test_teardown_stops_a_job_and_one_that_is_met_stopping_goes_on_under_the_next_number(place: Place):
    planned = Job(place, 2)
    watch = planned.label()
    plan = teardown(place.workspace, dry_run=True)
    assert isinstance(plan, TeardownResult)
    assert plan.labeling_jobs == list(asking_jobs(place.workspace)) == [watch.job]
    assert teardown(place.workspace) == replace(plan, dry_run=False)
    assert list(asking_jobs(place.workspace)) == []
    met = planned.label() if planned.describe(watch)["LabelingJobStatus"] == "Stopping" else None
    planned.until(watch, LabelingStatus.STOPPED)
    assert planned.label(met).job == f"{planned.name}-2"


def test_a_job_that_has_failed_is_told_with_the_services_reason(place: Place):
    planned = Job(place, 2)
    place.put(layout.labeling_categories(planned.name), b"nothing")
    watch = planned.label()
    planned.until(watch, LabelingStatus.FAILED)
    with pytest.raises(JobRejected, match=rf"{watch.job} has failed: ClientError.*Clear this task"):
        planned.label(watch)


def test_a_folder_that_has_grown_is_asked_about_where_it_is_new(place: Place):
    first = Job(place, 2)
    watch = first.label()
    grown = Job(place, 3)
    said = plan_labeling(place.workspace, Wish(place.storage.uri("new/")))
    assert f"{grown.name}: 1 of 3 images to be labelled by" in said.text
    assert "; 2 are an earlier job's, labelled or asked about;" in said.text
    left_out = [item.where for item in LeftOut.read_all(place.storage, grown.name)]
    assert [where[-5:] for where in left_out] == ["0.jpg", "1.jpg"], "people have them in hand"
    first.answer(1)
    first.until_labelled(watch, 1)
    stop(place.control, watch.job)
    first.until(watch, LabelingStatus.STOPPED)

    more = Job(place, 4)
    record = LabelingRequest.read(place.storage, more.name)
    assert (record.images, record.labelled, record.left_out) == (4, 1, 0), "its label is nobody's yet"
    second = more.label()
    more.answer(3)
    assert more.done(second).human == 3
    with pytest.raises(NoImages, match=rf"every image has been asked about: .*{second.job} has it"):
        plan_labeling(place.workspace, Wish(place.storage.uri("new/"), most_images=9))


def test_a_job_that_has_an_image_counts_before_a_stopped_one_in_any_order():
    image, other = ("s3://a/1.jpg", "e"), ("s3://a/2.jpg", "e")
    found: list[tuple[Image, Any]] = [(image, {"review": 1}), (image, "job-1"), (other, {"review": 2})]
    for order in permutations(found):
        assert by_image(order) == {image: "job-1", other: {"review": 2}}


def test_many_classes_of_an_image_and_none_of_them_come_in_as_the_pipeline_reads_them(
    make_place: Callable[..., Place],
):
    place = make_place(task="image-classification", multi_label=True, training={})
    planned = Job(place, 2)
    watch = planned.label()
    left = [["cat", "dog"], ["none of these"]]

    def answered() -> bool:
        place.answer(lambda _: {MULTI_SELECT: {"labels": left.pop()}}, at_most=1)
        return not left

    eventually(answered, within=200)
    request = Request(planned.done(watch).manifest_uri, "labels", format="ground-truth", label="review")
    record = import_data(place.workspace, request, keep=False).record
    assert (record.images, record.negatives, record.labels) == (2, 1, {"cat": 1, "dog": 1})
    assert record.problems == {}


def test_without_a_plan_there_is_no_job(place: Place):
    with pytest.raises(NotSetUp, match="plan the job first"):
        label(place.workspace, "pets-labeling-0")


def test_the_request_has_everything_of_the_place_in_the_words_of_the_api(place: Place):
    place.environment_settings |= {
        "region": "eu-west-1",
        "tags": {"project": "nightloop"},
        "network": {
            "subnets": ["subnet-1"], "security_groups": ["sg-1"],
            "kms_key": "arn:aws:kms:eu-west-1:1:key/1", "volume_kms_key": "arn:aws:kms:eu-west-1:1:key/2",
        },
    }  # fmt: skip
    place.environment_settings["labeling"] = {"automatic_images": 2}
    place.settings["review"] = {"time_limit_seconds": 100_000}
    place.load()
    planned = Job(place, 2, automatic=True, workers=5, most_images=1)
    record = LabelingRequest.read(place.storage, planned.name)
    request = job._request(place.workspace, record, [])
    shape: Any = get_session().get_service_model("sagemaker").operation_model("CreateLabelingJob").input_shape
    report = ParamValidator().validate({"LabelingJobName": f"{planned.name}-1", **request}, shape)
    assert not report.has_errors(), report.generate_report()
    assert request["LabelingJobAlgorithmsConfig"]["LabelingJobResourceConfig"] == {
        "VolumeKmsKeyId": "arn:aws:kms:eu-west-1:1:key/2",
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
    }
    human = request["HumanTaskConfig"]
    assert human["NumberOfHumanWorkersPerDataObject"] == 5
    assert human["TaskTimeLimitInSeconds"] == 28_800, "the most that a task on an image may take"
    assert human["PreHumanTaskLambdaArn"].startswith("arn:aws:lambda:eu-west-1:568282634449:function:PRE-")
    assert request["StoppingConditions"] == {"MaxHumanLabeledObjectCount": 1}
    assert request["OutputConfig"]["KmsKeyId"].endswith("key/1")
