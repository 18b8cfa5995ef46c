"""What the commands have in common: the pipeline they are about, its workspace, and AWS clients."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from include.loop.config import load_environment
from include.loop.core.clients import SETTINGS, Clients
from include.loop.core.storage import Storage
from include.loop.lineage.text import printable
from include.loop.workspace import Workspace, open_workspace

Run = Callable[[argparse.Namespace], int]


def add_pipeline(parser: argparse.ArgumentParser) -> None:
    """The option that names the pipeline."""
    parser.add_argument("--pipeline", metavar="NAME", help="default: the environment's")


def add_manifest(commands: Any, name: str, run: Run, **texts: str) -> argparse.ArgumentParser:
    """A command about one manifest, wherever it lies."""
    parser: argparse.ArgumentParser = commands.add_parser(name, **texts)
    parser.add_argument("manifest", metavar="MANIFEST", help="a file, or an S3 URI")
    parser.set_defaults(run=run)
    return parser


def workspace_of(options: argparse.Namespace) -> Workspace:
    """The workspace of the pipeline that a command is about; ``by_default`` of the options is its name where
    nobody has said it, to be told when the command fails.
    """
    workspace = open_workspace(clients(), options.pipeline)
    options.by_default = None if options.pipeline else workspace.pipeline.name
    return workspace


def clients(review_url: str | None = None) -> Clients:
    """Clients as any AWS tool finds them; the review plane may be somewhere else."""
    told = frozenset(item for item in os.environ.items() if item[0].startswith("AWS_"))
    return _clients(load_environment().region, review_url, told)


@cache
def _clients(region: str, review_url: str | None, told: frozenset[tuple[str, str]]) -> Clients:
    """Made once while AWS's variables stay: botocore takes half a second to read SageMaker's model."""
    session = boto3.Session(region_name=region)
    config = Config(**SETTINGS)
    return Clients(
        lambda service, review: session.client(
            service, endpoint_url=review_url if review else None, config=config
        )
    )


def count(text: str) -> int:
    """A whole number from 1, as an option has it."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, not {text!r}")
    return int(text)


def anywhere() -> Storage:
    """S3 for whole URIs, of no pipeline."""
    return Storage(clients().s3, bucket="", folder="")


def share(text: str) -> float:
    """A share between nothing and all, in whole hundredths, as an option has it."""
    try:
        hundredths = float(text) * 100
    except ValueError:
        hundredths = 0
    if not 0 < hundredths < 100 or abs(hundredths - round(hundredths)) > 1e-9:
        raise argparse.ArgumentTypeError(f"must be between 0.01 and 0.99, in hundredths, not {text!r}")
    return round(hundredths) / 100


def print_first(problems: Sequence[str], number: int) -> None:
    """The first problems, and how many more there are of the ``number``."""
    for problem in problems:
        print(printable(f"  {problem}"))
    if number > len(problems):
        print(f"  and {number - len(problems):,} more")
