"""The program: which commands there are, and what becomes of their errors."""

from __future__ import annotations

import argparse
import sys

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from include.loop.commands import backtest, batches, data, evaluate, labels, lineage, live, predict, train
from include.loop.commands.hints import with_commands_runnable
from include.loop.config import load_environment
from include.loop.core.errors import Fatal, Retryable
from include.loop.core.storage import error_code
from include.loop.lineage.text import printable

# In the order in which --help tells them.
COMMANDS = (lineage, batches, live, backtest, data, labels, train, predict, evaluate)


def run(arguments: list[str] | None) -> int:
    """Run one command; the exit status."""
    options = _parser().parse_args(arguments)
    status = _run(options)
    # Whoever forgets --pipeline would take what was said for their own pipeline's.
    if status == 1 and (name := getattr(options, "by_default", None)):
        print(
            f"This is about pipeline {name}, the environment's default: --pipeline NAME names another.",
            file=sys.stderr,
        )
    return status


def _run(options: argparse.Namespace) -> int:
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        print("interrupted: what was started goes on, and the same command finds it again", file=sys.stderr)
        return 130
    except NoCredentialsError:
        print(
            "error: no AWS credentials: set AWS_PROFILE, or on the local stack begin the command with "
            "`python -m include.stack run`",
            file=sys.stderr,
        )
        return 1
    except (Fatal, Retryable, BotoCoreError, ClientError) as error:
        text = "\n".join(map(printable, f"{error}{_which_bucket(error)}".split("\n")))
        print("error:", with_commands_runnable(text), file=sys.stderr)
        return 1


def _which_bucket(error: Exception) -> str:
    """S3 says that a bucket is missing, and not always which; mostly it is the environment's."""
    if not isinstance(error, ClientError) or error_code(error) != "NoSuchBucket":
        return ""
    named = error.response["Error"].get("BucketName")
    environment = load_environment()
    if named not in (None, environment.bucket):
        return f": {named}"
    return (
        f". The environment's is {environment.bucket} (bucket: in {environment.path}): make it, or write "
        "there which one is meant"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m include.loop",
        description="Ask or tell a pipeline something. NIGHTLOOP_ENVIRONMENT says which environment file is "
        "meant; credentials are found as by any AWS tool. On the local stack: "
        "python -m include.stack run python -m include.loop …",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.add(commands)
    return parser
