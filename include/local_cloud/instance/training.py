"""A training job on its machine: Downloading, Training, Uploading, and one of the three ends.

Takes the job's document, leaves the model archive in S3, log and metrics in CloudWatch and the outcome in
the document.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from include.local_cloud.control import outcomes, request_members
from include.local_cloud.control.algorithms import Algorithm
from include.local_cloud.instance import archives, channels, files
from include.local_cloud.instance.checkpoints import Checkpoints
from include.local_cloud.instance.cloud import Cloud
from include.local_cloud.instance.container import Container, MlTree, wait_for
from include.local_cloud.instance.context import InstanceContext
from include.local_cloud.instance.faults import AlgorithmFault, ClientFault, StopRequested
from include.local_cloud.instance.logs import LogStream
from include.local_cloud.instance.metric_stream import MetricStream
from include.local_cloud.instance.pipes import Pipe
from include.local_cloud.store import TRAINING_JOB, Document

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
_OUT_OF_TIME = {
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds",
    "MaxWaitTimeExceeded": outcomes.WAITED_TOO_LONG,
}
_REASON_PREFIXES = ("ClientError", "AlgorithmError", "InternalServerError")


class TrainingJob:
    """``run`` takes the job from where it is to its end; it raises only when this process must end."""

    def __init__(self, context: InstanceContext, algorithm: Algorithm) -> None:
        self._context, self._algorithm = context, algorithm
        self._job = context.document
        self._out_of_time = ""  # the secondary status that says which time
        definitions = self._job["AlgorithmSpecification"].get("MetricDefinitions", [])
        self._metrics = Metrics({item["Name"]: item["Regex"] for item in definitions})

    def run(self) -> None:
        context = self._context
        stream = f"{context.name}/algo-1-{int(time.time() * 1000)}"
        try:
            with (
                LogStream(context.cloud, LOG_GROUP, stream) as log,
                MetricStream(context.cloud, context.name, log.say) as metrics,
            ):
                self._work(log, metrics)
        except StopRequested:
            self._end("Stopped")
        except ClientFault as fault:
            self._end("Failed", reason=f"ClientError: {fault}")
        except AlgorithmFault as fault:
            self._end("Failed", reason=str(fault))
        else:
            if self._out_of_time:
                message = _OUT_OF_TIME[self._out_of_time]
                self._end("Stopped", secondary=self._out_of_time, message=message)
            else:
                self._end("Stopped" if context.watch.stop_requested else "Completed")

    def _work(self, log: LogStream, metrics: MetricStream) -> None:
        context, job = self._context, self._job
        context.watch.check()
        if context.restarted:
            spot = job["EnableManagedSpotTraining"]
            context.move(
                "Interrupted" if spot else "Restarting",
                "The machine was lost: the training job starts again, from its checkpoints if it has any",
            )
        with context.change() as document:
            document["TrainingStartTime"] = datetime.now(UTC)
        request_members.tell(log.say, job)
        context.move("Downloading", "Downloading input data")
        tree = MlTree(context.home / "ml")
        channels.write_configuration(tree, job)
        checkpoints = None
        if config := job.get("CheckpointConfig"):
            checkpoints = Checkpoints(context.cloud, config, tree)
            checkpoints.restore(context.watch.check)
        pipes = []
        for channel in job.get("InputDataConfig", []):
            context.watch.check()
            if channels.mode_of(channel, job) == "Pipe":
                pipes.append(Pipe(context.cloud, channel, tree.data))
            else:
                channels.download(
                    context.cloud, channel, tree.data / channel["ChannelName"], context.watch.check
                )
        context.move("Training", "Training image download completed. Training in progress.")
        self._train(tree, pipes, checkpoints, log, metrics)
        context.move("Uploading", "Uploading generated training model")
        self._upload(tree, context.cloud)

    def _train(
        self,
        tree: MlTree,
        pipes: list[Pipe],
        checkpoints: Checkpoints | None,
        log: LogStream,
        metrics: MetricStream,
    ) -> None:
        """Run the container to its end, asked for or not. Raises ``AlgorithmFault`` when it failed."""

        def say(line: str) -> None:
            log.say(line)
            for name, value, moment in self._metrics.read(line):
                metrics.add(name, value, moment)

        job = self._job
        contract = {
            "TRAINING_JOB_NAME": job["TrainingJobName"],
            "TRAINING_JOB_ARN": job["TrainingJobArn"],
        }
        container = Container(
            self._algorithm, "train", tree, self._context.settings, job.get("Environment", {}), say, contract
        )
        try:
            self._context.record(container.identity)
            for pipe in pipes:
                pipe.start()
            self._attend(container, pipes, checkpoints)
            code = container.finish()
            if checkpoints is not None:
                checkpoints.finish()
        finally:
            container.kill()
            for pipe in pipes:
                pipe.stop()
        self._check(pipes)
        asked_to_stop = self._context.watch.stop_requested or self._out_of_time
        if code != 0 and not asked_to_stop:
            raise AlgorithmFault(_reason(tree.failure(), code, list(container.last_lines)))

    def _attend(self, container: Container, pipes: list[Pipe], checkpoints: Checkpoints | None) -> None:
        """Until the container has exited: stop it when asked to or when its time is up, and mind pipes and
        checkpoints.
        """
        watch = self._context.watch
        seconds, which = self._time_left()
        give_up = time.monotonic() + seconds
        kill_at: float | None = None

        def look() -> None:
            nonlocal kill_at
            watch.look()
            self._check(pipes)
            if checkpoints is not None:
                checkpoints.look()
            now = time.monotonic()
            if kill_at is None and (watch.stop_requested or now > give_up):
                self._out_of_time = "" if watch.stop_requested else which
                container.terminate()
                kill_at = now + self._context.settings.stop_grace
            elif kill_at is not None and now > kill_at:
                container.kill()

        wait_for(lambda: container.exit_code() is not None, look)

    def _time_left(self) -> tuple[float, str]:
        """Seconds until the job is to be stopped, and the secondary status it then ends with.

        The runtime counts from now, the wait time of a spot job from its creation.
        """
        condition = self._job["StoppingCondition"]
        limits = [(float(condition["MaxRuntimeInSeconds"]), "MaxRuntimeExceeded")]
        if wait := condition.get("MaxWaitTimeInSeconds"):
            waited = (datetime.now(UTC) - self._job["CreationTime"]).total_seconds()
            limits.append((wait - waited, "MaxWaitTimeExceeded"))
        return min(limits)

    @staticmethod
    def _check(pipes: list[Pipe]) -> None:
        for pipe in pipes:
            if pipe.fault is not None:
                raise ClientFault(f"channel {pipe.name}: {pipe.fault}")

    def _upload(self, tree: MlTree, cloud: Cloud) -> None:
        """``{S3OutputPath}/{job}/output/model.tar.gz`` and ``output.tar.gz``; what is empty is not
        uploaded.
        """
        target = self._job["OutputDataConfig"]["S3OutputPath"].rstrip("/") + f"/{self._context.name}/output"
        compressed = self._job["OutputDataConfig"].get("CompressionType", "GZIP") == "GZIP"
        for directory, name in ((tree.model, "model"), (tree.output_data, "output")):
            if archives.is_empty(directory):
                continue
            where = f"{target}/{name}.tar.gz" if compressed else f"{target}/{name}/"
            if compressed:
                archive = tree.root / f"{name}.tar.gz"
                archives.pack(directory, archive)
                cloud.upload(archive, where)
            else:
                _upload_files(cloud, directory, where)
            if name == "model":
                with self._context.change() as document:
                    document["ModelArtifacts"] = {"S3ModelArtifacts": where}

    def _end(self, status: str, *, secondary: str = "", message: str = "", reason: str = "") -> None:
        with self._context.change() as document:
            document["FinalMetricDataList"] = self._metrics.final()
            outcomes.end(document, TRAINING_JOB, status, secondary=secondary, message=message, reason=reason)


class Metrics:
    """The last value of each metric that the log has shown."""

    def __init__(self, definitions: Mapping[str, str]) -> None:
        self._patterns = {name: re.compile(regex) for name, regex in definitions.items()}
        self._last: dict[str, tuple[float, datetime]] = {}

    def read(self, line: str) -> list[tuple[str, float, datetime]]:
        """What this line shows: (name, value, now)."""
        seen = []
        for name, pattern in self._patterns.items():
            if (found := pattern.search(line)) and (value := _number(found)) is not None:
                self._last[name] = (value, datetime.now(UTC))
                seen.append((name, *self._last[name]))
        return seen

    def final(self) -> list[Document]:
        return [
            {"MetricName": name, "Value": value, "Timestamp": moment}
            for name, (value, moment) in self._last.items()
        ]


def _number(found: re.Match[str]) -> float | None:
    # The documented expressions of the losses take the parentheses along: "(0.912)".
    try:
        value = float((found.group(found.re.groups and 1) or "").strip("()"))
    except ValueError:
        return None
    return value if math.isfinite(value) else None  # JSON has no other numbers


def _reason(failure: str, code: int, last_lines: list[str]) -> str:
    said = failure or " | ".join(last_lines) or "the container said nothing"
    ending = f", exit code: {code}" if code > 0 else f", killed by signal {-code}"
    prefix = "" if said.startswith(_REASON_PREFIXES) else "AlgorithmError: "
    return prefix + said[: outcomes.MAX_REASON - len(prefix) - len(ending)] + ending


def _upload_files(cloud: Cloud, directory: Path, where: str) -> None:
    for found in files.regular(directory):
        cloud.upload(Path(found.path), where + found.name)
