"""The labels of a batch that the models contradict most: what a person should look at first.

Takes a batch that was tried alone and the training job of that trial, gives a few ``Example`` values: the
batch's labels, what the champion saw in its batch and what the challenger sees that learned from them. Labels
that are wrong in the same way everywhere are learned, and then the champion alone contradicts them; those
that are wrong at random contradict both. Reads what predictions and evaluation have kept.
"""

from __future__ import annotations

from collections.abc import Mapping

from include.loop.core.identity import share
from include.loop.core.records.batch_facts import Example
from include.loop.core.records.metrics import CHALLENGER, CHAMPION
from include.loop.core.records.outputs import outputs_by_image
from include.loop.core.records.parts import find_outputs as batch_outputs
from include.loop.report.examples import read_labels, shown_label
from include.loop.tasks.outputs import read_outputs
from include.loop.tasks.values import Labelled
from include.loop.trials.shards import shard_manifest
from include.loop.workspace import Workspace

SHOWN = 6

Outputs = dict[str, str | None]


def worst(workspace: Workspace, shard: str, training_job: str, threshold: float) -> list[Example]:
    """The one with most against it first.

    ValueError or KeyError when a record is not as we write it; nothing when there is none.
    """
    lines = {line.source: line for line in read_labels(workspace, shard_manifest(shard))}
    seen = {CHAMPION: _in_batches(workspace, lines), CHALLENGER: _in_trial(workspace, training_job, lines)}
    task = workspace.task
    found = {
        model: read_outputs(task, workspace.storage, outputs) for model, outputs in seen.items() if outputs
    }

    def against(line: Labelled) -> float:
        return sum(
            task.suspicion(line, predictions[line.source], threshold)
            for predictions in found.values()
            if line.source in predictions
        )

    weighed = sorted((-against(line), share("doubt", source), source) for source, line in lines.items())
    return [
        Example(
            slice=shard,
            image=source,
            label=shown_label(workspace, lines[source]),
            out={model: outputs.get(source) for model, outputs in seen.items() if outputs},
        )
        for weight, _, source in weighed[:SHOWN]
        if weight < 0
    ]


def _in_trial(workspace: Workspace, training_job: str, lines: Mapping[str, Labelled]) -> Outputs:
    """What the trial's challenger said of the images that it learned, where it was asked."""
    outputs = outputs_by_image(workspace.storage, training_job)
    latest = {image: out for (image, _), out in outputs.items()}
    found = {}
    for source, line in lines.items():
        if source in latest:
            found[source] = outputs.get((source, line.value.get("etag", "")), latest[source])
    return found


def _in_batches(workspace: Workspace, lines: Mapping[str, Labelled]) -> Outputs:
    """What the champion said of them in the batch that they belong to."""
    batches = {str(line.value["batch"]) for line in lines.values() if line.value.get("batch")}
    found: Outputs = {}
    for batch in sorted(batches):
        outputs = batch_outputs(workspace.storage, batch, lines)
        found |= {image: output for image, (_, output) in outputs.items()}
    return found
