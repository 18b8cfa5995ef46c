"""What earlier labeling jobs of a pipeline have labelled, or ask about now: a folder that has grown is asked
about where it is new.

An image is its S3 URI and ETag. Only jobs count that have asked the same question: the same classes, the same
instructions, as many people. Labels of a job that is complete are the pipeline's already; those of one that
was stopped go into the new job's manifest, where they are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from include.loop.core import layout
from include.loop.core.errors import BadRecord
from include.loop.core.records.labeling import LabelingRequest, LeftOut
from include.loop.labeling.images import ETAG, Images
from include.loop.labeling.job import attempts
from include.loop.labeling.progress import LabelingStatus
from include.loop.tasks.manifest_lines import parse_line, read_metadata
from include.loop.workspace import Workspace

Image = tuple[str, str]  # S3 URI and ETag

_PLAN = re.compile(r".+-labeling-[0-9a-f]+")  # and not one of its jobs, which a number follows


def without_known(workspace: Workspace, images: Images, question: str) -> Images:
    """The images that nobody has been asked about. Lines that bring a label of their own stay."""
    known = by_image(_known(workspace, question))
    found = Images(left_out=list(images.left_out), labelled=images.labelled, known=images.known)
    for line in images.lines:
        is_new = workspace.pipeline.label_attribute not in line and ETAG in line
        before = known.get((line["source-ref"], line[ETAG])) if is_new else None
        if isinstance(before, str):
            found.left_out.append(LeftOut(where=line["source-ref"], reason=f"labeling job {before} has it"))
            found.known += 1
            continue
        found.lines.append(before or line)
        found.labelled += before is not None
    return found


def by_image(found: Iterable[tuple[Image, str | dict[str, Any]]]) -> dict[Image, str | dict[str, Any]]:
    """What counts of each image, whatever order the plans are in: a job that has it counts before the line of
    a stopped one, which that job may have begun with.
    """
    known: dict[Image, str | dict[str, Any]] = {}
    for image, value in found:
        if isinstance(value, str) or image not in known:
            known[image] = value
    return known


def _known(workspace: Workspace, question: str) -> Iterator[tuple[Image, str | dict[str, Any]]]:
    """By image the job that has it, or the line with the label that nobody has taken from a job."""
    for name in _plans(workspace, question):
        tried = list(attempts(workspace.clients.review, name))
        if not tried:
            continue  # planned, and never begun
        job = tried[-1]  # begins with the labels of those before
        asks, is_complete = not job.status.ended, job.status is LabelingStatus.COMPLETED
        place = layout.labeling_manifest(name) if asks else job.manifest(workspace)
        for value in _lines(workspace, place):
            try:
                if not asks:
                    read_metadata(value, workspace.pipeline.label_attribute)
                yield (value["source-ref"], value[ETAG]), job.name if asks or is_complete else value
            except (BadRecord, KeyError):
                continue  # an image without a label, or one whose version nobody knows


def _plans(workspace: Workspace, question: str) -> Iterator[str]:
    """The names of the plans with this question."""
    for folder in workspace.storage.list_folders(layout.LABELING):
        if _PLAN.fullmatch(folder):
            record = LabelingRequest.find(workspace.storage, folder)
            if record is not None and record.question == question:
                yield folder


def _lines(workspace: Workspace, location: str) -> Iterator[dict[str, Any]]:
    if not workspace.storage.exists(location):
        return  # it has not labelled anything yet
    for line in workspace.storage.read_raw_lines(location):
        try:
            value = parse_line(line)
        except BadRecord:
            continue
        if isinstance(value, dict):
            yield value
