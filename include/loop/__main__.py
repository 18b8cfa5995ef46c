"""``python -m include.loop``: what an operator asks or tells a pipeline from a terminal.

Takes the environment that ``NIGHTLOOP_ENVIRONMENT`` names, and AWS credentials as any AWS tool finds them
(``AWS_PROFILE``, or the local cloud's two files).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from include.loop.config import load_environment
from include.loop.core.clients import Clients
from include.loop.core.errors import Fatal, Retryable
from include.loop.core.records.trials import Discard
from include.loop.lineage.text import printable, render
from include.loop.lineage.walk import Start, walk
from include.loop.trials.past import read_standings, release
from include.loop.trials.shards import discard
from include.loop.trials.standing import NEXT, State
from include.loop.workspace import Workspace, open_workspace


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except NoCredentialsError:
        print(
            "error: no AWS credentials: set AWS_PROFILE, or on the local stack begin the command with "
            "`python -m include.stack run`",
            file=sys.stderr,
        )
        return 1
    except (Fatal, Retryable, BotoCoreError, ClientError) as error:
        print("error:", "\n".join(map(printable, str(error).split("\n"))), file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m include.loop",
        description="Ask or tell a pipeline something. NIGHTLOOP_ENVIRONMENT says which environment file is "
        "meant; credentials are found as by any AWS tool. On the local stack: "
        "python -m include.stack run python -m include.loop …",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_lineage(commands)
    _add_batches(commands)
    _add_word(
        commands,
        "discard-labels",
        _discard_labels,
        help="keep a batch's labels from being learned",
        description="No model learns a discarded batch's labels or is measured with them; they stay where "
        "they are. What the command prints says how to take it back, and whether the champion has "
        "learned from them already.",
    )
    _add_word(
        commands,
        "release-labels",
        _release_labels,
        help="let a batch that is suspended or set aside be learned from again",
        description="What was tried with a batch before no longer counts against it: the next round learns "
        "from it together with the others. The gate judges as ever.",
    )
    return parser


def _add_lineage(commands: Any) -> None:
    parser = commands.add_parser(
        "lineage",
        help="from an answer of the endpoint back to the people it was learned from",
        description="Walks from an answer of the endpoint to its model package, training job, dataset, a "
        "manifest line, the human loop, the answers, the worker template and the flow definition. Changes "
        "nothing.",
    )
    _add_pipeline(parser)
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
        help="which of the labels of that class, 1 (the default) is of the newest batch",
    )
    parser.add_argument(
        "--review-url", metavar="URL", help="a review server of one's own; default: where SageMaker is"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a tree")
    parser.set_defaults(run=_lineage)


def _add_batches(commands: Any) -> None:
    parser = commands.add_parser(
        "batches",
        help="the batches whose labels the champion has not learned, and why not",
        description="Prints every batch that is not learned: its standing, what was tried with it, and what "
        "happens next. Changes nothing.",
    )
    _add_pipeline(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.set_defaults(run=_batches)


def _add_word(commands: Any, name: str, run: Callable[[argparse.Namespace], int], **texts: str) -> None:
    """A command by which a person says something about a batch."""
    parser = commands.add_parser(name, **texts)
    _add_pipeline(parser)
    parser.add_argument("shard", metavar="BATCH", help="the batch, for instance 2026-11-01 or 2026-11-01.1")
    parser.add_argument("--why", required=True, metavar="TEXT", help="kept with the batch")
    you = os.environ.get("USER", "somebody at a terminal")
    parser.add_argument("--by", default=you, metavar="NAME", help="who says so; default: you")
    parser.set_defaults(run=run)


def _add_pipeline(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pipeline", metavar="NAME", help="default: the environment's")


def _lineage(options: argparse.Namespace) -> int:
    workspace = open_workspace(_clients(options.review_url), options.pipeline)
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


def _batches(options: argparse.Namespace) -> int:
    past, found = read_standings(_workspace(options))
    batches = {
        batch: {
            "standing": str(item.state),
            "reason": item.reason,
            "next": NEXT[item.state],
            "trials": [
                {
                    "training_job": trial.training_job,
                    "batches": list(trial.shards),
                    "outcome": str(trial.outcome),
                }
                | {"at": trial.at.isoformat(), "reasons": list(trial.reasons)}
                for trial in past.trials
                if trial.training_job in item.trials
            ],
        }
        for batch, item in found.items()
    }
    if options.json:
        print(json.dumps({"champion": past.champion, "batches": batches}, indent=2, ensure_ascii=False))
        return 0
    print(f"champion: {past.champion or 'none yet'}")
    if not batches:
        print("There are no batches with labels that it has not learned from.")
    for batch, item in batches.items():
        text = f"{batch:13} {item['standing']:10} {len(item['trials'])} tried  {item['reason']}"
        print(printable(f"{text}; {item['next']}"))
    return 0


def _discard_labels(options: argparse.Namespace) -> int:
    workspace = _workspace(options)
    word, learned = discard(workspace, options.shard, options.by, options.why)
    print(f"{word.shard}: discarded by {word.by} at {word.at.isoformat()}: {word.why}")
    print(f"To take it back, delete {workspace.storage.uri(Discard.location(word.shard))}")
    if learned:
        name = workspace.pipeline.name
        print(
            f"The champion has learned from these labels: roll back (make rollback PIPELINE={name} NUMBER=…, "
            f"or the DAG deployment__{name}) to a number that has not; dataset.json of a champion's "
            "dataset_id says under `learned` what it knows."
        )
    return 0


def _release_labels(options: argparse.Namespace) -> int:
    word, was = release(_workspace(options), options.shard, options.by, options.why)
    print(f"{word.shard}: released by {word.by} at {word.at.isoformat()}: {word.why}")
    print(f"It was {was.state}: it {was.reason}. Now {NEXT[State.OPEN]}.")
    return 0


def _workspace(options: argparse.Namespace) -> Workspace:
    return open_workspace(_clients(), options.pipeline)


def _clients(review_url: str | None = None) -> Clients:
    session = boto3.Session(region_name=load_environment().region)
    return Clients(
        lambda service, review: session.client(service, endpoint_url=review_url if review else None)
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
