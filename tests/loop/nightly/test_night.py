"""A night from its images to its labels, on a real local cloud with a real review server."""

from __future__ import annotations

import json

import httpx
import pytest

from include.loop.config import TriageSettings
from include.loop.core import layout
from include.loop.dataset import build
from include.loop.evaluation import evaluate, gate
from include.loop.models import champion, registry
from include.loop.nightly import batch
from include.loop.nightly.predictions import predict, read_predictions
from include.loop.nightly.questions import read_questions
from include.loop.nightly.triage import triage
from include.loop.training.job import train
from tests.loop.place import NIGHT, Place, correct
from tests.support.cloud import ROLE
from tests.support.names import MEETING, ODD, long_name

DAYS = {
    "train": {f"a{n}.jpg": 150 + n for n in range(6)},
    "validation": {f"v{n}\u2028.jpg": 170 + n for n in range(3)},
}


@pytest.fixture
def trained(make_place) -> Place:
    """A place with a first champion, which is confident about bright images only."""
    place = make_place(
        initial={"train": "initial/train.manifest", "validation": "initial/validation.manifest"},
        test_sets={"day": "test/day.manifest", "night": "test/night.manifest"},
    )
    for side, images in DAYS.items():
        place.add_labels(f"initial/{side}.manifest", images)
    place.add_labels("test/day.manifest", {"d/e.jpg": 200, "d//e.jpg": 210})
    place.add_labels("test/night.manifest", {"n.jpg": 40})
    learn(place, build.build_initial(place.workspace).dataset_id)
    place.set_up_review()
    return place


def learn(place: Place, dataset_id: str) -> champion.PromotionResult:
    job = place.finish(train, dataset_id).training_job
    place.finish(evaluate.evaluate, job)
    gate.judge(place.workspace, job)
    registry.register(place.workspace, job)
    return champion.promote(place.workspace, job)


def test_a_night_asks_about_doubtful_images_and_its_labels_make_a_better_champion(trained: Place):
    """Whatever the images are called: a name is told on, and never taken apart."""
    prefix = f"s3://{trained.bucket}/pets/images/dt={NIGHT}/"
    room = 1024 - len(f"pets/runs/dt={NIGHT}/predictions/out/.out")
    names = [*MEETING, *ODD, long_name(room - len(".jpg"))]
    doubtful = {f"{name}.jpg": 60 + 2 * number for number, name in enumerate(names)}
    too_long = f"{long_name(room - len('jpg'))}.jpg"
    trained.add_images({"bright.jpg": 250, "black.jpg": 0, too_long: 100, "../up.jpg": 100} | doubtful)
    batch.list_batch(trained.workspace, NIGHT)
    trained.finish(predict, NIGHT)
    drawn = TriageSettings(strategy="random", threshold=1, audit_share=0, cap=7)
    assert triage(trained.but(triage=drawn), NIGHT).ask == 7  # a plan, whatever the champion said
    started = trained.ask()
    count = len(doubtful) + 1
    assert (started.asked, started.started, started.remaining) == (count, count, 0)
    asked = {item.image.removeprefix(prefix) for item in read_questions(trained.workspace, NIGHT)}
    assert asked == {"black.jpg", *doubtful}
    # Every image was given its own prediction.
    predictions = read_predictions(trained.workspace, batch.read_batch(trained.workspace, NIGHT), 0)
    seen = {item.uri.removeprefix(prefix): item for item in predictions}
    assert {name: round(255 * seen[name].said[0].score) for name in doubtful} == doubtful
    assert seen[too_long].problem == (
        "no prediction: the key of its output would have 1,025 bytes; S3 takes 1,024"
    )
    assert_reviewers_see(trained, [prefix + name for name in doubtful])
    trained.answer(correct)
    trained.settle()
    report = trained.assemble()
    assert (report.labels, report.quarantined, report.open) == (count, 2, 0)
    assert {line["image"].removeprefix(prefix) for line in trained.quarantine()} == {too_long, "../up.jpg"}
    built = build.build(trained.workspace)
    assert (built.new, built.rejected) == (count, 0)
    before = trained.cloud.requests()["CreateTransformJob"]
    promoted = learn(trained, built.dataset_id)
    # The champion was measured on these tests when it was a challenger: only the new model predicts.
    assert trained.cloud.requests()["CreateTransformJob"] == before + 1
    assert promoted.promoted, promoted
    assert promoted.number == 2
    current = champion.read_champion(trained.workspace)
    assert current is not None
    assert (current.score["day"], current.score["night"]) == (1.0, 1.0)


def assert_reviewers_see(place: Place, images: list[str]) -> None:
    """The address that a template makes of an image gives that image."""
    for image in images:
        page = place.rig.sagemaker.render_ui_template(
            UiTemplate={"Content": "{{ task.input.image | grant_read_access | skip_autoescape }}"},
            Task={"Input": json.dumps({"image": image})},
            RoleArn=ROLE,
        )
        assert httpx.get(page["RenderedContent"]).content == place.storage.read(image), image


def test_the_same_date_again_starts_no_job_and_no_loop_and_keeps_every_byte(trained: Place):
    trained.add_images({"dim.jpg": 100, "dark.jpg": 60, "bright.jpg": 250})
    trained.night()
    learn(trained, build.build(trained.workspace).dataset_id)  # a new champion reigns now
    manifest = trained.storage.read(layout.labels_manifest(NIGHT))
    trained.add_images({"later.jpg": 50})
    before = trained.cloud.requests()
    loops_before = trained.rig.a2i.list_human_loops(
        FlowDefinitionArn=trained.set_up_review().flow_definition_arn
    )
    report = trained.ask()
    trained.assemble()
    assert report.started == 0
    assert trained.storage.read(layout.labels_manifest(NIGHT)) == manifest
    after = trained.cloud.requests()
    for operation in after:
        if operation.startswith("Create"):  # not those of logs: an earlier test's job may begin one
            assert after[operation] == before.get(operation, 0), operation
    loops_after = trained.rig.a2i.list_human_loops(
        FlowDefinitionArn=trained.set_up_review().flow_definition_arn
    )
    assert len(loops_after["HumanLoopSummaries"]) == len(loops_before["HumanLoopSummaries"])


# NOIMPORT layout
