"""``python -m include.local_cloud.instance KIND NAME --data DIR``: started by the dispatcher, never by hand.

Holds the lock of its place while it works. Ends with status 0 when its work is done, and leaves its record
behind when it was interrupted, so that the next cloud starts the job again.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from include.local_cloud.control import outcomes
from include.local_cloud.control.algorithms import Algorithms
from include.local_cloud.instance import files
from include.local_cloud.instance.context import InstanceContext
from include.local_cloud.instance.deployment import Deployment
from include.local_cloud.instance.faults import Interrupted
from include.local_cloud.instance.training import TrainingJob
from include.local_cloud.instance.transform import TransformJob
from include.local_cloud.locks import Lock
from include.local_cloud.settings import Settings
from include.local_cloud.store import AT_WORK, DEPLOYMENT, INSTANCE, TRAINING_JOB, TRANSFORM_JOB, Store
from include.wire import AwsError


def main() -> None:
    kinds = {kind.arn: kind for kind in (TRAINING_JOB, TRANSFORM_JOB, DEPLOYMENT)}
    parser = argparse.ArgumentParser(prog="python -m include.local_cloud.instance", description=__doc__)
    parser.add_argument("kind", choices=kinds)
    parser.add_argument("name")
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()

    settings = Settings.load(arguments.data)
    kind = kinds[arguments.kind]
    lock = Lock.take(settings.instances / kind.arn / arguments.name / "lock")
    if lock is None:
        return  # another instance works here
    context = InstanceContext(settings, Store(settings.documents), kind, arguments.name)
    if context.document[kind.status] in AT_WORK[kind]:
        context.watch.listen()
        with context.store.change(INSTANCE, context.key) as record:
            record |= {"pid": os.getpid(), "interrupted": False}
        try:
            run(context, Algorithms(settings.algorithms))
        except AwsError as error:  # an image that this cloud knew when it accepted the request
            outcomes.failed(context.store, context.kind, context.name, f"ClientError: {error.message}")
        except Interrupted:
            with context.store.change(INSTANCE, context.key) as record:
                record["interrupted"] = True
            return
    context.store.delete(INSTANCE, context.key)
    files.remove(context.home)


def run(context: InstanceContext, algorithms: Algorithms) -> None:
    if context.kind is TRANSFORM_JOB:
        TransformJob(context).run()
    elif context.kind is DEPLOYMENT:
        Deployment(context).run()
    else:
        TrainingJob(
            context, algorithms.of_image(context.document["AlgorithmSpecification"]["TrainingImage"])
        ).run()


if __name__ == "__main__":
    main()
