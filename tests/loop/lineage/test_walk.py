"""From any answer of the endpoint one can walk back to the people whose answers it was learned from."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from include.loop.__main__ import main
from include.loop.core import layout
from include.loop.core.errors import ConfigurationError, NotSetUp
from include.loop.core.records.models import TrainedModel
from include.loop.dataset import build
from include.loop.evaluation import evaluate, gate
from include.loop.lineage.text import render
from include.loop.lineage.walk import Start, _training_job, walk
from include.loop.models import registry
from include.loop.models.champion import promote
from include.loop.training.job import train
from tests.loop.place import NIGHT, Place
from tests.loop.served import Serving
from tests.loop.terminal import at_terminal

UNKNOWN_PACKAGE = "arn:aws:sagemaker:us-east-1:000000000000:model-package/pets/99999"
STEPS = [
    "answer",
    "endpoint",
    "package",
    "training_job",
    "dataset",
    "label",
    "human_loop",
    "answers",
    "template",
    "flow_definition",
]


@pytest.fixture
def learned(place: Place) -> Serving:
    """A first model that was learned from one batch's answers, and serves."""
    serving = Serving(place)
    place.set_up_review()
    place.add_images({f"n{number}.jpg": 60 + 20 * number for number in range(8)})
    place.night()
    job = place.finish(train, build.build(place.workspace).dataset_id).training_job
    place.finish(evaluate.evaluate, job)
    gate.judge(place.workspace, job)
    registry.register(place.workspace, job)
    assert serving.deploy(job).deployed
    assert promote(place.workspace, job).promoted
    return serving


def go(serving: Serving, start: Start) -> dict:
    return walk(serving.workspace, start)


def test_an_answer_is_walked_back_to_the_people_and_their_form(
    learned: Serving, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
):
    place = learned.place
    name = random.Random(4).choice(sorted(place.questions()))
    image = place.put("seen.jpg", place.storage.read(f"images/dt={NIGHT}/{name}"))
    steps = go(learned, Start(image=image))
    assert list(steps) == STEPS

    # Each step names the next one, and all of it is so.
    job = steps["training_job"]["training_job"]
    assert (steps["answer"]["class"], steps["answer"]["of"]) == ("cat", 1)
    assert steps["endpoint"]["endpoint"] == learned.endpoint
    assert steps["endpoint"]["package_arn"] == steps["package"]["package_arn"]
    assert (
        steps["package"]["package_arn"] == place.storage.read_json(layout.registry_file(job))["package_arn"]
    )
    assert steps["dataset"]["batches"] == [NIGHT]
    label = steps["label"]
    line = list(place.storage.read_lines(label["manifest"]))[label["line"] - 1]
    assert (line["source-ref"], line["loop"]) == (label["image"], steps["human_loop"]["loop"])
    question = next(item for item in place.questions().values() if item.loop == label["loop"])
    assert question.image == label["image"]
    assert steps["human_loop"]["output_uri"] == place.output_uri(label["loop"])
    output = place.storage.read_json(steps["human_loop"]["output_uri"])["humanAnswers"]
    assert [(item["worker"], item["seconds"]) for item in steps["answers"]] == [
        (item["workerId"], item["timeSpentInSeconds"]) for item in output
    ]
    shown = place.pipeline.template().encode()
    assert steps["template"]["sha256"] == hashlib.sha256(shown).hexdigest()
    assert steps["flow_definition"]["workteam_arn"].endswith(place.team)

    # The same from the package and from the job, without an answer.
    for start in (Start(package=steps["package"]["package_arn"]), Start(training_job=job)):
        assert list(go(learned, start)) == STEPS[2:]
        assert go(learned, start)["package"] == steps["package"]

    # And on the command line, where one has only a name.
    at_terminal(place, monkeypatch, tmp_path, deployment={"endpoint": learned.endpoint})
    command = ["lineage", "--image", image, "--review-url", place.rig.url]
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == steps
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert printed == render(steps) + "\n"
    for text in (job, label["loop"], steps["template"]["sha256"], steps["answers"][0]["worker"], "score 0."):
        assert text in printed
    assert printed.splitlines()[-1].startswith("   " * (len(STEPS) - 1))
    assert main([*command, "--detection", "2"]) == 1
    assert "says 1 things of" in capsys.readouterr().err

    # Years later the review plane has forgotten the question: what is left is told.
    place.runtime.delete_human_loop(HumanLoopName=label["loop"])
    late = go(learned, Start(training_job=job))
    assert late["human_loop"]["status"] == "the review plane does not know it any more"
    assert late["answers"] == []
    assert late["flow_definition"] == steps["flow_definition"]
    assert "does not know it any more" in render(late)
    learned.sagemaker.delete_endpoint(EndpointName=learned.endpoint)


