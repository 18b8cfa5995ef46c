"""Whether an endpoint answers as its model did when it was evaluated.

Takes an endpoint that serves a model, and sends it held-out images whose ``.out`` evaluation has kept; gives
the largest difference of each image. A model that was packed, loaded or configured otherwise than it was
measured is found here, before it gets traffic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from include.loop.aws import invoking
from include.loop.core.errors import BadRecord, DeploymentFailed, NotSetUp
from include.loop.core.identity import content_hash
from include.loop.core.records.deployments import CheckedImage, SmokeTest
from include.loop.core.records.outputs import outputs_by_image
from include.loop.core.storage import in_parallel
from include.loop.core.withheld import find_image
from include.loop.serving.endpoint import deployment_settings
from include.loop.workspace import Workspace

LOOK_AT = 20  # outputs that are read for each image that is sent, to find some with something in them


def check(workspace: Workspace, endpoint: str, training_job: str) -> list[CheckedImage]:
    """Send the images. DeploymentFailed when an answer is further off than the tolerance allows.

    NotSetUp when evaluation has left nothing to compare with: what cannot be checked gets no traffic.
    """
    settings = deployment_settings(workspace)
    count, checked = settings.smoke_test_images, []
    for image, body, expected in islice(_images(workspace, training_job, count), count):
        answer = ask(workspace, endpoint, body, image)
        difference = round(workspace.task.difference(expected, answer), 5)
        checked.append(CheckedImage(image=image, largest_difference=difference))
    if not checked:
        raise NotSetUp(f"no image of {training_job}'s evaluation can be sent again: run evaluate anew")
    worst = max(checked, key=lambda item: item.largest_difference)
    if worst.largest_difference > settings.tolerance:
        off = sum(item.largest_difference > settings.tolerance for item in checked)
        raise DeploymentFailed(
            f"endpoint {endpoint} answers otherwise than {training_job} did in its evaluation: {off} of "
            f"{len(checked)} images differ by more than {settings.tolerance:g}, most of all {worst.image} "
            f"by {worst.largest_difference:g}. No traffic was moved."
        )
    return checked


def ask(workspace: Workspace, endpoint: str, body: bytes, image: str) -> Any:
    """An endpoint's prediction for an image. DeploymentFailed when its answer is none."""
    return read_answer(workspace, invoke(workspace, endpoint, body, image), endpoint, body, image)


def invoke(workspace: Workspace, endpoint: str, body: bytes, image: str) -> dict[str, Any]:
    """An endpoint's answer, asked as models of this environment are; DeploymentFailed if its model failed."""
    kinds = workspace.environment.adapter
    runtime = workspace.clients.sagemaker_runtime
    return invoking.invoke(runtime, endpoint, body, image, kinds.content_type, kinds.accept)


def read_answer(workspace: Workspace, reply: dict[str, Any], endpoint: str, body: bytes, image: str) -> Any:
    """The prediction in InvokeEndpoint's answer; ``body`` is the image that was sent."""
    try:
        return workspace.task.read_reply(reply["Body"].read(), image, body)
    except BadRecord as error:
        raise DeploymentFailed(f"endpoint {endpoint} answered {image} with {error}") from None


def record(workspace: Workspace, config: str, checked: Sequence[CheckedImage]) -> None:
    """Keep that a configuration has passed: it need not be tried again, also for a rollback."""
    SmokeTest(checked=tuple(checked)).write_once(workspace.storage, config)


def read_record(workspace: Workspace, config: str) -> tuple[CheckedImage, ...] | None:
    """What ``record`` kept, or None."""
    found = SmokeTest.find(workspace.storage, config)
    return None if found is None else found.checked


def _images(workspace: Workspace, training_job: str, count: int) -> Iterator[tuple[str, bytes, Any]]:
    """Held-out images as they were when they were evaluated, with what the model said; the same ones always.

    Those on which it found something come first: two empty answers agree whatever is wrong.
    """
    known = outputs_by_image(workspace.storage, training_job)
    outputs = [(image, etag, out) for (image, etag), out in known.items() if out is not None]
    outputs.sort(key=lambda item: content_hash(item[0]))
    said = list(in_parallel(lambda item: _read(workspace, *item), outputs[: count * LOOK_AT]))
    candidates = [(item, found) for item, found in zip(outputs, said, strict=False) if found is not None]
    candidates.sort(key=lambda pair: not workspace.task.says_something(pair[1]))
    for (image, etag, _), expected in candidates:
        try:
            found = find_image(workspace.storage, image, invoking.MAX_BYTES)
        except BadRecord:
            continue  # too large for an endpoint, or archived since
        if found is None or found[1] != etag:
            continue  # it is not the picture that was evaluated any more
        yield image, found[0], expected


def _read(workspace: Workspace, image: str, _: str, location: str) -> Any | None:
    try:
        return workspace.task.read_output(workspace.storage, location, image)
    except (BadRecord, FileNotFoundError):
        return None
