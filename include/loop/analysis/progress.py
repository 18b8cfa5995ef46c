"""How a labeling job goes: by iteration what people and the machine have labelled, for what money, and how
its models learned.

Takes a SageMaker client and storage, gives ``Progress``. The counts are those of the files that the job has
written: consolidation responses are of people, outputs of the auto-annotator of the machine. The models'
curves are in the logs of their training jobs.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from include.loop.analysis.costs import Ledger, Prices, ledger
from include.loop.analysis.labels import read_line
from include.loop.analysis.sources import Sources, job_folder
from include.loop.core.errors import BadRecord
from include.loop.core.storage import Storage, in_parallel, parse_loosely
from include.loop.report import formats
from include.loop.tasks.manifest_lines import parse_line
from include.loop.training.logs import TrainingLog

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_sagemaker import SageMakerClient

# Below the job's folder. The number of an iteration may have several digits.
_RESPONSES = "annotations/consolidated-annotation/consolidation-response/"
_RESPONSE = re.compile(r"iteration-(?P<iteration>\d{1,6})/[^/]+\.json")
_AUTO = "activelearning/"
_AUTO_OUTPUT = re.compile(r"(?P<iteration>\d{1,6})/[^/]+/auto_annotator_output\.txt")
_TRAINING = "training/"
_MODEL = re.compile(r"(?P<iteration>\d{1,6})/[^/]+/(?P<job>[^/]+)/output/model\.tar\.gz")
MOST_BYTES = 32 << 20  # of one consolidation response, which has fifty objects

# The two algorithms' words for the end of an epoch: mAP of boxes, accuracy of classes.
_SCORE = re.compile(
    r"(?:#quality_metric: host=[^,]+, epoch=(?P<boxes>\d{1,6}), validation mAP <score>=\("
    r"|Epoch\[(?P<classes>\d{1,6})\] Validation-accuracy=)(?P<value>[0-9.eE+-]{1,30})"
)
_SAMPLES = re.compile(r"Final configuration.*?num_training_samples\W+u?'?(?P<count>\d{1,9})")


@dataclass(frozen=True)
class Counted:
    """Objects that got a label, and their boxes."""

    objects: int = 0
    boxes: int = 0


@dataclass(frozen=True)
class Iteration:
    """One round of a job."""

    number: int
    human: Counted
    machine: Counted
    costs: Ledger


@dataclass(frozen=True)
class Curve:
    """How one model learned: the score on its validation set after each epoch (mAP, or accuracy of classes).
    ``samples`` is how many images it learned from, None where its log does not say; ``problem`` says why
    there is no curve.
    """

    iteration: int
    training_job: str
    samples: int | None = None
    metric: str = ""
    scores: tuple[float, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class Progress:
    """``counters`` are LabelCounters as the API has them; ``costs`` are of all iterations."""

    job: str
    status: str
    failure: str | None
    folder: str
    counters: Mapping[str, int]
    iterations: tuple[Iteration, ...]
    costs: Ledger
    curves: tuple[Curve, ...] = ()
    problems: tuple[str, ...] = field(default=())

    def to_value(self) -> dict[str, Any]:
        """As JSON has it."""
        return dataclasses.asdict(self)


def read_progress(
    sagemaker: SageMakerClient,
    storage: Storage,
    job: str,
    prices: Prices,
    *,
    answer: float | None = None,
    seconds: float = 0,
    logs: CloudWatchLogsClient | None = None,
) -> Progress:
    """``answer`` is the price of an answer instead of what the job itself pays; ``seconds`` is how long one
    takes, for the hours that people are paid. Without ``logs`` there are no curves.
    """
    described = sagemaker.describe_labeling_job(LabelingJobName=job)
    sources = Sources.of_job(described)
    folder, attribute = f"{job_folder(described)}/", str(sources.label)
    prices = sources.prices(prices) if answer is None else replace(prices, answer=answer)
    workers = sources.workers or 1
    problems: list[str] = []
    responses = _find(storage, folder + _RESPONSES, _RESPONSE)
    human = _merge(in_parallel(_reader(storage, attribute, problems), responses))
    machine = _merge(
        (int(found["iteration"]), _auto_objects(storage, uri, attribute))
        for uri, found in _find(storage, folder + _AUTO, _AUTO_OUTPUT)
    )

    def costs(people: int, auto: int) -> Ledger:
        answers = people * workers
        return ledger(prices, human=people, machine=auto, answers=answers, seconds=answers * seconds)

    iterations = tuple(
        Iteration(number, ours := _count(human.get(number)), auto := _count(machine.get(number)),
                  costs(ours.objects, auto.objects))
        for number in sorted({*human, *machine})
    )  # fmt: skip
    models = _find(storage, folder + _TRAINING, _MODEL) if logs else ()
    return Progress(
        job=job,
        status=described["LabelingJobStatus"],
        failure=described.get("FailureReason"),
        folder=folder,
        counters=dict(described["LabelCounters"]),  # type: ignore[arg-type]
        iterations=iterations,
        costs=costs(sum(i.human.objects for i in iterations), sum(i.machine.objects for i in iterations)),
        curves=tuple(_curve(logs, int(found["iteration"]), found["job"]) for _, found in models if logs),
        problems=tuple(problems),
    )


def tell(progress: Progress) -> Iterator[str]:
    """For a terminal, line by line."""
    yield f"{progress.job}: {progress.status}" + (f": {progress.failure}" if progress.failure else "")
    yield "  " + ", ".join(f"{name} {count:,}" for name, count in progress.counters.items())
    if progress.iterations:
        yield ""
        yield "iteration  by people   boxes  by machine   boxes    dollars"
    for item in progress.iterations:
        yield (
            f"{item.number:9}  {item.human.objects:9,}  {item.human.boxes:6,}  {item.machine.objects:10,}  "
            f"{item.machine.boxes:6,}  {formats.dollars(item.costs.total):>9}"
        )
    costs = progress.costs
    yield (
        f"costs so far: people {formats.dollars(costs.people)}, machine {formats.dollars(costs.machine)}, "
        f"total {formats.dollars(costs.total)}, per label {formats.dollars(costs.per_label)}"
    )
    for curve in progress.curves:
        samples = "" if curve.samples is None else f", {curve.samples:,} images"
        told = curve.problem or f"{curve.metric} " + " ".join(f"{score:.3f}" for score in curve.scores)
        yield f"model of iteration {curve.iteration} ({curve.training_job}{samples}): {told}"
    yield from (f"  {problem}" for problem in progress.problems)


Objects = dict[int, int]  # the object's number: how many boxes it got


def _find(storage: Storage, folder: str, pattern: re.Pattern[str]) -> Iterator[tuple[str, re.Match[str]]]:
    for item in storage.list(folder):
        if found := pattern.fullmatch(item.uri.removeprefix(folder)):
            yield item.uri, found


def _reader(storage: Storage, attribute: str, problems: list[str]) -> Any:
    def read(item: tuple[str, re.Match[str]]) -> tuple[int, Objects]:
        uri, found = item
        try:
            objects = _human_objects(storage.read(uri, most=MOST_BYTES), attribute)
        except (BadRecord, FileNotFoundError) as error:
            problems.append(f"{uri}: {error}")
            objects = {}
        return int(found["iteration"]), objects

    return read


def _human_objects(body: bytes, attribute: str) -> Objects:
    try:
        value = parse_loosely(body)
    except ValueError as error:
        raise BadRecord(f"is not JSON: {error}") from None
    found = {}
    for item in value if isinstance(value, list) else ():
        try:
            content = item["consolidatedAnnotation"]["content"]
            found[int(item["datasetObjectId"])] = _boxes(content, attribute)
        except (KeyError, TypeError, ValueError):  # an object without a label
            continue
    return found


def _auto_objects(storage: Storage, uri: str, attribute: str) -> Objects:
    """Lines of an object's number and its label."""
    found = {}
    for line in storage.read_raw_lines(uri):
        number, _, rest = line.strip().partition(b" ")
        try:
            found[int(number)] = _boxes(parse_line(rest), attribute)
        except (TypeError, ValueError):
            continue
    return found