@pytest.mark.parametrize(
    ("start", "error", "text"),
    [
        (Start(), ConfigurationError, "begins at an image, a package or a training job"),
        (Start(training_job="x", class_name="bird"), ConfigurationError, "classes are cat, dog"),
        (Start(training_job="ghost"), NotSetUp, "ghost is not in the model registry"),
        (Start(image="nowhere.jpg"), ConfigurationError, "no object at s3://.*/pets/nowhere.jpg"),
        (Start(package=UNKNOWN_PACKAGE), NotSetUp, "there is no model package"),
    ],
)
def test_a_lost_thread_is_named(place: Place, start: Start, error: type[Exception], text: str):
    with pytest.raises(error, match=text):
        go(Serving(place), start)


@pytest.mark.parametrize("form", [layout.dataset_manifest, layout.dataset_records, layout.coco_images])
def test_a_job_is_known_by_its_dataset_in_whatever_form_and_channel_it_read_it(place: Place, form):
    TrainedModel(training_job="one", dataset_id="d1", model_data="s3://b/m").write(place.storage, "one")

    def described(dataset: str) -> dict[str, Any]:
        uris = {"annotations": "s3://b/labels", "images": place.storage.uri(form(dataset, "train"))}
        return {
            "CreationTime": datetime(2026, 11, 1, tzinfo=UTC),
            "TrainingJobStatus": "Completed",
            "ModelArtifacts": {"S3ModelArtifacts": "s3://b/m"},
            "InputDataConfig": [
                {"ChannelName": name, "DataSource": {"S3DataSource": {"S3Uri": uri}}}
                for name, uri in uris.items()
            ],
        }

    def step(dataset: str) -> dict[str, Any]:
        sagemaker = SimpleNamespace(describe_training_job=lambda **_: described(dataset))
        clients: Any = SimpleNamespace(sagemaker=sagemaker)
        return _training_job(replace(place.workspace, clients=clients), "one")["training_job"]

    assert step("d1")["manifest"] == place.storage.uri(form("d1", "train"))
    with pytest.raises(NotSetUp, match=r"one was trained on .*/d2/.*, but model.json names dataset d1"):
        step("d2")


def test_a_model_of_another_making_has_no_lineage(place: Place):
    serving = Serving(place)
    job = serving.model("one")
    with pytest.raises(NotSetUp, match=f"there is no endpoint '{serving.endpoint}'"):
        go(serving, Start(image=f"s3://{place.bucket}/pets/test/images/a.jpg"))
    arn = registry.read_package(serving.workspace, job).arn
    elsewhere = Serving(place)
    bucket, key = place.storage.resolve(layout.model_file(job))
    place.s3.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(NotSetUp, match="was trained by another pipeline"):
        go(elsewhere, Start(package=arn))
    place.sagemaker.update_model_package(
        ModelPackageArn=arn, CustomerMetadataPropertiesToRemove=["training-job"]
    )
    with pytest.raises(NotSetUp, match="not one of ours"):
        go(serving, Start(package=arn))
