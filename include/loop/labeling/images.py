"""The images of a labeling job: a folder in S3, or a manifest that somebody has made.

Takes an S3 URI, gives the lines of the job's input manifest, each image once, and what of the source is left
out, with the reason. Of a folder nothing but its listing is read; ``without_broken`` looks at how each image
begins.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.records.labeling import LeftOut
from include.loop.core.storage import StoredObject, error_code, in_parallel, split_uri
from include.loop.core.withheld import why_withheld
from include.loop.nightly.batch import why_no_image
from include.loop.tasks.manifest_lines import parse_line, read_source
from include.loop.workspace import Workspace
from include.pictures import START_BYTES, PictureError, check_format

log = logging.getLogger(__name__)

# Ground Truth's quota for an image (developer guide, sms-data-input).
MOST_IMAGE_BYTES = 40 << 20
ETAG = "etag"  # as in the lines that the loop writes
TOLD = 5  # objects that are named in a message
LOGGED = 5_000  # images between two words in the log


@dataclass
class Images:
    """``lines`` are those of an input manifest, of a folder with the ETag of each image beside it;
    ``labelled`` counts those that have the label already, which nobody is asked about, and ``known`` those of
    what is left out that earlier jobs have.
    """

    lines: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    labelled: int = 0
    known: int = 0

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


def without_broken(workspace: Workspace, images: Images, attribute: str) -> Images:
    """The images that people can be shown, told by their first bytes: what is broken would cost the time of
    everybody who is asked. A small read for each image that somebody is to be asked about, as a night's
    transform job reads all of its own: no sample would find the one that is broken.
    """

    def why_broken(line: dict[str, Any]) -> str | None:
        return None if attribute in line else _why_broken(workspace, line["source-ref"])

    found = Images(left_out=list(images.left_out), labelled=images.labelled, known=images.known)
    total = len(images.lines)
    reasons = in_parallel(why_broken, images.lines)
    for number, (line, reason) in enumerate(zip(images.lines, reasons, strict=True), 1):
        if reason:
            found.left_out.append(LeftOut(where=line["source-ref"], reason=reason))
        else:
            found.lines.append(line)
        if number % LOGGED == 0:
            log.info("%d of %d images looked at", number, total)
    return found


def _why_broken(workspace: Workspace, image: str) -> str | None:
    try:
        check_format(workspace.storage.read(image, last_byte=START_BYTES - 1))
    except (PictureError, FileNotFoundError) as error:
        return str(error)
    except ClientError as error:
        if why := why_withheld(error):
            return str(why)
        if error_code(error) == "NoSuchBucket":
            return "cannot be read: NoSuchBucket"
        raise
    return None


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
