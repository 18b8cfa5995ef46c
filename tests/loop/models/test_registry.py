"""A trained model becomes one package, whose status follows the gate and then people."""

from __future__ import annotations

import json

import pytest

from include.loop.core import layout
from include.loop.core.errors import NotSetUp
from include.loop.models import registry
from include.loop.models.registry import Approval, ModelPackage, decide, newest_approved, register
from tests.loop.place import Place


@pytest.fixture
def job(place: Place) -> str:
    return judged(place, "one")


def judged(place: Place, name: str, promote: bool = True, backfilled: tuple[str, ...] = ()) -> str:
    """The records of a model that was trained, measured and judged."""
    job = f"{place.bucket}-{name}"
    model = {
        "training_job": job,
        "model_data": f"s3://{place.bucket}/{name}.tar.gz",
        "dataset_id": f"data-{name}",
        "parent": None,
    }
    verdict = {
        "schema_version": 2,
        "promote": promote,
        "reasons": ["night +0.2 (95 %)", "day: same"],
        "metric": "mAP@0.5",
        "score": {"day": 0.91, "night": None},
    }
    store = place.storage
    store.write_json(layout.model_file(job), model)
    store.write_json(
        layout.dataset_file(f"data-{name}"), {"dataset_id": f"data-{name}", "backfilled": list(backfilled)}
    )
    store.write_json(layout.metrics_file(job), {"slices": {}})
    store.write_json(layout.verdict_file(job), verdict)
    return job


def package(place: Place, job: str) -> ModelPackage:
    return registry.read_package(place.workspace, job)


def test_registering_twice_makes_one_package(place: Place, job: str):
    report = register(place.workspace, job)
    assert (report.status, report.ask, report.why) == ("Approved", False, "")
    assert register(place.workspace, job) == report
    # A crash between the package and its record: the same request finds the same package.
    bucket, key = place.storage.resolve(layout.registry_file(job))
    place.s3.delete_object(Bucket=bucket, Key=key)
    assert register(place.workspace, job) == report
    # The same when the request has become another one meanwhile: its token is known, and so is the package.
    place.s3.delete_object(Bucket=bucket, Key=key)
    assert register(place.workspace, job, ask=True) == report
    versions = place.sagemaker.list_model_packages(
        ModelPackageGroupName="pets", SortBy="CreationTime", SortOrder="Descending"
    )["ModelPackageSummaryList"]
    assert versions[0]["ModelPackageArn"] == report.package_arn
    assert [item["ModelPackageVersion"] for item in versions].count(report.version) == 1


def test_a_package_tells_what_it_was_made_of(place: Place, job: str):
    arn = register(place.workspace, job).package_arn
    found = place.sagemaker.describe_model_package(ModelPackageName=arn)
    assert found["CustomerMetadataProperties"] == {
        "training-job": job,
        "dataset-id": "data-one",
        "parent": "none",
        "gate": "passed: night +0.2 95 / day: same",  # SageMaker refuses brackets and per cent signs
        "metric": "mAP@0.5",
        "score-day": "0.91",
        "score-night": "null",
        "report": place.storage.uri(layout.report_page(job)),
    }
    statistics = found["ModelMetrics"]["ModelQuality"]["Statistics"]
    assert json.loads(place.storage.read(statistics["S3Uri"])) == {"slices": {}}
    assert found["MetadataProperties"]["GeneratedBy"] == (
        f"arn:aws:sagemaker:us-east-1:000000000000:training-job/{job}"
    )
    assert package(place, job).training_job == job


def test_a_package_tells_how_its_scores_are_to_be_read(place: Place):
    job = judged(place, "read")
    point = {"score": 0.43, "precision": 0.8, "recall": 0.7, "raw": {"cat": 0.2}}
    found = {"pooled": {"slope": 1.5, "offset": -0.25}, "asked": "best F1", "working_point": point}
    place.storage.write_json(layout.metrics_file(job), {"schema_version": 2, "calibration": found})
    arn = register(place.workspace, job).package_arn
    told = place.sagemaker.describe_model_package(ModelPackageName=arn)["CustomerMetadataProperties"]
    assert told["calibration"] == "logit of the share that is right = 1.5 logit of the score + -0.25"
    assert told["working-point"] == "calibrated score 0.43 for the best F1: precision 0.8 recall 0.7"


def test_what_the_gate_refused_is_rejected_and_nobody_is_asked(place: Place):
    report = register(place.workspace, judged(place, "bad", promote=False), ask=True)
    assert (report.status, report.ask) == ("Rejected", False)


@pytest.mark.parametrize(
    ("settings", "ask", "backfilled", "why"),
    [
        ({"gate": {"approval": True}}, None, (), "gate.approval is set"),
        ({}, True, (), "this run was told to ask"),
        ({}, False, ("2026-11-02",), "batches that a backfill ran: 2026-11-02"),
    ],
)
def test_a_person_is_asked_where_one_is_wanted(make_place, settings, ask, backfilled, why):
    place = make_place(**settings)
    job = judged(place, "one", backfilled=backfilled)
    report = register(place.workspace, job, ask)
    assert (report.status, report.ask) == ("PendingManualApproval", True)
    assert why in report.why
    decided = decide(place.workspace, job, True, by="ann", comment="looks\ngood")
    assert (decided.status, decided.comment) == ("Approved", "approved by ann: looks good")
    kept = place.storage.read_json(layout.decision_file(job))
    assert (kept["status"], kept["by"], kept["comment"]) == ("Approved", "ann", "looks\ngood")
    # Registered again, the decision stands and nobody is asked again.
    again = register(place.workspace, job, ask)
    assert (again.status, again.ask, again.why) == ("Approved", False, "")


def test_the_first_decision_holds_also_one_that_was_made_elsewhere(place: Place, job: str):
    arn = register(place.workspace, job, ask=True).package_arn
    place.sagemaker.update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus="Rejected", ApprovalDescription="seen in the console"
    )
    late = decide(place.workspace, job, True, by="ann")
    assert (late.status, late.changed, late.comment) == ("Rejected", False, "seen in the console")


def test_the_newest_approved_package_is_found(make_place):
    place = make_place()
    assert newest_approved(place.but(name="nobody")) is None
    jobs = [judged(place, name) for name in ("one", "two", "three")]
    for job in jobs:
        register(place.workspace, job)
    place.sagemaker.update_model_package(
        ModelPackageArn=package(place, jobs[2]).arn, ModelApprovalStatus="Rejected"
    )
    newest = newest_approved(place.workspace)
    assert newest is not None
    assert (newest.training_job, newest.status) == (jobs[1], Approval.APPROVED)


def test_a_model_without_verdict_or_package_says_what_to_run(place: Place, job: str):
    with pytest.raises(NotSetUp, match="ghost has no verdict: run the gate before registering"):
        register(place.workspace, "ghost")
    with pytest.raises(NotSetUp, match="is not in the model registry: run register first"):
        registry.read_package(place.workspace, job)
    arn = register(place.workspace, job).package_arn
    place.sagemaker.delete_model_package(ModelPackageName=arn)
    with pytest.raises(NotSetUp, match=r"was deleted; to register the model anew, delete s3://.*\.json"):
        registry.read_package(place.workspace, job)
