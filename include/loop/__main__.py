"""``python -m include.loop``: questions to a pipeline, from a terminal. It only asks, and changes nothing.

Takes the environment that ``NIGHTLOOP_ENVIRONMENT`` names, and AWS credentials as any AWS tool finds them
(``AWS_PROFILE``, or the local cloud's two files). Knows workspace and lineage.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from include.loop.config import load_environment
from include.loop.errors import Fatal, Retryable
from include.loop.lineage import Start, walk
from include.loop.lineage_text import render
from include.loop.workspace import open_workspace


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (Fatal, Retryable, BotoCoreError, ClientError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m include.loop",
        description="Questions to a pipeline. NIGHTLOOP_ENVIRONMENT says which environment file is meant; "
        "credentials are found as by any AWS tool. Nothing is changed.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_lineage(commands)
    return parser


def _add_lineage(commands: Any) -> None:
    parser = commands.add_parser(
        "lineage",
        help="from an answer of the endpoint back to the people it was learned from",
        description="Walks from an answer of the endpoint to its model package, training job, dataset, a "
        "manifest line, the human loop, the answers, the worker template and the flow definition.",
    )
    parser.add_argument("--pipeline", metavar="NAME", help="default: the environment's")
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
        type=_count,
        default=1,
        metavar="N",
        help="which object of the answer, 1 (the default) is the one with the best score",
    )
    parser.add_argument(
        "--class",
        dest="class_name",
        metavar="NAME",
        help="look for a label of this class; default: the detection's, or any",
    )
    parser.add_argument(
        "--line",
        type=_count,
        default=1,
        metavar="N",
        help="which of the labels of that class, 1 (the default) is of the newest night",
    )
    parser.add_argument(
        "--review-url", metavar="URL", help="a review server of one's own; default: where SageMaker is"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a tree")
    parser.set_defaults(run=_lineage)


def _lineage(options: argparse.Namespace) -> int:
    region = load_environment().region
    session = boto3.Session(region_name=region)
    workspace = open_workspace(session.client("s3"), options.pipeline)
    sagemaker = session.client("sagemaker")
    review = options.review_url
    steps = walk(
        workspace,
        sagemaker,
        session.client("sagemaker-runtime"),
        session.client("sagemaker", endpoint_url=review) if review else sagemaker,
        session.client("sagemaker-a2i-runtime", endpoint_url=review),
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


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
