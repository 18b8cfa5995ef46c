"""What all lines of augmented manifests have in common, whatever task their labels are of."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from include.loop.core.errors import BadRecord
from include.loop.core.storage import dump, parse
from include.loop.tasks.values import Answer, ClassMapMismatch, Origin, Unlearnable

# Limits of an input manifest line (Ground Truth developer guide).
MAX_LINE_CHARS = 100_000

# Who answers sooner has hardly seen the image.
TOO_FAST_SECONDS = 1.0

# An object's URI; bucket names as botocore accepts them.
SOURCE = re.compile(r"s3://[A-Za-z0-9._-]{1,255}/.+", re.DOTALL)


def parse_line(line: bytes) -> Any:
    """The JSON of a line. BadRecord when it has none that could be written again."""
    if len(line) > MAX_LINE_CHARS and (chars := len(line.decode(errors="replace"))) > MAX_LINE_CHARS:
        raise BadRecord(f"manifest line of {chars:,} characters is longer than {MAX_LINE_CHARS:,}")
    # Lines end at a byte, so all but the first of a UTF-16 file are shifted by one: no decoder reads them.
    encoding = json.detect_encoding(line)[:6].upper()
    if encoding in {"UTF-16", "UTF-32"} and line.strip(b"\0"):
        raise BadRecord(f"manifest is {encoding}; save it as UTF-8")
    try:
        value = parse(line)
        dump(value)  # it will be written again, and NaN and 1e999 cannot be
    except ValueError:
        raise BadRecord("manifest line is not JSON") from None
    return value


def read_source(value: Any) -> str:
    """The image of a line."""
    source = value.get("source-ref") if isinstance(value, dict) else None
    if not isinstance(source, str) or not SOURCE.fullmatch(source):
        raise BadRecord("manifest line lacks source-ref (an S3 URI)")
    return source


def read_metadata(value: dict[str, Any], attribute: str) -> dict[str, Any]:
    """What Ground Truth writes beside a label; empty without it. BadRecord when there is no label."""
    metadata = value.get(f"{attribute}-metadata")
    if not isinstance(metadata, dict):
        metadata = {}
    if (failure := metadata.get("failure-reason")) is not None:
        # Ground Truth copies an object that it could not get labelled; no label does not mean nothing there.
        raise Unlearnable(f"the image was not labelled: failure-reason: {str(failure)[:200]}")
    if attribute not in value:
        raise BadRecord(f"manifest line has no label {attribute!r}")
    return metadata


def write_line(
    attribute: str,
    label: Any,
    metadata: dict[str, Any],
    submitted: datetime,
    workers: Sequence[str],
    origin: Origin,
) -> dict[str, Any]:
    """A line in the shape of Ground Truth's output. ``workers`` are those whose answers count: whoever doubts
    the label asks others.
    """
    return {
        "source-ref": origin.image,
        attribute: label,
        f"{attribute}-metadata": metadata
        | {
            "human-annotated": "yes",
            # Ground Truth writes microseconds and no zone.
            "creation-date": submitted.replace(tzinfo=None).isoformat(timespec="microseconds"),
            "job-name": f"a2i/{origin.loop}",
        },
        "loop": origin.loop,
        "batch": origin.batch,
        "etag": origin.etag,
        "reason": origin.reason,
        "workers": sorted(workers),
    }


def flag_too_fast(line: dict[str, Any], attribute: str, answers: Sequence[Answer]) -> dict[str, Any]:
    """The line, whose metadata names the workers who answered sooner than anybody looks at an image.

    Nothing is said of answers whose time nobody measured, and the label is no other for it.
    """
    fast = {item.worker for item in answers if item.seconds is not None and item.seconds < TOO_FAST_SECONDS}
    if not fast:
        return line
    name = f"{attribute}-metadata"
    return line | {name: line[name] | {"answered-too-fast": sorted(fast)}}


def moment(text: str) -> datetime:
    """A time as anybody writes it, to be compared: without a zone it is UTC, as Ground Truth's are.

    What is no time is older than every time.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = datetime.min
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def check_class_map(names: Any, classes: Sequence[str]) -> None:
    """ClassMapMismatch when a line's class-map has other names than the pipeline."""
    for class_id, name in names.items() if isinstance(names, dict) else ():
        ours = _class_name(class_id, classes)
        if name != ours:
            raise ClassMapMismatch(
                f"class_id {class_id} is {name!r} in the line's class-map, but "
                + (f"{ours!r} in the pipeline" if ours else f"the pipeline has {len(classes)} classes only")
            )


def _class_name(class_id: str, classes: Sequence[str]) -> str | None:
    """The pipeline's name of a class-map's key; some tools fill keys up with zeros."""
    number = class_id.lstrip("0") or class_id[-1:]
    return next((name for index, name in enumerate(classes) if str(index) == number), None)
