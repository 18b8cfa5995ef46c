"""The endpoint: a model gets traffic when its package is approved and the smoke test's images are answered as
expected.

Takes a registered training job, gives an endpoint in service with the model's configuration and
``deployments/NNNN.json``. A candidate endpoint is tried first; the live one is created or updated then, and
returns to an earlier model by the same steps. Every step looks first at what is there, so that a call after a
crash goes on where the last one stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from include.loop.aws.jobs import ENDPOINT_BUSY, Pending, ResourceKind
from include.loop.core import layout
from include.loop.core.errors import DeploymentFailed, NotApproved, NotSetUp
from include.loop.core.records.deployments import Deployment
from include.loop.models import registry
from include.loop.models.champion import (
    Champion,
    obstacle,
    read_champion,
    read_history,
    read_numbered,
    restore,
)
from include.loop.models.registry import Approval, ModelPackage
from include.loop.serving import smoke_test
from include.loop.serving.endpoint import (
    candidate_name,
    describe_endpoint,
    endpoint_name,
    ensure_config,
    reconcile,
    serves,
)
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class DeployResult:
    """What came of a deployment, and why. When the model is served: on which endpoint, with which
    configuration, the number of the record, and on how many images it was tried.
    """

    training_job: str
    deployed: bool
    reason: str
    package_arn: str | None = None
    endpoint: str | None = None
    config: str | None = None
    number: int | None = None
    checked: int | None = None


@dataclass(frozen=True)
class PreviousChampion:
    """Where a rollback goes."""

    number: int
    training_job: str
    package_arn: str


@dataclass(frozen=True)
class RollbackResult:
    """Which champion is back, and which was left; endpoint and config are None where nothing is served."""

    reason: str
    number: int
    training_job: str
    package_arn: str
    left: str | None
    endpoint: str | None
    config: str | None


def deploy(
    workspace: Workspace,
    training_job: str,
    waited_for: Pending | None = None,
) -> Pending | DeployResult:
    """Serve a model, if its package is Approved (see jobs.py for the calling pattern).

    Not deployed where the environment has no ``deployment``, and where the model may not take over.
    DeploymentFailed: the live endpoint is as before.
    """
    if workspace.environment.deployment is None:
        reason = f"{workspace.environment.path}: deployment: is not set: served nowhere"
        return DeployResult(training_job, False, reason)
    package = registry.read_package(workspace, training_job)
    if reason := obstacle(workspace, package, read_champion(workspace)):
        # It may have been rejected while its candidate came up.
        clearing = _clear_candidate(workspace) if waited_for else None
        return clearing or DeployResult(training_job, False, reason, package.arn)
    step = _serve(workspace, package, waited_for)
    if isinstance(step, Pending):
        return step
    number, served = step
    return DeployResult(
        training_job=training_job,
        deployed=True,
        reason=f"endpoint {served.endpoint} serves it; {len(served.checked)} images of the smoke test were "
        "answered as expected",
        package_arn=package.arn,
        endpoint=served.endpoint,
        config=served.config,
        number=number,
        checked=len(served.checked),
    )


def previous(workspace: Workspace) -> PreviousChampion:
    """The newest champion before this one whose package is Approved. NotSetUp when there is none."""
    current = _current(workspace)
    tried = {current.training_job}
    for earlier in reversed(list(read_history(workspace))):
        if earlier.training_job not in tried:
            tried.add(earlier.training_job)
            package = _find_package(workspace, earlier.training_job)
            if package and package.status is Approval.APPROVED:
                return PreviousChampion(earlier.number, earlier.training_job, package.arn)
    raise NotSetUp(
        f"there is nothing to return to from champion number {current.number} ({current.training_job}): "
        "no earlier champion's package is Approved"
    )


def rollback(
    workspace: Workspace,
    waited_for: Pending | None = None,
    number: int | None = None,
    by: str = "a rollback",
) -> Pending | RollbackResult:
    """Return endpoint and champion to an earlier champion (None: ``previous``), and reject what is left.

    With a number, doing it twice does it once.
    """
    current = _current(workspace)
    number = previous(workspace).number if number is None else number
    target = read_numbered(workspace, number)
    package = registry.read_package(workspace, target.training_job)
    if package.status is not Approval.APPROVED:
        raise NotApproved(
            f"champion number {number} ({target.training_job}) cannot come back: package {package.arn} is "
            f"{package.status} ({package.comment or 'nobody said why'}). Approve it first, or choose another."
        )
    changes = current.training_job != target.training_job
    if changes:
        # First of all, so that nothing can deploy or promote it in the meantime.
        _reject(workspace, current, by, f"returned to number {number}, {target.training_job}")
    served = None
    if workspace.environment.deployment is not None:
        step = _serve(workspace, package, waited_for)
        if isinstance(step, Pending):
            return step
        _, served = step
    champion = restore(workspace, number)
    return RollbackResult(
        reason=f"left {current.training_job}" if changes else "is the champion",
        number=champion.number,
        training_job=champion.training_job,
        package_arn=package.arn,
        left=current.training_job if changes else None,
        endpoint=served.endpoint if served else None,
        config=served.config if served else None,
    )


def _serve(
    workspace: Workspace, package: ModelPackage, waited_for: Pending | None
) -> Pending | tuple[int, Deployment]:
    """Candidate, smoke test, live endpoint, record with its number: each unless it is done already."""
    live, config = endpoint_name(workspace), ensure_config(workspace, package)
    if smoke_test.read_record(workspace, config) is None:
        trying = _try_candidate(workspace, package, config, waited_for)
        if trying is not None:
            return trying
    if waiting := reconcile(workspace, live, config, waited_for):
        return waiting
    if clearing := _clear_candidate(workspace):
        return clearing
    return _record(workspace, package, live, config)


def _try_candidate(
    workspace: Workspace,
    package: ModelPackage,
    config: str,
    waited_for: Pending | None,
) -> Pending | None:
    """Prove the configuration on an endpoint of its own. DeploymentFailed leaves the live one as it is."""
    candidate = candidate_name(workspace)
    try:
        if waiting := reconcile(workspace, candidate, config, waited_for):
            return waiting
        checked = smoke_test.check(workspace, candidate, package.training_job)
    except DeploymentFailed:
        _clear_candidate(workspace)
        raise
    if not serves(describe_endpoint(workspace.clients.sagemaker, candidate), config):
        raise DeploymentFailed(f"endpoint {candidate} was changed by somebody else while it was being tried")
    smoke_test.record(workspace, config, checked)
    # Away with it before the live endpoint changes: for a moment that has two fleets of its own.
    return _clear_candidate(workspace)


def _clear_candidate(workspace: Workspace) -> Pending | None:
    """Delete the candidate endpoint, if there is one; what to wait for before it can be."""
    name = candidate_name(workspace)
    endpoint = describe_endpoint(workspace.clients.sagemaker, name)
    if endpoint is None or endpoint["EndpointStatus"] == "Deleting":
        return None
    if endpoint["EndpointStatus"] in ENDPOINT_BUSY:
        return Pending(ResourceKind.ENDPOINT, (name,))
    workspace.clients.sagemaker.delete_endpoint(EndpointName=name)
    return None


def _record(
    workspace: Workspace, package: ModelPackage, endpoint: str, config: str
) -> tuple[int, Deployment]:
    """One numbered record per change of what is served; the same configuration again adds none."""
    storage = workspace.storage
    earlier = list(storage.list(layout.DEPLOYMENTS))
    number = len(earlier)
    last = Deployment.find_at(storage, earlier[-1].uri) if earlier else None
    if last and (last.endpoint, last.config) == (endpoint, config):
        return number, last
    record = Deployment(
        training_job=package.training_job,
        package_arn=package.arn,
        endpoint=endpoint,
        config=config,
        checked=smoke_test.read_record(workspace, config) or (),
        deployed_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    body, number = record.dump(storage), number + 1
    while not storage.write_once(Deployment.location(number), body):
        number += 1  # somebody else has recorded theirs in the meantime
    return number, record


def _current(workspace: Workspace) -> Champion:
    champion = read_champion(workspace)
    if champion is None:
        raise NotSetUp(f"pipeline {workspace.pipeline.name!r} has no champion yet: nothing to return from")
    return champion


def _find_package(workspace: Workspace, training_job: str) -> ModelPackage | None:
    try:
        return registry.read_package(workspace, training_job)
    except NotSetUp:
        return None  # never registered, or deleted since: nothing to return to


def _reject(workspace: Workspace, left: Champion, by: str, comment: str) -> None:
    package = _find_package(workspace, left.training_job)
    if package and package.status is not Approval.REJECTED:
        registry.set_status(workspace, package, Approval.REJECTED, by, comment)
