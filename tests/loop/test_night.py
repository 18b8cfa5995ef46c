"""A night from its images to its labels, on a real local cloud with a real review server."""

from __future__ import annotations

import pytest

from include.loop import (
    champion,
    dataset,
    evaluation,
    gate,
    layout,
    registry,
    training,
)
from tests.loop.place import NIGHT, Place, correct

DAYS = {
    "train": {f"a{n}.jpg": 150 + n for n in range(6)},
    "validation": {f"v{n}.jpg": 170 + n for n in range(3)},
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
    place.add_labels("test/day.manifest", {"d.jpg": 200, "e.jpg": 210})
    place.add_labels("test/night.manifest", {"n.jpg": 40})
    learn(place, dataset.build_initial(place.workspace)["dataset_id"])
    place.set_up_review()
    return place


def learn(place: Place, dataset_id: str) -> dict:
    job = place.finish(training.train, dataset_id)["training_job"]
    place.finish(evaluation.evaluate, job)
    gate.judge(place.workspace, job)
    registry.register(place.workspace, place.sagemaker, job)
    return champion.promote(place.workspace, place.sagemaker, job)


def test_a_night_asks_about_doubtful_images_and_its_labels_make_a_better_champion(trained: Place):
    trained.add_images({"bright.jpg": 250, "dim.jpg": 100, "dark.jpg": 60, "black.jpg": 0})
    started = trained.ask()
    assert (started["asked"], started["started"], started["remaining"]) == (3, 3, 0)
    assert set(trained.questions()) == {"dim.jpg", "dark.jpg", "black.jpg"}
    trained.answer(correct)
    trained.settle()
    report = trained.assemble()
    assert (report["labels"], report["quarantined"], report["open"]) == (3, 0, 0)
    built = dataset.build(trained.workspace)
    assert built["new"] == 3
    before = trained.cloud.requests()["CreateTransformJob"]
    promoted = learn(trained, built["dataset_id"])
    # The champion was measured on these tests when it was a challenger: only the new model predicts.
    assert trained.cloud.requests()["CreateTransformJob"] == before + 1
    assert promoted["promoted"], promoted
    assert promoted["number"] == 2
    reigning = champion.read_champion(trained.workspace)
    assert reigning is not None
    assert (reigning.metrics["day"], reigning.metrics["night"]) == (1.0, 1.0)


def test_the_same_date_again_starts_no_job_and_no_loop_and_keeps_every_byte(trained: Place):
    trained.add_images({"dim.jpg": 100, "dark.jpg": 60, "bright.jpg": 250})
    trained.night()
    learn(trained, dataset.build(trained.workspace)["dataset_id"])  # a new champion reigns now
    manifest = trained.storage.read(layout.label_file(NIGHT, "augmented.manifest"))
    trained.add_images({"later.jpg": 50})
    before = trained.cloud.requests()
    loops_before = trained.rig.a2i.list_human_loops(
        FlowDefinitionArn=trained.set_up_review()["flow_definition_arn"]
    )
    report = trained.ask()
    trained.assemble()
    assert report["started"] == 0
    assert trained.storage.read(layout.label_file(NIGHT, "augmented.manifest")) == manifest
    after = trained.cloud.requests()
    for operation in after:
        if "Create" in operation:
            assert after[operation] == before.get(operation, 0), operation
    loops_after = trained.rig.a2i.list_human_loops(
        FlowDefinitionArn=trained.set_up_review()["flow_definition_arn"]
    )
    assert len(loops_after["HumanLoopSummaries"]) == len(loops_before["HumanLoopSummaries"])


# NOIMPORT layout
