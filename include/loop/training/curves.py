"""The training curves of a job: what its log says of every epoch, kept beside the model.

Takes a boto3 CloudWatch Logs client and a training job, gives ``models/<job>/curves.json``. What its lines
look like is the algorithm's to say, or the environment's for an image of one's own (``adapter.metrics``).
Logs are no part of the result: where they are missing, late or forbidden, the curves are short and training
goes on.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from include.loop.config.adapter import EPOCH, metric_field
from include.loop.core.records.models import TrainingCurves
from include.loop.tasks.algorithm import LogPatterns
from include.loop.training.logs import TrainingLog
from include.loop.workspace import Workspace

log = logging.getLogger(__name__)

MOST_VALUES = 10_000  # of a metric: an expression may match every step instead of every epoch


@dataclass(frozen=True)
class KeptCurves:
    """How many epochs are known and where they are; ``problem`` says why there are none, or no new ones."""

    training_job: str
    epochs: int
    problem: str | None
    curves_uri: str | None


def keep(workspace: Workspace, training_job: str) -> KeptCurves:
    """Read the job's log and keep its curves.

    Safe to call again: a log that has come in completely since takes the place of a shorter one, and a log
    that has expired does not.
    """
    storage, problem, found = workspace.storage, None, TrainingCurves()
    metrics = workspace.environment.adapter.metrics
    # Several machines write the same metrics, and nothing in a line of another image tells which wrote it.
    reader = TrainingLog(workspace.clients.logs, training_job, first_machine=bool(metrics))
    lines = reader.new_lines()
    try:
        found = read_metrics(lines, metrics) if metrics else read_curves(lines, workspace.task.algorithm.log)
    except (BotoCoreError, ClientError) as error:
        problem = f"the log of {training_job} could not be read: {error}"
        log.warning("%s", problem)
    known = TrainingCurves.find(storage, training_job)
    if known is None or len(found.epochs) >= len(known.epochs):
        if found.epochs:
            found.write(storage, training_job)
    else:
        found = known
    if not found.epochs and problem is None:
        problem = f"the log of {training_job} tells of no epoch"
    where = storage.uri(TrainingCurves.location(training_job)) if found.epochs else None
    return KeptCurves(training_job, len(found.epochs), problem, where)


def read_curves(lines: Iterable[str], patterns: LogPatterns) -> TrainingCurves:
    """The epochs that log lines tell of, in order, and the mean throughput in records per second.

    An epoch's loss is the last one printed. A job that was interrupted and began again prints an epoch twice:
    the later one counts. Several machines print their own losses: those of the first one count.
    """
    epochs: dict[int, dict[str, float]] = {}
    speeds: list[float] = []
    first_host = None
    for line in lines:
        if throughput := patterns.throughput.search(line):
            speeds += _finite(throughput["value"])
        elif match := next(filter(None, (pattern.search(line) for pattern in patterns.values)), None):
            host = match.groupdict().get("host", "")
            first_host = first_host or host
            if host == first_host:
                for value in _finite(match["value"]):
                    epochs.setdefault(int(match["epoch"]), {})[patterns.fields[match["name"]]] = value
    return TrainingCurves(
        epochs=tuple(
            {"epoch": number, **{name: epochs[number].get(name) for name in patterns.fields.values()}}
            for number in sorted(epochs)
        ),
        throughput=round(sum(speeds) / len(speeds), 1) if speeds else None,
    )


def read_metrics(lines: Iterable[str], metrics: Mapping[str, str]) -> TrainingCurves:
    """The values that regular expressions find in log lines, by metric. Which epoch one is of is told by the
    metric ``epoch``; without it it is counted, and the first value of a metric is the first epoch's. Of each
    the first MOST_VALUES are kept.
    """
    patterns = [(metric_field(name), re.compile(text)) for name, text in metrics.items()]
    if any(name == EPOCH for name, _ in patterns):
        return _read_numbered(lines, dict(patterns))
    found: dict[str, list[float | None]] = {name: [] for name, _ in patterns}
    for line in lines:
        for name, pattern in patterns:
            if len(found[name]) < MOST_VALUES and (match := pattern.search(line)):
                found[name].append(next(iter(_finite(match[1] or "")), None))
    count = max(map(len, found.values()), default=0)
    return TrainingCurves(
        epochs=tuple(
            {"epoch": number}
            | {name: values[number] for name, values in found.items() if number < len(values)}
            for number in range(count)
        )
    )


def _read_numbered(lines: Iterable[str], patterns: Mapping[str, re.Pattern[str]]) -> TrainingCurves:
    """A job that was interrupted goes on from its checkpoint, and tells of some epochs twice: the later value
    counts. A log may number its epochs from 0, as curves do, or from 1: then none is 0.
    """
    epochs: dict[int, dict[str, float | None]] = {}
    number: int | None = None
    first = 1
    for line in lines:
        if match := patterns[EPOCH].search(line):
            number = next(map(int, _finite(match[1] or "")), number)
            first = first if number is None else min(first, number)
        if number is None or (number not in epochs and len(epochs) == MOST_VALUES):
            continue
        for name, pattern in patterns.items():
            if name != EPOCH and (match := pattern.search(line)):
                epochs.setdefault(number, {})[name] = next(iter(_finite(match[1] or "")), None)
    return TrainingCurves(
        epochs=tuple({"epoch": number - first} | epochs[number] for number in sorted(epochs))
    )


def _finite(text: str) -> list[float]:
    try:
        value = float(text)
    except ValueError:
        return []
    return [value] if math.isfinite(value) else []
