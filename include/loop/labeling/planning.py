"""A labeling job before anybody is asked: which images, what that costs, and the files that it is made of.

Takes what a person wishes, gives a ``LabelingPlan``. The job is named after its images and after what people
are asked: the same wish again is the same job, and nobody is asked twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from include.loop.core import layout
from include.loop.core.errors import ConfigurationError, NoImages
from include.loop.core.identity import check_name, content_hash
from include.loop.core.records.labeling import LabelingRequest, LeftOut, Target
from include.loop.core.storage import dump
from include.loop.exchange.import_notes import too_few_held_out
from include.loop.labeling import built_in
from include.loop.labeling.images import Images, read_images, without_broken
from include.loop.labeling.job import Attempt, attempts
from include.loop.labeling.known import without_known
from include.loop.labeling.progress import LabelingStatus, rates_of
from include.loop.labeling.template import with_instructions
from include.loop.nightly.template_lists import warnings
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Wish:
    """``source`` is the S3 URI of a folder of images, or of a manifest. ``workers`` label each image, None:
    as the pipeline says. ``automatic``: a model labels what it is sure of. People label at most
    ``most_images``.
    """

    source: str
    workers: int | None = None
    automatic: bool = False
    most_images: int | None = None


@dataclass(frozen=True)
class LabelingPlan:
    """``asked`` images are still to be asked about, ``workers`` people each; ``known`` of what is left out
    are an earlier job's; ``text`` says all of it to a person.
    """

    name: str
    images: int
    labelled: int
    left_out: int
    known: int
    asked: int
    workers: int
    expected_seconds: float
    expected_dollars: float
    target: Target
    first_left_out: list[str]
    warnings: list[str]
    text: str


def plan_labeling(workspace: Workspace, wish: Wish, keep: bool = False) -> LabelingPlan:
    """What would be asked and cost; with ``keep`` the job's files are written, else nothing. Again, it
    changes nothing. ConfigurationError says what a person has to change first.
    """
    images = read_images(workspace, wish.source)
    template = with_instructions(workspace.pipeline.labeling_template(), _instructions(workspace))
    made = _request(workspace, wish, images, template)
    record = LabelingRequest.find(workspace.storage, made.name)
    if record is not None:
        tried = list(attempts(workspace.clients.review, record.name))
        images = Images(left_out=list(LeftOut.read_all(workspace.storage, record.name)))
        return _plan(workspace, record, images, template, tried)
    images = without_known(workspace, images, made.question)
    if not images.lines:
        raise NoImages(f"{wish.source}: every image has been asked about: {images.told()[0]}")
    images = without_broken(workspace, images, workspace.pipeline.label_attribute)
    if not images.lines:
        raise ConfigurationError("; ".join([f"{wish.source} has no image to be labelled", *images.told()]))
    made = made.model_copy(update=_counts(images))
    _check_automatic(workspace, made)
    record = _write(workspace, made, images, template) if keep else made
    return _plan(workspace, record, images, template, [])


def _check_automatic(workspace: Workspace, made: LabelingRequest) -> None:
    """Before anybody is asked: the service would fail the job after the ten images that it begins with."""
    least, unlabelled = workspace.environment.labeling.automatic_images, made.images - made.labelled
    if made.automatic and unlabelled < least:
        raise ConfigurationError(
            f"Automatic labeling: takes {least:,} images without a label or more, and there are "
            f"{unlabelled:,}: switch it off in the form. A review server that takes fewer is named in "
            f"{workspace.environment.path} (labeling.automatic_images)"
        )


def _instructions(workspace: Workspace) -> str:
    given = workspace.pipeline.labeling.instructions
    return workspace.pipeline.review.instructions if given is None else given


def _request(workspace: Workspace, wish: Wish, images: Images, template: str) -> LabelingRequest:
    pipeline = workspace.pipeline
    if pipeline.task == "image-classification" and len(pipeline.classes) < 2:
        raise ConfigurationError(f"{pipeline.path}: classes: Ground Truth asks for a choice of two at least")
    # What cannot be asked here is said before anything is written.
    built_in.functions(workspace.environment.region, pipeline)
    if wish.automatic:
        built_in.algorithm(workspace.environment.region, pipeline)
    workers = wish.workers or pipeline.labeling.workers
    asked = [pipeline.label_attribute, pipeline.classes, built_in.task_type(pipeline), template, workers]
    digest = hashlib.sha256(b"\n".join(map(dump, images.lines))).hexdigest()
    name = f"{pipeline.name}-labeling-{content_hash(digest, asked, wish.automatic, wish.most_images)}"
    return LabelingRequest(
        name=check_name(name),
        source=wish.source,
        workers=workers,
        automatic=wish.automatic,
        most_images=wish.most_images,
        question=content_hash(asked),
        target=_target(workspace),
        **_counts(images),
    )


def _counts(images: Images) -> dict[str, Any]:
    return {
        "images": len(images.lines),
        "labelled": images.labelled,
        "left_out": len(images.left_out),
        "known": images.known,
        "buckets": tuple(images.buckets),
    }


def _target(workspace: Workspace) -> Target:
    """The first model's labels, where the pipeline has a place for them and nothing lies there; else labels
    that the next training learns.
    """
    initial = workspace.pipeline.initial
    if initial is None or initial.train.endswith(".rec") or initial.validation.endswith(".rec"):
        return "labels"
    there = any(workspace.storage.exists(place) for place in (initial.train, initial.validation))
    return "labels" if there else "initial"


def _write(workspace: Workspace, made: LabelingRequest, images: Images, template: str) -> LabelingRequest:
    storage, name = workspace.storage, made.name
    labels = [{"label": label} for label in workspace.pipeline.classes]
    storage.write_lines(layout.labeling_manifest(name), images.lines)
    storage.write_json(layout.labeling_categories(name), {"document-version": "2018-11-28", "labels": labels})
    storage.write(layout.labeling_template(name), template.encode(), "text/html; charset=utf-8")
    LeftOut.write_all(storage, images.left_out, name)
    return made.write_once(storage, name)


def _plan(
    workspace: Workspace,
    record: LabelingRequest,
    images: Images,
    template: str,
    tried: Sequence[Attempt],
) -> LabelingPlan:
    asked = _left(record, tried)
    rates = rates_of(workspace.pipeline, workspace.environment, record.workers)
    seconds, dollars = asked * record.workers * rates.seconds, rates.dollars(asked)
    parts = [_told(record, asked, seconds, dollars, tried), *_not_asked(record)]
    if asked or not tried:
        parts.append(
            {
                "initial": "they become the first model's labels",
                "labels": "the next training learns them",
            }[record.target]
        )
    return LabelingPlan(
        name=record.name,
        images=record.images,
        labelled=record.labelled,
        left_out=record.left_out,
        known=record.known,
        asked=asked,
        workers=record.workers,
        expected_seconds=round(seconds, 1),
        expected_dollars=round(dollars, 2),
        target=record.target,
        first_left_out=images.told(),
        warnings=[*warnings(template, workspace.pipeline.classes), *_too_few(workspace, record)],
        text="; ".join(parts) + ".",
    )


def _left(record: LabelingRequest, tried: Sequence[Attempt]) -> int:
    """How many images people are still to be asked about: by the job that is there, or by the next one, which
    asks about what the one before has failed, too.
    """
    if not tried:
        return record.asked
    last = tried[-1]
    if last.status is LabelingStatus.COMPLETED:
        return 0
    left = last.counts.unlabeled + (last.counts.failed if last.status.ended else 0)
    if record.most_images is None:
        return left
    return min(left, max(record.most_images - sum(one.counts.human for one in tried), 1))


def _told(
    record: LabelingRequest, asked: int, seconds: float, dollars: float, tried: Sequence[Attempt]
) -> str:
    people = f"{record.workers} {'people' if record.workers > 1 else 'person'} each"
    work = f"by {people}: about {seconds / 60:.0f} minutes of work, {dollars:.2f} dollars (estimate)" + (
        ", less what a model labels" if record.automatic else ""
    )
    if not tried:
        return f"{record.name}: {asked} of {_images(record.images + record.known)} to be labelled {work}"
    last = tried[-1]
    if last.status is LabelingStatus.COMPLETED:
        failed = f"; {last.counts.failed} failed" if last.counts.failed else ""
        return f"nothing to ask: {last.name} has the labels of {_images(last.counts.labelled)}{failed}"
    what = f"{last.name} was {'stopped' if last.status is LabelingStatus.STOPPED else 'ended by a failure'}"
    begun = f"{what}: the next job asks about" if last.status.ended else f"{last.name} is under way, with"
    return f"{begun} {asked} of {_images(record.images)} to be labelled {work}"


def _not_asked(record: LabelingRequest) -> Iterator[str]:
    if record.labelled:
        yield f"{record.labelled} have a label already"
    if record.known:
        yield f"{record.known} are an earlier job's, labelled or asked about"
    if others := record.left_out - record.known:
        yield f"{others} {'other object is' if others == 1 else 'other objects are'} left out"


def _images(count: int) -> str:
    return f"{count} {'image' if count == 1 else 'images'}"


def _too_few(workspace: Workspace, record: LabelingRequest) -> Iterator[str]:
    """What the gate would say after all the work, said before it."""
    if record.target == "initial":
        pipeline = workspace.pipeline
        held_out = round(record.images * pipeline.training.validation_share)
        for warning in too_few_held_out(pipeline, held_out):
            yield f"of {_images(record.images)} about {warning}"
