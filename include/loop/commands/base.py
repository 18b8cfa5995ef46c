"""What the commands have in common: the pipeline they are about, its workspace, and AWS clients."""

from __future__ import annotations

import argparse

import boto3

from include.loop.config import load_environment
from include.loop.core.clients import Clients
from include.loop.workspace import Workspace, open_workspace


def add_pipeline(parser: argparse.ArgumentParser) -> None:
    """The option that names the pipeline."""
    parser.add_argument("--pipeline", metavar="NAME", help="default: the environment's")


def workspace_of(options: argparse.Namespace) -> Workspace:
    """The workspace of the pipeline that a command is about."""
    return open_workspace(clients(), options.pipeline)


def clients(review_url: str | None = None) -> Clients:
    """Clients as any AWS tool finds them; the review plane may be somewhere else."""
    session = boto3.Session(region_name=load_environment().region)
    return Clients(
        lambda service, review: session.client(service, endpoint_url=review_url if review else None)
    )


def count(text: str) -> int:
    """A whole number from 1, as an option has it."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, not {text!r}")
    return int(text)
