"""``python -m include.review_server``: run the review server alone, or manage the people who answer."""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
from pathlib import Path

from include.review_server.api import key_commands
from include.review_server.app import create_review
from include.review_server.errors import DatabaseAway
from include.review_server.labeling.auto.options import auto_labeling_option, changed_by
from include.review_server.people import member_commands
from include.review_server.settings import (
    READ_PREFIXES,
    AutoLabelingSettings,
    ReviewSettings,
    read_prefixes,
)
from include.review_server.templates import bench
from include.review_server.work.patience import patience_options
from include.wire import listening


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except DatabaseAway as away:
        print(f"error: the database {away.why}", file=sys.stderr)
        return 1
    except (LookupError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m include.review_server",
        description="Amazon Augmented AI's API for boto3 clients, and the people who answer.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="run the server", description="Run the server.")
    _data_options(serve)
    serve.add_argument("--port", type=int, default=4567, help="0: any free port (default: %(default)s)")
    serve.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; anything but this machine belongs behind TLS (default: %(default)s)",
    )
    serve.add_argument("--public-url", help="where browsers reach the server (default: host and port)")
    serve.add_argument(
        "--s3-endpoint-url", metavar="URL", help="an S3 other than Amazon's (default, and '': real S3)"
    )
    serve.add_argument("--region", default="us-east-1", help="Region in ARNs and signatures (%(default)s)")
    serve.add_argument("--account-id", default="000000000000", help="account in ARNs (%(default)s)")
    serve.add_argument(
        "--api-keys",
        type=Path,
        metavar="FILE",
        help="keys that API callers sign with, as an AWS credentials file of mode 0600 (default: "
        "DIR/api-keys, made with one random key when it is missing)",
    )
    serve.add_argument(
        "--events-to",
        metavar="TARGET",
        help="tell of the end of every human loop and labeling job: the URL of an SQS queue, which gets the "
        "documented events, or the name or ARN of an event bus, where their source is nightloop.sagemaker "
        "(default: nobody)",
    )
    serve.add_argument(
        "--events-endpoint-url", metavar="URL", help="where that bus is (default: AWS's own EventBridge)"
    )
    serve.add_argument(
        "--trusted-proxies",
        default="127.0.0.1,::1",
        metavar="LIST",
        help="addresses and networks of proxies, with commas between: only what these say in X-Forwarded-For "
        "and X-Forwarded-Proto is believed; '' for none (default: %(default)s)",
    )
    serve.add_argument(
        "--read-prefix",
        action="append",
        default=[],
        metavar="S3-URI",
        help="s3://bucket/prefix/ below which any template may show objects, besides what its own loop names "
        f"and where its flow definition writes; may be repeated (also by the variable {READ_PREFIXES})",
    )
    serve.add_argument(
        "--labeling-function",
        action="append",
        default=[],
        metavar="NAME=MODULE:CALLABLE",
        help="a Python callable that labeling jobs may name as their pre-annotation or consolidation "
        "function, by an ARN that ends with :function:NAME; called as a Lambda handler is; may be repeated",
    )
    serve.add_argument(
        "--lambda-endpoint",
        metavar="URL",
        help="where the other functions of labeling jobs are: the URL of an endpoint that answers as AWS "
        "Lambda does, or aws for AWS's own (default: nowhere)",
    )
    serve.add_argument(
        "--logs-endpoint",
        metavar="URL",
        help="CloudWatch Logs for the logs of labeling jobs and of their workers: a URL, or aws for AWS's "
        "own (default: no such logs)",
    )
    serve.add_argument(
        "--sagemaker-endpoint",
        metavar="URL",
        help="SageMaker, which trains and asks the models of automated labeling: a URL, or aws for AWS's own "
        "(default: labeling jobs with LabelingJobAlgorithmsConfig are refused)",
    )
    auto_labeling_option(serve)
    patience_options(serve)
    serve.set_defaults(run=_serve)

    bench.add_commands(commands, _data_options)
    member_commands.add_commands(commands, _data_options)
    key_commands.add_commands(commands, _data_options)
    return parser


def _data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, default=Path("review-data"), metavar="DIR", help="data directory (%(default)s)"
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        default=os.environ.get("NIGHTLOOP_REVIEW_DATABASE"),
        help="SQLAlchemy URL, for instance postgresql+psycopg://… (default: DIR/review.db; also by the "
        "variable NIGHTLOOP_REVIEW_DATABASE, which keeps a password out of the process list)",
    )


def _serve(options: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("alembic", "botocore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((options.host, options.port))
        address = f"http://{options.host}:{listener.getsockname()[1]}"
        review = create_review(
            ReviewSettings(
                data_dir=options.data,
                database_url=options.database,
                s3_endpoint_url=options.s3_endpoint_url or None,
                region=options.region,
                account_id=options.account_id,
                public_url=options.public_url or address,
                api_keys=options.api_keys,
                events_to=options.events_to,
                events_endpoint_url=options.events_endpoint_url,
                trusted_proxies=tuple(part.strip() for part in options.trusted_proxies.split(",") if part),
                labeling_functions=tuple(options.labeling_function),
                lambda_endpoint=options.lambda_endpoint,
                logs_endpoint=options.logs_endpoint,
                auto_labeling=changed_by(
                    options.auto_labeling, AutoLabelingSettings(endpoint=options.sagemaker_endpoint)
                ),
                least_seconds=options.least_seconds,
                undo_seconds=options.undo_seconds,
                read_prefixes=(*options.read_prefix, *read_prefixes(os.environ)),
            )
        )
        review.start()
        listener.listen(512)
        print(f"review server ready: {address}", flush=True)
        listening.Server(review.asgi, review.settings.trusted_proxies).run(sockets=[listener])
    return 0


if __name__ == "__main__":
    # Whatever is made, answers and keys are in it: for nobody else on this machine.
    os.umask(0o077)
    sys.exit(main())
