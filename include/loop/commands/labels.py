"""``labels analyze | progress``: how good labels are and what they cost, and how a labeling job goes."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from include.loop.analysis import pdf
from include.loop.analysis.costs import Prices
from include.loop.analysis.page import render
from include.loop.analysis.progress import read_progress, tell
from include.loop.analysis.publishing import dump, numbers_place
from include.loop.analysis.sources import Sources, check_folder, check_kind
from include.loop.analysis.summary import summarize, text
from include.loop.analysis.tables import read_tables
from include.loop.commands.base import add_pipeline, anywhere, clients, count
from include.loop.commands.progress import Progress
from include.loop.config import load_environment, load_pipeline
from include.loop.core.errors import ConfigurationError
from include.loop.core.storage import error_code
from include.loop.labeling.progress import prices_of
from include.loop.lineage.text import printable
from include.loop.manifests.places import drafts, is_in_s3
from include.loop.report.page import HTML


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "labels",
        help="how good labels are and what they cost; how a labeling job goes",
        description="Labels of people and of the machine beside reference labels and beside each other, and "
        "a look into a labeling job that still runs.",
    )
    inner = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_analyze(inner)
    _add_progress(inner)


def _add_analyze(commands: Any) -> None:
    parser = commands.add_parser(
        "analyze",
        help="how good labels are: scores, confidence, workers, costs, pictures",
        description="Reads labels with boxes or classes, reference labels if there are any, and the answers "
        "of the workers. The score of an image is its label's IoU with the reference boxes (for classes: "
        "whether they are the same) or, without references, that of the workers' answers with each other. "
        "Means are over images. Changes nothing but the files it is told to write.",
    )
    parser.add_argument(
        "labels",
        metavar="LABELS",
        help="a labeling job's name, the folder in S3 that it wrote (s3://…/JOB/), or an augmented manifest: "
        "a file, or an S3 URI",
    )
    parser.add_argument("--label", metavar="ATTRIBUTE", help="the label to judge; default: the only one")
    parser.add_argument("--references", metavar="MANIFEST", help="a manifest with true labels of the images")
    parser.add_argument(
        "--reference-label",
        metavar="ATTRIBUTE",
        help="the true label, there or, without --references, in the same lines; default: the only one",
    )
    parser.add_argument(
        "--answers",
        metavar="FOLDER",
        help="of the workers, in S3: a job's worker-response/ (its default), or where A2I wrote human loops",
    )
    parser.add_argument(
        "--workers", type=count, metavar="N", help="answers per label, where none can be read"
    )
    _add_prices(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--page",
        metavar="FILE",
        help="write a page with figures and pictures here, and its numbers beside it as .json: a file, or an "
        "S3 URI",
    )
    parser.add_argument(
        "--pdf",
        nargs=2,
        action="append",
        default=[],
        metavar=("ORDER", "FILE"),
        help=f"write all pictures here, sorted by {' or '.join(pdf.ORDERS)}; may be given for both",
    )
    parser.set_defaults(run=_analyze)


def _add_progress(commands: Any) -> None:
    parser = commands.add_parser(
        "progress",
        help="how a labeling job goes: by iteration labels, costs, and how its models learn",
        description="Asks SageMaker, and counts in the files that the job has written so far. Changes "
        "nothing.",
    )
    parser.add_argument("job", metavar="JOB", help="the labeling job's name")
    _add_prices(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=_progress)


def _add_prices(parser: argparse.ArgumentParser) -> None:
    add_pipeline(parser)
    for name, what in (
        ("service", "for each labelled object; default: the environment's labeling.service_dollars"),
        ("answer", "for each answer; default: the job's, else the environment's labeling.answer_dollars"),
        ("hour", "for each hour of work; default: the pipeline's review.dollars_per_hour"),
    ):
        parser.add_argument(f"--{name}", type=float, metavar="DOLLARS", help=what)


def _analyze(options: argparse.Namespace) -> int:
    for order, _ in options.pdf:
        if order not in pdf.ORDERS:
            raise ConfigurationError(f"--pdf sorts by {' or '.join(pdf.ORDERS)}, not {order!r}")
    if options.page and not options.page.endswith(".html"):
        raise ConfigurationError(f"--page writes HTML: {options.page} must end with .html")
    sources = _sources(options)
    prices, _ = _prices(options)
    progress = Progress()
    if sources.standing and not anywhere().exists(sources.manifest):
        raise ConfigurationError(
            f"{sources.standing}. It has no label yet; labels progress {sources.job} says how it goes"
        )
    tables = read_tables(sources, anywhere, progress)
    progress.end()
    if sources.standing:
        print(f"{printable(sources.standing)}. These are its labels so far.", file=sys.stderr)
    summary = summarize(tables, _title(options.labels), prices)
    if options.json:
        print(dump(summary).decode())
    else:
        for line in text(summary):
            print(printable(line))
    written = []
    if options.page:
        numbers = numbers_place(options.page)
        _write(numbers, dump(summary), "application/json")
        _write(options.page, render(summary, tables, anywhere).encode(), HTML)
        written += [numbers, options.page]
    for order, place in options.pdf:
        with drafts([place], anywhere) as (file,):
            pdf.write_pdf(tables, summary, order, file, anywhere, progress)
        progress.end()
        written.append(place)
    for place in written:
        print(f"written: {printable(place)}", file=sys.stderr)
    return 0


def _progress(options: argparse.Namespace) -> int:
    connected = clients()
    prices, seconds = _prices(options)
    try:
        found = read_progress(
            connected.review,
            anywhere(),
            options.job,
            prices,
            answer=options.answer,
            seconds=seconds,
            logs=connected.logs,
        )
    except ClientError as error:
        raise _no_job(options.job, error) from None
    if options.json:
        print(json.dumps(found.to_value(), indent=2, ensure_ascii=False))
        return 0
    for line in tell(found):
        print(printable(line))
    return 0


def _sources(options: argparse.Namespace) -> Sources:
    """What is meant: only a word that is neither a file nor in S3 is a job's name."""
    place = options.labels
    if is_in_s3(place):
        found = Sources.of_folder(place) if place.endswith("/") else Sources(place)
    elif Path(place).exists() or set(place) & set("/.\\"):
        found = Sources(place)
    else:
        try:
            described = clients().review.describe_labeling_job(LabelingJobName=place)
        except ClientError as error:
            raise _no_job(place, error) from None
        check_kind(described)
        found = Sources.of_job(described)
    return replace(
        found,
        label=options.label or found.label,
        references=options.references,
        reference_label=options.reference_label,
        responses=check_folder(options.answers) if options.answers else found.responses,
        workers=options.workers or found.workers,
        answer_price=found.answer_price if options.answer is None else options.answer,
    )


def _prices(options: argparse.Namespace) -> tuple[Prices, float]:
    """What is said, and for the rest this place's; and the seconds that an answer takes."""
    environment = load_environment()
    pipeline = load_pipeline(options.pipeline or environment.pipeline)
    said = {name: getattr(options, name) for name in ("service", "answer", "hour")}
    found = prices_of(pipeline, environment)
    prices = replace(found, **{name: value for name, value in said.items() if value is not None})
    return prices, pipeline.review.seconds_per_image


def _title(place: str) -> str:
    return place.rstrip("/").rpartition("/")[2]


def _write(place: str, body: bytes, content_type: str) -> None:
    if is_in_s3(place):
        anywhere().write(place, body, content_type)  # a browser shows what is said to be HTML
        return
    with drafts([place], anywhere) as (file,):
        file.write(body)


def _no_job(job: str, error: ClientError) -> Exception:
    if error_code(error) not in {"ResourceNotFound", "ValidationException"}:
        return error
    return ConfigurationError(
        f"there is no labeling job, and no file, {job!r}: {error.response['Error'].get('Message', '')}"
    )
