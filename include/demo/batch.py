"""What the demo sees of the loop from outside: the bucket, the jobs, the human loops, as any AWS client does.

Takes the endpoints and credentials of a running stack, gives counts and metrics.
"""

from __future__ import annotations

import copy
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from include.stack import environment
from include.stack.settings import BUCKET, StackSettings

_TRAINING_LOGS = "/aws/sagemaker/TrainingJobs"


@dataclass(frozen=True)
class Job:
    """One SageMaker job, as summary.json has it. `seconds` is the time from its start to its end."""

    name: str
    kind: str
    status: str
    seconds: float


@dataclass(frozen=True)
class Plan:
    """The expected ``seconds`` of a batch's questions, and how many of them are audits, or asked ``again``;
    the others are doubts.
    """

    seconds: float
    audits: int
    again: int


class Batch:
    """Reads what one batch of one pipeline has produced. `folder` is the pipeline's, `date` the batch's."""

    def __init__(self, settings: StackSettings, folder: str, date: str) -> None:
        config = Config(proxies={}, retries={"max_attempts": 5})

        def clients(url: str, keys: dict[str, str], *services: str) -> Iterator[Any]:
            session = boto3.Session(**keys, region_name=environment.REGION)
            return (session.client(service, endpoint_url=url, config=config) for service in services)

        self.s3, self._sagemaker, self._logs = clients(
            settings.cloud.url, environment.keys(settings), "s3", "sagemaker", "logs"
        )
        self._review, self._loops = clients(
            settings.review.url, environment.review_keys(settings), "sagemaker", "sagemaker-a2i-runtime"
        )
        self._folder = folder
        self.date = date

    def on(self, date: str) -> Batch:
        """Another batch of the pipeline, by the same clients: to make them takes seconds."""
        other = copy.copy(self)
        other.date = date
        return other

    # ---- the bucket

    def read(self, key: str) -> bytes | None:
        """An object below the pipeline's folder, or None."""
        try:
            return self.s3.get_object(Bucket=BUCKET, Key=f"{self._folder}/{key}")["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            raise

    def read_json(self, key: str) -> dict[str, Any]:
        """FileNotFoundError when it is not there."""
        body = self.read(key)
        if body is None:
            raise FileNotFoundError(f"there is no s3://{BUCKET}/{self._folder}/{key}")
        return json.loads(body)

    def keys(self, prefix: str) -> list[str]:
        """The keys below a prefix of the pipeline's folder, without that folder."""
        start = f"{self._folder}/"
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=start + prefix)
        return [item["Key"][len(start) :] for page in pages for item in page.get("Contents", ())]

    def key(self, uri: str) -> str:
        """The key of an S3 URI below the pipeline's folder, without that folder."""
        return uri.removeprefix(f"s3://{BUCKET}/{self._folder}/")

    def outputs(self, training_job: str) -> dict[str, str]:
        """What a model said of each image in its own evaluation: image URI to the key of its .out object."""
        records = (self.read_json(key) for key in self.keys(f"evaluations/{training_job}/outputs-"))
        rows = (row for record in records for row in record["outputs"])
        return {row["image"]: self.key(row["out"]) for row in rows if row["out"]}

    def download(self, key: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.s3.get_object(Bucket=BUCKET, Key=f"{self._folder}/{key}")["Body"].read())

    def champion(self) -> dict[str, Any] | None:
        body = self.read("champion.json")
        return None if body is None else json.loads(body)

    def planned(self) -> Plan:
        """What triage planned of people's time, and for which questions."""
        import pandas as pd

        body = self.read(f"runs/dt={self.date}/triage.parquet") or b""
        rows = pd.read_parquet(io.BytesIO(body), columns=["decision", "reason", "again", "expected_seconds"])
        asked = rows[rows["decision"] == "ask"]
        return Plan(
            seconds=round(float(asked["expected_seconds"].sum()), 1),
            audits=int((asked["reason"] == "audit").sum()),
            again=int(asked["again"].notna().sum()),
        )

    def labels(self) -> dict[str, Any]:
        """What the batch's shard says of itself: asked, answers, labels, quarantined, reviewer_seconds."""
        return self.read_json(f"labels/dt={self.date}/summary.json")

    def verdict(self, training_job: str) -> dict[str, Any] | None:
        """What the gate said of a challenger, or None when it has said nothing."""
        body = self.read(f"evaluations/{training_job}/verdict.json")
        return None if body is None else json.loads(body)

    # ---- people

    def loop_states(self) -> Counter[str]:
        """How many of the batch's human loops are in which status."""
        return Counter(loop["HumanLoopStatus"] for loop in self._all_loops())

    def human_loops(self) -> dict[str, int]:
        """started, completed, failed (neither completed nor open) and duplicates (an image asked twice)."""
        loops = {loop["HumanLoopName"]: loop["HumanLoopStatus"] for loop in self._all_loops()}
        lines = (self.read(self._questions) or b"").split(b"\n")
        asked = (json.loads(line) for line in lines if line.strip())
        images = Counter(question["image"] for question in asked if question["loop"] in loops)
        completed = sum(status == "Completed" for status in loops.values())
        waiting = sum(status in ("InProgress", "Stopping") for status in loops.values())
        return {
            "started": len(loops),
            "completed": completed,
            "failed": len(loops) - completed - waiting,
            # A loop that no question of the batch knows was not asked for, and counts as one too many.
            "duplicates": len(loops) - len(images),
        }

    @property
    def _questions(self) -> str:
        return f"runs/dt={self.date}/questions.jsonl"

    def _all_loops(self) -> list[dict[str, Any]]:
        flows = self._review.get_paginator("list_flow_definitions").paginate()
        pager = self._loops.get_paginator("list_human_loops")
        prefix = f"{self._folder}-{self.date.replace('-', '')}-"
        return [
            loop
            for flow in flows
            for summary in flow["FlowDefinitionSummaries"]
            for page in pager.paginate(FlowDefinitionArn=summary["FlowDefinitionArn"])
            for loop in page["HumanLoopSummaries"]
            if loop["HumanLoopName"].startswith(prefix)
        ]

    # ---- jobs

    def jobs(self) -> list[Job]:
        """All training and transform jobs, oldest first."""
        found: list[tuple[Any, Job]] = []
        for kind, list_name, describe_name in (
            ("training", "list_training_jobs", "describe_training_job"),
            ("transform", "list_transform_jobs", "describe_transform_job"),
        ):
            word = kind.capitalize()
            for page in self._sagemaker.get_paginator(list_name).paginate():
                for summary in page[f"{word}JobSummaries"]:
                    name = summary[f"{word}JobName"]
                    job = getattr(self._sagemaker, describe_name)(**{f"{word}JobName": name})
                    began, ended = job.get(f"{word}StartTime"), job.get(f"{word}EndTime")
                    seconds = round((ended - began).total_seconds(), 1) if began and ended else 0.0
                    found.append((job["CreationTime"], Job(name, kind, job[f"{word}JobStatus"], seconds)))
        return [job for _, job in sorted(found, key=lambda pair: pair[0])]

    def endpoint(self) -> dict[str, str] | None:
        """The pipeline's endpoint: its name, status, and whose model it answers with; None without one."""
        records = self.keys("deployments/")
        if not records:
            return None
        served = self.read_json(records[-1])
        found = self._sagemaker.describe_endpoint(EndpointName=served["endpoint"])
        current = found["EndpointConfigName"] == served["config"]
        return {
            "name": served["endpoint"],
            "status": found["EndpointStatus"],
            "training_job": served["training_job"] if current else "",
        }

    def training_lines(self, job: str) -> list[str]:
        """What the training container has printed so far, from CloudWatch Logs."""
        try:
            streams = self._logs.describe_log_streams(
                logGroupName=_TRAINING_LOGS, logStreamNamePrefix=f"{job}/"
            )
        except ClientError:  # nothing has been logged yet
            return []
        return [
            event["message"]
            for stream in streams["logStreams"]
            for event in self._logs.get_log_events(
                logGroupName=_TRAINING_LOGS, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
        ]

    def running_training(self) -> str | None:
        """The name of a training job that is in progress."""
        running = self._sagemaker.list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"]
        return running[0]["TrainingJobName"] if running else None
