"""``lineage``: from an answer of the endpoint back to the people it was learned from."""

from __future__ import annotations

import argparse
import json
from typing import Any

from include.loop.commands.base import add_pipeline, clients, count
from include.loop.lineage.text import render
from include.loop.lineage.walk import Start, walk
from include.loop.workspace import open_workspace


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "lineage",
        help="from an answer of the endpoint back to the people it was learned from",
        description="Walks from an answer of the endpoint to its model package, training job, dataset, a "
        "manifest line, the human loop, the answers, the worker template and the flow definition. Changes "
        "nothing.",
    )
    add_pipeline(parser)
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument(
        "--image", metavar="S3URI", help="send this image to the endpoint and begin at its answer"
    )
    start.add_argument("--package", metavar="ARN", help="begin at a model package version")
    start.add_argument("--training-job", metavar="JOB", help="begin at a training job")
    parser.add_argument(
        "--endpoint", metavar="NAME", help="with --image; default: the pipeline's live endpoint"
    )
    parser.add_argument(
        "--detection",
        type=count,
        default=1,
        metavar="N",
        help="which object of the answer (of a classifier's: which class), 1 (the default) is the one with "
        "the best score",
    )
    parser.add_argument(
        "--class",
        dest="class_name",
        metavar="NAME",
        help="look for a label of this class; default: the detection's, or any",
    )
    parser.add_argument(
        "--line",
        type=count,
        default=1,
        metavar="N",
        help="which of the labels of that class, 1 (the default) is of the newest batch",
    )
    parser.add_argument(
        "--review-url", metavar="URL", help="a review server of one's own; default: where SageMaker is"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a tree")
    parser.set_defaults(run=_lineage)


def _lineage(options: argparse.Namespace) -> int:
    workspace = open_workspace(clients(options.review_url), options.pipeline)
    steps = walk(
        workspace,
        Start(
            image=options.image,
            endpoint=options.endpoint,
            package=options.package,
            training_job=options.training_job,
            class_name=options.class_name,
            detection=options.detection,
            line=options.line,
        ),
    )
    print(json.dumps(steps, indent=2, ensure_ascii=False) if options.json else render(steps))
    return 0
