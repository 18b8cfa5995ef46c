"""A model gets traffic when its package is approved and the images of the smoke test are answered as
expected.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from include.loop.aws.jobs import Pending, ResourceKind
from include.loop.core import layout
from include.loop.core.errors import DeploymentFailed, NotApproved, NotSetUp
from include.loop.models import registry
from include.loop.models.champion import promote, read_champion
from include.loop.models.registry import Approval
from include.loop.serving.deployment import deploy, previous, rollback
from include.loop.serving.endpoint import describe_endpoint, ensure_config
from tests.loop.place import Place
from tests.loop.served import Serving, answer
from tests.support.cloud import eventually


@pytest.fixture
def serving(place: Place) -> Iterator[Serving]:
    """Endpoints are processes: none is left behind for the next tests."""
    made = Serving(place)
    yield made
    for name in (made.endpoint, made.candidate):
        endpoint = describe_endpoint(made.sagemaker, name)
        if endpoint is not None and endpoint["EndpointStatus"] == "InService":
            made.sagemaker.delete_endpoint(EndpointName=name)


@contextmanager
def requests_throughout(serving: Serving) -> Iterator[list[object]]:
    """Ask the live endpoint again and again meanwhile; gives its answers, and whatever went wrong."""
    answers: list[object] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                answers.append(serving.ask())
            except Exception as error:  # whatever it is, a request was lost
                answers.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        eventually(lambda: answers)
        yield answers
    finally:
        over.set()
        thread.join(60)


def approval(serving: Serving, job: str) -> str:
    return registry.read_package(serving.workspace, job).status


def test_an_approved_model_is_tried_then_served_then_recorded_and_only_once(serving: Serving):
    job = serving.model("one")
    report = serving.deploy(job)
    assert (report.deployed, report.number, report.checked) == (True, 1, 2)
    assert serving.serves(report.config)
    assert serving.ask(204) == answer(204, 1)
    record = serving.place.storage.read_json(layout.deployment_file(1))
    assert (record["training_job"], record["config"]) == (job, report.config)
    # The images on which the model found something are those that were sent.
    assert {item["image"].rsplit("/", 1)[-1] for item in record["checked"]} == {"a.jpg", "b.jpg"}
    assert max(item["largest_difference"] for item in record["checked"]) < 0.02
    eventually(lambda: describe_endpoint(serving.sagemaker, serving.candidate) is None)

    before = serving.place.cloud.requests()
    assert serving.deploy(job) == report
    after = serving.place.cloud.requests()
    for operation in after:
        if operation.startswith(("Create", "Update", "Invoke")):
            assert after[operation] == before.get(operation, 0), operation
    assert list(serving.place.storage.list(layout.DEPLOYMENTS))[1:] == []


@pytest.mark.parametrize("state", [Approval.PENDING, Approval.REJECTED])
def test_what_nobody_approved_is_not_deployed(serving: Serving, state: Approval):
    job = serving.model("one")
    package = registry.read_package(serving.workspace, job)
    registry.set_status(serving.workspace, package, state, "ann", "let me look")
    report = serving.deploy(job)
    assert not report.deployed
    assert ("waits" if state is Approval.PENDING else "let me look") in report.reason
    assert describe_endpoint(serving.sagemaker, serving.endpoint) is None
    assert not promote(serving.workspace, job).promoted


def test_a_model_that_is_rejected_while_it_is_tried_leaves_no_endpoint_behind(serving: Serving):
    job = serving.model("one")
    waited = deploy(serving.workspace, job)
    package = package_of(serving, job)
    registry.set_status(serving.workspace, package, Approval.REJECTED, "ann", "stop")
    while isinstance(waited, Pending):
        serving.wait(waited)
        waited = deploy(serving.workspace, job, waited_for=waited)
    assert (waited.deployed, waited.reason) == (False, "rejected by ann: stop")
    eventually(lambda: describe_endpoint(serving.sagemaker, serving.candidate) is None)
    assert describe_endpoint(serving.sagemaker, serving.endpoint) is None


def test_where_nothing_is_served_a_model_is_promoted_all_the_same(serving: Serving):
    job = serving.model("one")
    nowhere = serving.place.workspace
    report = serving.deploy(job, nowhere)
    assert not report.deployed
    assert "deployment: is not set" in report.reason
    assert promote(nowhere, job).promoted
    with pytest.raises(NotSetUp, match="nothing to return to"):
        previous(nowhere)


def test_a_model_that_answers_otherwise_than_it_was_measured_gets_no_traffic(serving: Serving):
    serving.serve_champion("one", quality=1)
    job = serving.model("two", parent="one", quality=0.5, said=1)
    with pytest.raises(DeploymentFailed, match=r"2 of 2 images differ .* by 0\.25\. No traffic was moved"):
        serving.deploy(job)
    assert serving.ask(204) == answer(204, 1)
    eventually(lambda: describe_endpoint(serving.sagemaker, serving.candidate) is None)
    assert len(list(serving.place.storage.list(layout.DEPLOYMENTS))) == 1


def test_a_model_that_cannot_be_loaded_stops_at_the_candidate(serving: Serving):
    job = serving.model("one")
    serving.place.storage.write(layout.artifact_file(job), b"no archive")
    with pytest.raises(DeploymentFailed, match=f"endpoint {serving.candidate} failed: "):
        serving.deploy(job)
    assert describe_endpoint(serving.sagemaker, serving.endpoint) is None
    eventually(lambda: describe_endpoint(serving.sagemaker, serving.candidate) is None)


def test_an_update_that_somebody_else_began_is_waited_for_and_ours_comes_after(serving: Serving):
    serving.serve_champion("one")
    theirs = ensure_config(serving.but(instance_count=2), package_of(serving, serving.job("one")))
    job = serving.model("two", parent="one", quality=0.75, said=0.75)
    # Up to the moment at which the live endpoint would be updated, somebody else does.
    waited = deploy(serving.workspace, job)
    assert isinstance(waited, Pending)
    serving.wait(waited)
    serving.sagemaker.update_endpoint(EndpointName=serving.endpoint, EndpointConfigName=theirs)
    waited = deploy(serving.workspace, job, waited_for=waited)
    assert isinstance(waited, Pending)
    assert (waited.kind, waited.names) == (ResourceKind.ENDPOINT, (serving.endpoint,))
    if not waited.aim:  # else theirs was through before ours came, and nobody had to wait
        serving.wait(waited)
        assert serving.serves(theirs)
    report = serving.deploy(job)
    assert serving.serves(report.config)
    assert serving.ask(204) == answer(204, 0.75)


def test_a_call_after_a_crash_goes_on_where_the_last_one_stopped(serving: Serving):
    job = serving.model("one")
    before = serving.place.cloud.requests()
    seen = set()
    step = deploy(serving.workspace, job)
    while isinstance(step, Pending):
        # A new process knows nothing of what was waited for, nor whether it was.
        seen.add(step.names)
        again = deploy(serving.workspace, job)
        serving.wait(step)
        step = deploy(serving.workspace, job)
        assert isinstance(again, Pending)
    assert step.deployed
    assert seen == {(serving.candidate,), (serving.endpoint,)}
    made = serving.place.cloud.requests()["CreateEndpoint"] - before.get("CreateEndpoint", 0)
    assert made == 2


def test_an_update_that_ends_with_the_old_configuration_is_no_success(serving: Serving):
    first = serving.serve_champion("one")
    old = serving.deploy(first).config
    job = serving.model("two", parent="one", quality=0.75, said=0.75)
    waited = deploy(serving.workspace, job)
    assert isinstance(waited, Pending)
    serving.wait(waited)
    # The artifact is damaged after it was tried: the new fleet does not come up, and the old one stays.
    serving.place.storage.write(layout.artifact_file(job), b"no archive")
    waited = deploy(serving.workspace, job, waited_for=waited)
    assert isinstance(waited, Pending)
    assert waited.names == (serving.endpoint,)
    serving.wait(waited)
    with pytest.raises(DeploymentFailed, match=f"rolled endpoint {serving.endpoint} back to {old} instead"):
        deploy(serving.workspace, job, waited_for=waited)
    assert serving.ask(204) == answer(204, 1)


def test_a_rollback_returns_endpoint_and_champion_and_no_request_is_lost(serving: Serving):
    first, second = (
        serving.serve_champion("one", quality=1),
        serving.serve_champion("two", parent="one", quality=0.75),
    )
    configs = [
        serving.place.storage.read_json(item.uri)["config"]
        for item in serving.place.storage.list(layout.DEPLOYMENTS)
    ]
    assert previous(serving.workspace).training_job == first
    with requests_throughout(serving) as answers:
        report = serving.finish(rollback, serving.workspace)
        enough = len(answers) + 5
        eventually(lambda: len(answers) > enough)
    assert (report.training_job, report.left, report.config) == (first, second, configs[0])
    assert serving.serves(configs[0])
    assert all(found in (answer(204, 1), answer(204, 0.75)) for found in answers), answers
    assert answers[0] == answer(204, 0.75)
    assert answers[-1] == answer(204, 1)
    reigning = read_champion(serving.workspace)
    assert reigning is not None
    assert (reigning.number, reigning.training_job, reigning.rolled_back_from) == (3, first, 2)
    assert approval(serving, second) == "Rejected"
    # The same labels cannot bring it back by themselves.
    assert not serving.deploy(second).deployed
    assert not promote(serving.workspace, second).promoted
    newest = registry.read_package(serving.workspace, first)
    assert newest.status is Approval.APPROVED

    # With its number, the same request again finds everything done.
    again = serving.finish(lambda **waited: rollback(serving.workspace, number=1, **waited))
    assert (again.number, again.left, again.config) == (3, None, configs[0])
    with pytest.raises(NotApproved, match=r"champion number 2 .* is Rejected \(rejected by a rollback"):
        rollback(serving.workspace, number=2)
    with pytest.raises(NotSetUp, match="nothing to return to from champion number 3"):
        rollback(serving.workspace)


def package_of(serving: Serving, job: str) -> registry.ModelPackage:
    return registry.read_package(serving.workspace, job)
