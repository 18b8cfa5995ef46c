"""The images of a labeling job: a folder in S3, or a manifest that somebody has made.

Takes an S3 URI, gives the lines of the job's input manifest, each image once, and what of the source is left
out, with the reason. Of a folder nothing but its listing is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.records.labeling import LeftOut
from include.loop.core.storage import StoredObject, split_uri
from include.loop.nightly.batch import why_no_image
from include.loop.tasks.manifest_lines import parse_line, read_source
from include.loop.workspace import Workspace

# Ground Truth's quota for an image (developer guide, sms-data-input).
MOST_IMAGE_BYTES = 40 << 20
ETAG = "etag"  # as in the lines that the loop writes
TOLD = 5  # objects that are named in a message


@dataclass
class Images:
    """``lines`` are those of an input manifest, of a folder with the ETag of each image beside it;
    ``labelled`` counts those that have the label already, which nobody is asked about.
    """

    lines: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    labelled: int = 0

    @property
    def buckets(self) -> list[str]:
        return sorted({split_uri(line["source-ref"])[0] for line in self.lines})

    def told(self) -> list[str]:
        """The first of what is left out, for a log."""
        first = [f"{item.where!r}: {item.reason}" for item in self.left_out[:TOLD]]
        more = len(self.left_out) - TOLD
        return [*first, f"and {more} more"] if more > 0 else first


def read_images(workspace: Workspace, source: str) -> Images:
    """What is there now. ConfigurationError when the source is no S3 URI, or nothing of it can be used."""
    if not source.startswith("s3://") or not split_uri(source):
        raise ConfigurationError(
            f"images: must be the S3 URI of a folder or a manifest (s3://bucket/folder/), not {source!r}"
        )
    is_manifest = not source.endswith("/") and workspace.storage.exists(source)
    found = _of_manifest(workspace, source) if is_manifest else _of_folder(workspace, source)
    if not found.lines:
        raise ConfigurationError("; ".join([f"{source} has no image to be labelled", *found.told()]))
    return found


def _of_folder(workspace: Workspace, source: str) -> Images:
    folder = source if source.endswith("/") else f"{source}/"
    found = Images()
    seen: dict[tuple[str, int], str] = {}
    for item in workspace.storage.list(folder):
        if item.uri.endswith("/") and item.size == 0:
            continue  # a console's "folder" marker is no record of anybody's
        reason = why_no_image(workspace, item) or _too_large(item)
        # The ETag of what was put in one piece is a digest of its bytes: a copy would be asked about twice.
        first = None if "-" in item.etag else seen.setdefault((item.etag, item.size), item.uri)
        if reason is None and first not in {None, item.uri}:
            reason = f"same bytes as {first}"
        if reason:
            found.left_out.append(LeftOut(where=item.uri, reason=reason))
            continue
        found.lines.append({"source-ref": item.uri, ETAG: item.etag})
    return found


def _too_large(item: StoredObject) -> str | None:
    if item.size <= MOST_IMAGE_BYTES:
        return None
    return f"image of {item.size:,} bytes; Ground Truth shows people {MOST_IMAGE_BYTES:,}"


def _of_manifest(workspace: Workspace, source: str) -> Images:
    found = Images()
    attribute = workspace.pipeline.label_attribute
    seen: dict[str, int] = {}
    for number, line in workspace.storage.numbered_lines(source):
        try:
            value = parse_line(line)
            image = read_source(value)
            if image in seen:
                raise BadRecord(f"same image as line {seen[image]}")
        except BadRecord as error:
            found.left_out.append(LeftOut(where=f"{source}:{number}", reason=str(error)))
            continue
        seen[image] = number
        found.lines.append(value)
        found.labelled += attribute in value
    return found
