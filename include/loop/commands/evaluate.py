"""``evaluate``: what any model scores on any labelled images, as numbers and as a page."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from include.loop.aws.waiting import finish
from include.loop.commands.base import add_manifest, count, print_first, workspace_of
from include.loop.commands.foreign import check_is_manifest
from include.loop.commands.models import add_model, open_model
from include.loop.config import Pipeline
from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.records.metrics import ModelScores
from include.loop.core.storage import MOST_BYTES
from include.loop.evaluation.alone import Measurement, measure_alone
from include.loop.lineage.text import printable
from include.loop.manifests.places import drafts, is_in_s3, numbered_lines
from include.loop.manifests.survey import TOLD, survey
from include.loop.report import formats
from include.loop.report.measured import Looked, render_measured
from include.loop.report.page import HTML
from include.loop.serving.asking import Answers, ask_endpoint, ask_model
from include.loop.serving.endpoint import endpoint_name
from include.loop.tasks import task_of
from include.loop.tasks.values import Labelled
from include.loop.workspace import Workspace


def add(commands: Any) -> None:
    parser = add_manifest(
        commands,
        "evaluate",
        _evaluate,
        help="what any model scores on any labelled images",
        description="Predicts every image of an augmented manifest, prints the numbers and writes the page. "
        "Nothing of a pipeline changes by it. Images that the model's own evaluation has predicted are not "
        "predicted again.",
    )
    add_model(parser, "default: the pipeline's live endpoint")
    parser.add_argument(
        "--label",
        metavar="ATTRIBUTE",
        help="default: the pipeline's label_attribute, or the only one there is",
    )
    parser.add_argument("--limit", type=count, metavar="N", help="of the labelled images, the first N only")
    parser.add_argument("--out", default="evaluation.html", metavar="PAGE", help="default: evaluation.html")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def _evaluate(options: argparse.Namespace) -> int:
    place = options.manifest
    check_is_manifest(place)  # images are predicted one by one, by their URIs
    workspace, model, ask = _open(options)
    pipeline = _with_label(workspace, place, options.label)
    workspace = Workspace(pipeline, workspace.environment, workspace.storage, workspace.clients)
    labels, refused = _read(workspace, place, options.limit)
    if not labels:
        raise ConfigurationError(
            f"{place}: no line can be measured with: {refused[0] if refused else 'it is empty'}"
        )
    answers = ask(workspace, sorted(labels))
    found = measure_alone(workspace.task, pipeline, Path(place).stem, list(labels.values()), answers.found)
    page = _page(workspace, model, place, found, labels, answers)
    if is_in_s3(options.out):
        workspace.storage.write(options.out, page.encode(), HTML)
    else:
        with drafts([options.out], lambda: workspace.storage) as (file,):
            file.write(page.encode())
    if options.json:
        metrics = found.slice.model_dump(mode="json", include={"images", "objects", "challenger"})
        told = {"model": model, "manifest": place, "metric": workspace.task.metric.key}
        told |= {"refused": len(refused), "missing": answers.missing, "page": options.out}
        print(json.dumps(told | metrics, indent=2, ensure_ascii=False))
        return 0
    print(f"{found.slice.images:,} images, {found.slice.objects:,} {workspace.task.words.objects}")
    for line in _numbers(workspace, found.slice.challenger):
        print(printable(line))
    if refused:
        print(f"{len(refused):,} lines were not measured with:")
        print_first(refused[:TOLD], len(refused))
    for reason, number in Counter(answers.missing.values()).most_common(TOLD):
        print(printable(f"{number:,} images without a prediction count as nothing found: {reason}"))
    print(f"page: {options.out}")
    return 0


def _open(options: argparse.Namespace) -> tuple[Workspace, str, Any]:
    """Where the model belongs, what it is called, and how it is asked."""
    if options.model:
        workspace, model, _ = open_model(options)

        def by_model(workspace: Workspace, images: list[str]) -> Answers:
            return finish(workspace, partial(ask_model, workspace, model, images), _say)

        return workspace, model.training_job, by_model
    workspace = workspace_of(options)
    endpoint = options.endpoint or endpoint_name(workspace)

    def by_endpoint(workspace: Workspace, images: list[str]) -> Answers:
        return ask_endpoint(workspace, endpoint, images, partial(workspace.storage.read, most=MOST_BYTES))

    return workspace, f"endpoint {endpoint}", by_endpoint


def _with_label(workspace: Workspace, place: str, label: str | None) -> Pipeline:
    """The pipeline, looking at the manifest's own label attribute."""
    pipeline = workspace.pipeline
    found = survey(place, numbered_lines(place, lambda: workspace.storage), pipeline.label_attribute)
    ours = found.attributes.get(pipeline.label_attribute)
    if label is None and ours is not None and ours.labelled:
        return pipeline
    name = label or found.choose(None).name
    return pipeline.model_copy(update={"label_attribute": name})


def _read(workspace: Workspace, place: str, limit: int | None) -> tuple[dict[str, Labelled], list[str]]:
    """Labels by image, of lines of the same image the last one; and why other lines have none."""
    task = task_of(workspace.pipeline)
    labels: dict[str, Labelled] = {}
    refused = []
    for number, line in numbered_lines(place, lambda: workspace.storage):
        try:
            label = task.read_line(line)
        except BadRecord as error:
            refused.append(f"line {number}: {error}")
            continue
        if limit is None or len(labels) < limit or label.source in labels:
            labels[label.source] = label
    return labels, refused


def _page(
    workspace: Workspace,
    model: str,
    place: str,
    found: Measurement,
    labels: dict[str, Labelled],
    answers: Answers,
) -> str:
    looked = Looked(
        Path(place).stem,
        found.slice,
        found.rows,
        list(labels.values()),
        answers.found,
        picture=partial(workspace.storage.read, most=MOST_BYTES),
        threshold=workspace.pipeline.evaluation.score_threshold,
        confidence=workspace.pipeline.gate.confidence,
    )
    about = {"Model": model, "Manifest": place, "Without a prediction": str(len(answers.missing))}
    return render_measured(workspace.task, f"{model} on {Path(place).name}", looked, about)


def _numbers(workspace: Workspace, scores: ModelScores) -> Iterator[str]:
    """The metric, the task's other numbers, and class by class; – is what could not be measured."""
    metric = workspace.task.metric
    interval = formats.interval(scores.low, scores.high)
    yield f"{metric.key:24} {formats.score(scores.score)}" + (f"  ({interval})" if interval else "")
    others = {"recall": scores.recall, "precision": scores.precision} | scores.more
    others["calibration error"] = scores.calibration_error
    for name, value in others.items():
        yield f"{name:24} {formats.score(value)}"
    for name, item in scores.classes.items():
        more = "".join(f"  {what} {formats.score(value)}" for what, value in item.more.items())
        yield f"  {name:22} {metric.class_key} {formats.score(item.score)} of {item.objects:,}{more}"
    wrong = {
        (true, said): number
        for true, row in scores.confusion.items()
        for said, number in row.items()
        if true != said and number
    }
    for (true, said), number in sorted(wrong.items(), key=lambda item: -item[1])[:TOLD]:
        yield f"  {true} taken for {said}: {number:,}"


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)
