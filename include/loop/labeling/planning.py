"""A labeling job before anybody is asked: which images, what that costs, and the files that it is made of.

Takes what a person wishes, gives a ``LabelingPlan``. The job is named after its images and after what people
are asked: the same wish again is the same job, and nobody is asked twice.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from include.loop.core import layout
from include.loop.core.errors import ConfigurationError, NoImages
from include.loop.core.identity import check_name, content_hash
from include.loop.core.records.labeling import LabelingRequest, LeftOut, Target
from include.loop.core.storage import dump
from include.loop.labeling import built_in
from include.loop.labeling.images import Images, read_images
from include.loop.labeling.known import without_known
from include.loop.labeling.progress import rates_of
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
    """``asked`` images are asked about, ``workers`` people each; ``text`` says all of it to a person."""

    name: str
    images: int
    labelled: int
    left_out: int
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
    if record is None:
        images = without_known(workspace, images, made.question)
        if not images.lines:
            raise NoImages(f"{wish.source}: every image has been asked about: {images.told()[0]}")
        made = made.model_copy(update=_counts(images))
        record = _write(workspace, made, images, template) if keep else made
    return _plan(workspace, record, images, warnings(template, workspace.pipeline.classes))


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
    workspace: Workspace, record: LabelingRequest, images: Images, template_warnings: list[str]
) -> LabelingPlan:
    rates = rates_of(workspace.pipeline, workspace.environment, record.workers)
    seconds, dollars = record.asked * record.workers * rates.seconds, rates.dollars(record.asked)
    people = f"{record.workers} {'people' if record.workers > 1 else 'person'} each"
    parts = [
        f"{record.name}: {record.asked} of {record.images} images to be labelled by {people}: about "
        f"{seconds / 60:.0f} minutes of work, {dollars:.2f} dollars"
        + (", less what a model labels" if record.automatic else "")
    ]
    if record.labelled:
        parts.append(f"{record.labelled} have a label already")
    if record.left_out:
        parts.append(f"{record.left_out} objects are left out")
    then = {
        "initial": "they become the first model's labels",
        "labels": "the next training learns them",
    }[record.target]
    return LabelingPlan(
        name=record.name,
        images=record.images,
        labelled=record.labelled,
        left_out=record.left_out,
        asked=record.asked,
        workers=record.workers,
        expected_seconds=round(seconds, 1),
        expected_dollars=round(dollars, 2),
        target=record.target,
        first_left_out=images.told(),
        warnings=template_warnings,
        text="; ".join([*parts, then]) + ".",
    )
