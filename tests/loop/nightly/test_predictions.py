"""A night is predicted once, by the champion it was pinned with, whatever its images do to the job."""

from __future__ import annotations

from typing import Any

import pytest

from include.loop.aws.jobs import Pending
from include.loop.core import layout
from include.loop.core.errors import JobRejected
from include.loop.core.records.nightly import Predictions
from include.loop.core.records.parts import find_outputs, read_images, read_outputs
from include.loop.core.records.triage import Decision
from include.loop.models.champion import promote
from include.loop.nightly import batch, predictions, triage
from include.loop.nightly.predictions import predict, predictions_of, read_predictions
from tests.loop.models.test_champion import challenger
from tests.loop.nightly.triaged import read_rows
from tests.loop.place import NIGHT, Place, picture
from tests.support.sagemaker import detector


@pytest.fixture
def crowned(place: Place) -> Place:
    """A place whose champion's artifact was not trained but put there."""
    set_champion(place, "one", None)
    return place


def set_champion(place: Place, name: str, parent: str | None) -> None:
    job = f"{place.bucket}-{name}"
    promote(place.workspace, challenger(place, job, parent and f"{place.bucket}-{parent}"))
    place.s3.put_object(Bucket=place.bucket, Key=f"{job}.tar.gz", Body=detector(1))


def night(place: Place) -> predictions.PredictedBatch:
    batch.list_batch(place.workspace, NIGHT)
    return place.finish(predict, NIGHT)


def place_of(place: Place, name: str) -> str:
    return f"s3://{place.bucket}/pets/images/dt={NIGHT}/{name}"


def as_version_1(place: Place) -> None:
    """The night's records as they were when they had everything in themselves, and no parts."""
    storage, pinned = place.storage, batch.read_batch(place.workspace, NIGHT)
    done = Predictions.read(storage, NIGHT)
    rows = read_outputs(storage, pinned, done, 0)
    images = [image.model_dump() for image in read_images(storage, pinned, 0)]
    old_batch = {"batch": NIGHT, "prefix": pinned.prefix, "images": images, "rejected": []}
    storage.write_json(
        layout.batch_file(NIGHT), old_batch | {"champion": pinned.champion and pinned.champion.model_dump()}
    )
    outputs = {row["uri"]: row["output"] for row in rows if row["output"]}
    missing = [row["uri"] for row in rows if not row["output"]]
    old = {"champion": done.champion, "outputs": outputs, "missing": missing, "jobs": list(done.jobs)}
    storage.write_json(layout.predictions_file(NIGHT), old)
    storage.s3.delete_object(Bucket=place.bucket, Key=f"pets/{layout.predictions_part(NIGHT, 0)}")


def scores(place: Place) -> dict[str, float | str | None]:
    """Top score or problem by file name."""
    found = read_predictions(place.workspace, batch.read_batch(place.workspace, NIGHT), 0)
    return {
        item.uri.rsplit("/", 1)[-1]: item.problem
        or max((detection.score for detection in item.said), default=None)
        for item in found
    }


def test_each_image_gets_the_models_detections_and_a_bad_one_its_reason(crowned: Place):
    crowned.add_images({"grey.jpg": 102, "black.jpg": 0})
    crowned.put(f"images/dt={NIGHT}/text.jpg", b"no image")
    crowned.put(f"images/dt={NIGHT}/cut.jpg", picture(100)[:-20])
    report = night(crowned)
    assert (report.predicted, report.missing) == (2, 2)
    said = {
        "grey.jpg": pytest.approx(0.4, abs=0.01),
        "black.jpg": None,
        "text.jpg": "not an image",
        "cut.jpg": "damaged image: the JPEG ends before its picture begins",
    }
    assert scores(crowned) == said
    as_version_1(crowned)
    assert scores(crowned) == said
    assert place_of(crowned, "grey.jpg") in find_outputs(
        crowned.storage, NIGHT, [place_of(crowned, "grey.jpg")]
    )
    assert night(crowned).predicted == 2


