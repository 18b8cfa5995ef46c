"""``train``: a training job for any labels, for a pipeline or by hand, from its request to its end."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from include.loop.aws.jobs import Job
from include.loop.commands.base import clients
from include.loop.commands.hints import PROGRAM, runnable
from include.loop.config import load_environment, load_pipeline
from include.loop.core.errors import ConfigurationError
from include.loop.lineage.text import printable
from include.loop.training.by_hand import Plan, Wish, next_name, plan, start
from include.loop.training.follow import follow

INTERRUPTED = 130  # the exit status of a program that Ctrl-C has ended


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "train",
        help="train a model on any labels, and follow the job to its end",
        description="Finds out what the labels are, makes the request that the loop would send for them, "
        "sends it and follows the job until it is Completed (exit status 0), Failed or Stopped (1). Nothing "
        "of a pipeline changes by it. The same command sends the same request once: it finds the job again.",
    )
    parser.add_argument(
        "--train",
        metavar="S3URI",
        help="labels to learn: a manifest, a .rec, or a prefix/ of .rec",
    )
    parser.add_argument("--validation", metavar="S3URI", help="those to measure with, after each epoch")
    parser.add_argument(
        "--label", metavar="ATTRIBUTE", help="the label attribute; default: the only one there is"
    )
    parser.add_argument(
        "--pipeline",
        metavar="NAME",
        help="take the classes and settings of this pipeline; default: those that the labels need",
    )
    parser.add_argument(
        "--from", dest="parent", metavar="JOB|S3URI", help="go on from this job's model, or from an artifact"
    )
    parser.add_argument(
        "--hyperparameter",
        "-p",
        action="append",
        type=_pair,
        default=[],
        metavar="NAME=VALUE",
        help="may be given again; comes last",
    )
    parser.add_argument("--output", metavar="S3URI", help="for the model; default: the pipeline's folder")
    parser.add_argument("--print-request", action="store_true", help="print the request, and send nothing")
    parser.add_argument("--attach", metavar="JOB", help="follow a job that was started before")
    parser.add_argument("--logs", action="store_true", help="print every line of the job's log")
    parser.set_defaults(run=_train)


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, not {text!r}")
    return name, value


def _train(options: argparse.Namespace) -> int:
    if options.attach:
        return _follow(options, options.attach)
    if not options.train or not options.validation:
        raise ConfigurationError("give --train and --validation, or --attach with the name of a job")
    connected = clients()
    planned = plan(
        connected,
        load_environment(),
        load_pipeline(options.pipeline) if options.pipeline else None,
        Wish(
            train=options.train,
            validation=options.validation,
            label=options.label,
            parent=options.parent,
            hyperparameters=dict(options.hyperparameter),
            output=options.output,
        ),
    )
    if options.print_request:
        request = {"TrainingJobName": next_name(connected, planned)} | planned.request
        print(json.dumps(request, indent=2, ensure_ascii=False))
        return 0
    _say_plan(planned)
    return _follow(options, start(connected, planned).name)


def _say_plan(planned: Plan) -> None:
    _say(f"{planned.attribute or 'RecordIO'}, {planned.images} images, classes by index:")
    _say("  " + ", ".join(planned.classes))


def _follow(options: argparse.Namespace, name: str) -> int:
    _say(f"training job {name}")
    try:
        job = follow(clients(), name, load_environment().poll_seconds, _say, options.logs)
    except KeyboardInterrupt:
        print(
            f"\nThe job goes on. To follow it again: {runnable(f'{PROGRAM} train --attach {name}')}\n"
            f"To stop it: {runnable(f'aws sagemaker stop-training-job --training-job-name {name}')}",
            file=sys.stderr,
        )
        return INTERRUPTED
    return _end(job)


def _end(job: Job) -> int:
    if not job.completed:
        print(printable(f"{job.name} {job.status}: {job.reason}"), file=sys.stderr)
        return 1
    for metric in job.details.get("FinalMetricDataList", ()):
        _say(f"{metric['MetricName']} {metric['Value']:g}")
    _say(f"Completed in {job.seconds:g} seconds: {job.details['ModelArtifacts']['S3ModelArtifacts']}")
    _say(f"To try it: {runnable(f'{PROGRAM} predict IMAGE --model {job.name}')}")
    return 0


def _say(text: str) -> None:
    print(printable(text), flush=True)
