"""One model is the champion; it is replaced by a better one of its own line, once, and never by accident."""

from __future__ import annotations

import pytest

from include.loop.core import layout
from include.loop.core.errors import NotSetUp
from include.loop.core.records.verdict import Verdict
from include.loop.models import registry
from include.loop.models.champion import (
    find_champion,
    promote,
    read_champion,
    read_history,
    read_numbered,
    restore,
)
from tests.loop.place import Place


def challenger(
    place: Place, job: str, parent: str | None, promote: bool = True, from_scratch: bool = False
) -> str:
    model = {
        "training_job": job,
        "model_data": f"s3://{place.bucket}/{job}.tar.gz",
        "base_network": "resnet-50",
        "num_classes": 2,
        "image_shape": 300,
        "dataset_id": "d",
        "parent": parent,
        "from_scratch": from_scratch,
    }
    reason = "better" if promote else "worse"
    verdict = Verdict(promote=promote, reasons=(reason,), metric="mAP@0.5", score={"day": 0.5})
    verdict.write(place.storage, job)
    place.storage.write_json(layout.model_file(job), model)
    registry.register(place.workspace, job)
    return job


def test_promotions_are_counted_and_remembered(place: Place):
    assert read_champion(place.workspace) is None
    promote(place.workspace, challenger(place, "one", None))
    report = promote(place.workspace, challenger(place, "two", "one"))
    assert (report.promoted, report.number, report.champion) == (True, 2, "two")
    current = read_champion(place.workspace)
    assert current is not None
    assert (current.training_job, current.metric, current.score) == ("two", "mAP@0.5", {"day": 0.5})
    assert current.hyperparameters == {"base_network": "resnet-50", "num_classes": "2", "image_shape": "300"}
    first = find_champion(place.workspace, "one")
    assert first is not None
    assert first.number == 1
    assert find_champion(place.workspace, None) is None


def test_promoting_again_changes_nothing_and_mends_a_history_that_a_crash_left_short(place: Place):
    promote(place.workspace, challenger(place, "one", None))
    before = place.storage.read(layout.CHAMPION)
    bucket, key = place.storage.resolve(layout.champion_history(1))
    place.s3.delete_object(Bucket=bucket, Key=key)
    assert promote(place.workspace, "one").promoted
    assert place.storage.read(layout.CHAMPION) == before
    assert place.storage.read(layout.champion_history(1)) == before


def test_a_verdict_of_no_leaves_the_champion(place: Place):
    promote(place.workspace, challenger(place, "one", None))
    report = promote(place.workspace, challenger(place, "two", "one", promote=False))
    assert (report.promoted, report.champion, report.reason) == (False, "one", "worse")


def test_a_challenger_whose_parent_is_no_longer_the_champion_is_not_promoted(place: Place):
    for job, parent in (("one", None), ("two", "one")):
        promote(place.workspace, challenger(place, job, parent))
    report = promote(place.workspace, challenger(place, "late", "one"))
    assert not report.promoted
    assert report.reason == "was trained from one, but two is the champion now"
    report = promote(place.workspace, challenger(place, "anew", "one", from_scratch=True))
    assert report.reason == "was measured against one, but two is the champion now"
    package = registry.read_package(place.workspace, "anew").arn
    described = place.sagemaker.describe_model_package(ModelPackageName=package)
    assert described["CustomerMetadataProperties"]["parent"] == "none"
    assert promote(place.workspace, challenger(place, "afresh", None)).champion == "two"
    # It cannot become the newest approved package; a former champion stays approved, to be returned to.
    assert registry.read_package(place.workspace, "late").status == "Rejected"
    report = promote(place.workspace, "one")
    assert report.reason == "has been the champion before: a rollback returns to it"
    assert registry.read_package(place.workspace, "one").status == "Approved"


def test_a_person_may_overrule_the_gate_and_has_to_be_waited_for(place: Place):
    for job, promoted, status in (
        ("refused", False, "Approved"),
        ("waiting", True, "PendingManualApproval"),
        ("declined", True, "Rejected"),
    ):
        challenger(place, job, None, promote=promoted)
        package = registry.read_package(place.workspace, job)
        registry.set_status(place.workspace, package, registry.Approval(status), "ann", "looked")
    assert "waits for somebody" in promote(place.workspace, "waiting").reason
    assert promote(place.workspace, "declined").reason == "rejected by ann: looked"
    report = promote(place.workspace, "refused")
    assert (report.promoted, report.reason) == (True, "approved by ann: looked")


def test_an_earlier_champion_returns_under_a_new_number(place: Place):
    for job, parent in (("one", None), ("two", "one")):
        promote(place.workspace, challenger(place, job, parent))
    first = read_numbered(place.workspace, 1)
    restored = restore(place.workspace, 1)
    assert restored == read_champion(place.workspace)
    changed = {"number": 3, "rolled_back_from": 2, "promoted_at": restored.promoted_at}
    assert restored == first.model_copy(update=changed)
    assert (restored.number, restored.rolled_back_from) == (3, 2)
    assert restore(place.workspace, 1) == restored
    assert [champion.training_job for champion in read_history(place.workspace)] == ["one", "two", "one"]
    with pytest.raises(NotSetUp, match="there was no champion number 9"):
        restore(place.workspace, 9)


def test_nothing_is_promoted_that_is_not_registered(place: Place):
    with pytest.raises(NotSetUp, match="not in the model registry: run register first"):
        promote(place.workspace, "unknown")


def test_a_parent_that_never_was_the_champion_is_named(place: Place):
    with pytest.raises(NotSetUp, match="ghost is named as a parent, but was never a champion"):
        find_champion(place.workspace, "ghost")