def test_a_night_is_predicted_once_even_when_another_champion_reigns_by_then(crowned: Place):
    crowned.add_images({"a.jpg": 100})
    first = night(crowned)
    set_champion(crowned, "two", "one")
    before = crowned.cloud.requests()
    assert night(crowned) == first
    assert crowned.cloud.requests().get("CreateTransformJob") == before.get("CreateTransformJob")
    assert first.champion == f"{crowned.bucket}-one"


def test_a_retry_attaches_to_the_job_that_runs(crowned: Place):
    crowned.add_images({"a.jpg": 100})
    batch.list_batch(crowned.workspace, NIGHT)
    one, other = (predict(crowned.workspace, NIGHT) for _ in range(2))
    assert isinstance(one, Pending)
    assert isinstance(other, Pending)
    assert one.names == other.names


def test_a_night_without_one_readable_image_ends_without_predictions(crowned: Place):
    crowned.put(f"images/dt={NIGHT}/a.jpg", b"nothing")
    crowned.put(f"images/dt={NIGHT}/b.jpg", b"nothing either")
    report = night(crowned)
    assert (report.predicted, report.missing) == (0, 2)
    assert set(scores(crowned).values()) == {"not an image"}


def test_a_model_that_cannot_be_loaded_fails_the_job_and_not_the_images(crowned: Place):
    crowned.s3.put_object(Bucket=crowned.bucket, Key=f"{crowned.bucket}-one.tar.gz", Body=b"no archive")
    crowned.add_images({"a.jpg": 100})
    with pytest.raises(
        JobRejected, match=r"transform job .*-1 failed: ClientError: .* is refused as a model archive"
    ):
        night(crowned)
    crowned.s3.put_object(Bucket=crowned.bucket, Key=f"{crowned.bucket}-one.tar.gz", Body=detector(1))
    report = night(crowned)  # the task's retry
    assert report.predicted == 1
    assert report.jobs[0].endswith("-2")


def test_without_a_champion_no_job_is_needed(place: Place):
    place.add_images({"a.jpg": 100})
    report = night(place)
    assert (report.champion, report.predicted, report.jobs) == (None, 0, [])
    assert list(read_predictions(place.workspace, batch.read_batch(place.workspace, NIGHT), 0)) == []
    assert predictions.predictions_of(place.workspace, NIGHT, ["s3://b/x"]) == {}


def test_triage_and_prelabels_see_the_share_that_is_right(crowned: Place):
    """0.4 is below a threshold of 0.5 as the model says it, and above it as its evaluation reads it."""
    crowned.add_images({"a.jpg": 102})
    night(crowned)
    image, job = place_of(crowned, "a.jpg"), f"{crowned.bucket}-one"

    def seen() -> tuple[Any, Any]:
        triage.triage(crowned.workspace, NIGHT, threshold=0.5)
        (row,) = read_rows(crowned.storage, NIGHT)
        (said,) = predictions_of(crowned.workspace, NIGHT, [image])[image]
        assert row.top_score == pytest.approx(said.score)
        return row.decision, said.score

    raw, read = pytest.approx(0.4, abs=0.01), pytest.approx(0.547, abs=0.02)
    assert seen() == (Decision.ASK, raw)
    write_calibration(crowned, job, {"pooled": {"slope": 2, "offset": 1}})
    assert seen() == (Decision.SKIP, read)
    # A class of its own kind; and a record that is damaged, for which no night stops.
    write_calibration(crowned, job, {"pooled": {}, "classes": {"cat": {"slope": 2, "offset": 1}}})
    assert seen() == (Decision.SKIP, read)
    write_calibration(crowned, job, {"pooled": {"slope": -1}})
    assert seen() == (Decision.ASK, raw)


def write_calibration(place: Place, job: str, value: dict[str, Any]) -> None:
    place.storage.write_json(layout.metrics_file(job), {"schema_version": 2, "calibration": value})


def test_an_output_that_is_not_as_documented_costs_its_image_only(crowned: Place):
    crowned.add_images({"a.jpg": 100, "b.jpg": 100})
    night(crowned)
    crowned.put(f"runs/dt={NIGHT}/predictions/out/a.jpg.out", b"oops")
    found = scores(crowned)
    assert str(found["a.jpg"]).startswith("no prediction: unreadable output")
    assert isinstance(found["b.jpg"], float)
