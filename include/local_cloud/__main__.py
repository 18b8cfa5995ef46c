"""``python -m include.local_cloud``: start the cloud and serve until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from include.local_cloud.server import AlreadyRunning, DispatcherDied, serve
from include.local_cloud.settings import SMALL_MODELS, Settings
from include.review_server.labeling.auto.options import auto_labeling_option, changed_by
from include.review_server.labeling.callables import CallableMissing
from include.review_server.settings import AutoLabelingSettings
from include.review_server.work.patience import patience_options

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def main() -> int:
    arguments = _parser().parse_args()
    try:
        auto_labeling = changed_by(
            arguments.auto_labeling, AutoLabelingSettings(hyperparameters=SMALL_MODELS)
        )
    except (OSError, ValueError) as error:
        print(f"local cloud: {error}", file=sys.stderr)
        return 1
    settings = Settings(
        data=arguments.data.resolve(),
        host=arguments.host,
        port=arguments.port,
        review_port=arguments.review_port,
        algorithms=tuple(arguments.algorithm),
        labeling_functions=tuple(arguments.labeling_function),
        lambda_endpoint=arguments.lambda_endpoint,
        jobs_at_once=arguments.jobs,
        stop_grace=arguments.stop_grace,
        orphan_grace=arguments.orphan_grace,
        auto_labeling=auto_labeling,
        least_seconds=arguments.least_seconds,
        undo_seconds=arguments.undo_seconds,
    )
    # What we do ourselves is worth a line, what the libraries below us do is not.
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("include").setLevel(logging.INFO)
    try:
        asyncio.run(serve(settings))
    except (AlreadyRunning, CallableMissing, DispatcherDied, OSError) as error:
        print(f"local cloud: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m include.local_cloud",
        description=(
            "S3, IAM, STS, SQS, EventBridge, CloudWatch Logs, SageMaker jobs and human review on "
            "this machine. "
            "Prints one line when it is ready. Set AWS_SHARED_CREDENTIALS_FILE=DIR/credentials and "
            "AWS_CONFIG_FILE=DIR/config, and any AWS tool talks to it."
        ),
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="where everything is kept")
    parser.add_argument(
        "--port", type=int, default=4566, help="the AWS APIs (default 4566; 0 takes a free port)"
    )
    parser.add_argument(
        "--review-port", type=int, default=4567, help="human review (default 4567; 0 likewise)"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", choices=_LOOPBACK, help="loopback only (default 127.0.0.1)"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=os.cpu_count() or 1,
        help="jobs that run at once, the others wait (default: cores)",
    )
    parser.add_argument(
        "--algorithm",
        type=_algorithm,
        action="append",
        default=[],
        metavar="NAME=PACKAGE",
        help="a further training image: its repository name, and the Python package run with train or serve",
    )
    parser.add_argument(
        "--labeling-function",
        action="append",
        default=[],
        metavar="NAME=MODULE:CALLABLE",
        help="a Python callable that labeling jobs may name as their pre-annotation or consolidation "
        "function, by an ARN that ends with :function:NAME; may be repeated",
    )
    parser.add_argument(
        "--lambda-endpoint",
        type=_address,
        metavar="URL",
        help="an endpoint that answers as AWS Lambda does, for the other functions of labeling jobs "
        "(default: there are none)",
    )
    parser.add_argument(
        "--stop-grace",
        type=float,
        default=120,
        help="seconds between SIGTERM and SIGKILL for a job (default 120)",
    )
    parser.add_argument(
        "--orphan-grace",
        type=float,
        default=60,
        help="seconds that jobs go on when the cloud is gone (default 60)",
    )
    auto_labeling_option(parser)
    patience_options(parser)
    return parser


def _address(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} is no URL, such as http://127.0.0.1:3001")
    return text


def _algorithm(text: str) -> tuple[str, str]:
    name, _, package = text.partition("=")
    if not name or not package:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not NAME=PACKAGE, such as my-detector=my_package.detector"
        )
    return name, package


if __name__ == "__main__":
    # Images, labels, models, keys: what is made here is for nobody else on this machine.
    os.umask(0o077)
    sys.exit(main())