def _boxes(content: Any, attribute: str) -> int:
    """BadRecord (a ValueError) where it is no label; masks and texts have no boxes."""
    if not isinstance(content, dict) or f"{attribute}-metadata" not in content:
        raise BadRecord("no label")
    try:
        return len(read_line(content, attribute).boxes)
    except BadRecord:
        if "failure-reason" in content[f"{attribute}-metadata"]:
            raise
        return 0


def _merge(parts: Iterable[tuple[int, Objects]]) -> dict[int, Objects]:
    """By iteration; an object whose file was written twice counts once."""
    found: dict[int, Objects] = {}
    for number, objects in parts:
        found.setdefault(number, {}).update(objects)
    return found


def _count(objects: Objects | None) -> Counted:
    return Counted(len(objects), sum(objects.values())) if objects else Counted()


def _curve(logs: CloudWatchLogsClient, iteration: int, training_job: str) -> Curve:
    curve = Curve(iteration, training_job)
    try:
        found = _read_curve(curve, TrainingLog(logs, training_job).new_lines())
    except (BotoCoreError, ClientError) as error:
        return replace(curve, problem=f"its log could not be read: {error}")
    return found if found.scores else replace(found, problem="its log tells of no epoch")


def _read_curve(curve: Curve, lines: Iterable[str]) -> Curve:
    """A job that was interrupted prints an epoch twice: the later one counts."""
    scores: dict[int, float] = {}
    for line in lines:
        if found := _SAMPLES.search(line):
            curve = replace(curve, samples=int(found["count"]))
        elif found := _SCORE.search(line):
            try:
                scores[int(found["boxes"] or found["classes"])] = float(found["value"])
            except ValueError:
                continue
            curve = replace(curve, metric="validation mAP" if found["boxes"] else "validation accuracy")
    return replace(curve, scores=tuple(scores[epoch] for epoch in sorted(scores)))
