"""The labels of a night that the models contradict most: what a person should look at first.

Takes a night that was tried alone and the training job of that trial, gives a few ``Example`` values: the
night's labels, what the champion saw in its night and what the challenger sees that learned from them.
Labels that are wrong in the same way everywhere are learned, and then the champion alone contradicts them;
those that are wrong at random contradict both. Reads what predictions and evaluation have kept. Knows outputs
and replay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.loop.core import layout
from include.loop.core.errors import BadRecord
from include.loop.core.identity import share
from include.loop.evaluation.comparison import CHALLENGER, CHAMPION
from include.loop.evaluation.predictions import Outputs, kept, read_outputs
from include.loop.tasks.detection.difficulty import difficulty
from include.loop.tasks.detection.manifest import LabelledImage, read_line
from include.loop.trials.shards import shard_manifest
from include.loop.workspace import Workspace

SHOWN = 6


def worst(workspace: Workspace, shard: str, training_job: str, threshold: float) -> list[dict[str, Any]]:
    """The examples of a night as ``facts.Example`` reads them, the one with most against it first.

    ValueError or KeyError when a record is not as we write it; nothing when there is none.
    """
    lines = _lines(workspace, shard)
    seen = {CHAMPION: _by_night(workspace, lines), CHALLENGER: _by_trial(workspace, training_job, lines)}
    found = {model: read_outputs(workspace, outputs) for model, outputs in seen.items() if outputs}

    def against(line: LabelledImage) -> float:
        return sum(
            difficulty(line, detections[line.source], threshold)
            for detections in found.values()
            if line.source in detections
        )

    weighed = sorted((-against(line), share("doubt", source), source) for source, line in lines.items())
    return [
        {
            "slice": shard,
            "image": source,
            "width": lines[source].width,
            "height": lines[source].height,
            "boxes": [vars(box) for box in lines[source].boxes],
            "out": {model: outputs.get(source) for model, outputs in seen.items() if outputs},
        }
        for weight, _, source in weighed[:SHOWN]
        if weight < 0
    ]


def _lines(workspace: Workspace, shard: str) -> dict[str, LabelledImage]:
    pipeline = workspace.pipeline
    found = {}
    try:
        for raw in workspace.storage.read_raw_lines(shard_manifest(shard)):
            try:
                line = read_line(raw, pipeline.label_attribute, pipeline.classes)
            except BadRecord:
                continue
            found[line.source] = line
    except FileNotFoundError:
        return {}
    return found


def _by_trial(workspace: Workspace, training_job: str, lines: Mapping[str, LabelledImage]) -> Outputs:
    """What the trial's challenger said of the images that it learned, where it was asked."""
    outputs = {(image, etag): out for (image, etag), out in kept(workspace, training_job).items()}
    latest = {image: out for (image, _), out in outputs.items()}
    found = {}
    for source, line in lines.items():
        if source in latest:
            found[source] = outputs.get((source, line.value.get("etag", "")), latest[source])
    return found


def _by_night(workspace: Workspace, lines: Mapping[str, LabelledImage]) -> Outputs:
    """What the champion said of them in the night that they belong to."""
    nights = {str(line.value["batch"]) for line in lines.values() if line.value.get("batch")}
    found: Outputs = {}
    for night in sorted(nights):
        record = workspace.storage.find_json(layout.predictions_file(night)) or {}
        found |= {image: out for image, out in record.get("outputs", {}).items() if image in lines}
    return found
