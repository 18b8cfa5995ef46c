"""Labels of custom tasks: as a post-annotation function gives them, or without one.

Without one the label is ``{}`` and its metadata names the file of the workers' answers. Takes the function's
reply, gives one ``Consolidated`` per object asked about. The metadata's keys have underscores here, as in
the output of AWS's own custom jobs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from include.review_server.labeling.consolidation import Consolidated
from include.review_server.labeling.jobs import JobView

_TYPE = "groundTruth/custom"
_MOST = 20_000  # characters of one attribute in a manifest's line


def unconsolidated(job: JobView, number: int, responses: Mapping[int, str], now: datetime) -> Consolidated:
    """The label of an object whose answers nobody consolidates."""
    metadata = _metadata(job, now) | {"worker-response-ref": responses[number]}
    content = {job.label_attribute: {}, f"{job.label_attribute}-metadata": metadata}
    return Consolidated(number, content, None, ())


def read(job: JobView, reply: Any, numbers: Sequence[int], now: datetime) -> list[Consolidated]:
    """What a post-annotation function says of each object.

    Raises ``ValueError`` (a sentence that goes on with the function's name before it) for what is no list of
    objects at all; one bad entry fails its object only. An object that is left out has no label.
    """
    if not isinstance(reply, list):
        raise ValueError(
            'must return a list of {"datasetObjectId": "0", "consolidatedAnnotation": {"content": {…}}}; '
            f"it returned {_kind(reply)}"
        )
    entries: dict[str, Any] = {}
    for entry in reply:
        if isinstance(entry, dict) and isinstance(entry.get("datasetObjectId"), str | int):
            entries.setdefault(str(entry["datasetObjectId"]), entry)
    return [_label(job, number, entries.get(str(number)), now) for number in numbers]


def _label(job: JobView, number: int, entry: dict[str, Any] | None, now: datetime) -> Consolidated:
    attribute = job.label_attribute

    def failed(reason: str) -> Consolidated:
        reason = f"the annotation consolidation function gave no label: {reason}"
        return Consolidated(number, None, reason, ())

    if entry is None:
        return failed("it left the object out")
    annotation = entry.get("consolidatedAnnotation")
    content = annotation.get("content") if isinstance(annotation, dict) else None
    if not isinstance(content, dict):
        return failed('its entry has no {"consolidatedAnnotation": {"content": {…}}}')
    if attribute not in content:
        return failed(f"its content has no {attribute!r}")
    own = content.get(f"{attribute}-metadata", {})
    if not isinstance(own, dict):
        return failed(f"its {attribute}-metadata is {_kind(own)}, not an object")
    metadata = _metadata(job, now) | own
    for value in (content[attribute], metadata):
        if len(json.dumps(value)) > _MOST:
            return failed(f"it has more than {_MOST:,} characters, and a manifest's line may have so many")
    return Consolidated(number, {attribute: content[attribute], f"{attribute}-metadata": metadata}, None, ())


def _metadata(job: JobView, now: datetime) -> dict[str, Any]:
    moment = now.strftime("%Y-%m-%dT%H:%M:%S.%f")
    return {"job_name": job.name, "type": _TYPE, "human-annotated": "yes", "creation_date": moment}


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
