"""SageMaker's transform jobs and A2I's human loops, answered in the process that asks.

Takes the counted S3 (counted_s3.py) and a folder for what has to outlive a process; gives what the loop calls
of the two clients. A transform job has ended as soon as it is made, with an output for every name of its
manifest. A human loop stays open until ``answer`` lets people answer all of them; each answer is one box in
the middle. As many loops are open at once as the quota allows: 5,000.

They check nothing of a request, and there are no failed jobs, no failed loops and one flow definition.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.counted_s3 import Calls, CountedS3, Mirrored, failure

QUOTA = 5_000
FLOW = "arn:aws:sagemaker:us-east-1:000000000000:flow-definition/night"
ANSWERED = "2026-11-02T09:00:00.000Z"
# In a process of its own: the names of a million images are no memory of the step that is measured.
_NAMES = """import json, sys
names = json.load(open(sys.argv[1]))[1:]
open(sys.argv[2], "w").write("".join(sorted(name + "\\n" for name in names)))
"""


class CountedSageMaker:
    """The methods of a boto3 SageMaker client that a night calls: transform jobs, models, review setup."""

    def __init__(self, s3: CountedS3, folder: Path, calls: Calls, output: Any) -> None:
        """``output`` gives the bytes of a name's prediction."""
        self._s3, self._folder, self._calls, self._output = s3, folder, calls, output
        folder.mkdir(parents=True, exist_ok=True)
        for job in sorted(folder.glob("*.json")):
            self._mirror(json.loads(job.read_text()))

    def create_transform_job(self, **request: Any) -> dict[str, Any]:
        with self._calls.one("CreateTransformJob"):
            name = request["TransformJobName"]
            manifest = request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"].split("/", 3)[3]
            folder = request["TransformOutput"]["S3OutputPath"].split("/", 3)[3]
            job = {"name": name, "folder": folder}
            source, names = self._s3.path(manifest), self._folder / f"{name}.names"
            subprocess.run([sys.executable, "-c", _NAMES, source, names], check=True)  # noqa: S603
            (self._folder / f"{name}.json").write_text(json.dumps(job))
            self._mirror(job)
            return {}

    def describe_transform_job(self, *, TransformJobName: str) -> dict[str, Any]:
        with self._calls.one("DescribeTransformJob"):
            if not (self._folder / f"{TransformJobName}.json").exists():
                raise failure("ValidationException", 400, "DescribeTransformJob")
            began = datetime(2026, 11, 2, tzinfo=UTC)
            return {
                "TransformJobStatus": "Completed",
                "TransformStartTime": began,
                "TransformEndTime": began + timedelta(minutes=10),
            }

    def describe_model(self, *, ModelName: str) -> dict[str, Any]:
        with self._calls.one("DescribeModel"):
            return {"ModelName": ModelName}

    def describe_human_task_ui(self, *, HumanTaskUiName: str) -> dict[str, Any]:
        with self._calls.one("DescribeHumanTaskUi"):
            return {"HumanTaskUiArn": f"{FLOW}-ui"}

    def describe_workteam(self, *, WorkteamName: str) -> dict[str, Any]:
        with self._calls.one("DescribeWorkteam"):
            return {"Workteam": {"WorkteamArn": f"{FLOW}-team"}}

    def describe_flow_definition(self, *, FlowDefinitionName: str) -> dict[str, Any]:
        with self._calls.one("DescribeFlowDefinition"):
            return {"FlowDefinitionStatus": "Active", "FlowDefinitionArn": FLOW}

    def _mirror(self, job: dict[str, str]) -> None:
        self._s3.mirrored.append(Mirrored(job["folder"], self._folder / f"{job['name']}.names", self._output))


class CountedReview:
    """The methods of a boto3 A2I client that a night calls, and the people who answer."""

    def __init__(self, s3: CountedS3, folder: Path, calls: Calls) -> None:
        self._calls, self._folder, self._list = calls, folder, folder / "names"
        self._answered = folder / "answered"
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self._list.touch()
        self._started = self._list.read_text().count("\n")
        s3.computed.append(self._output)

    def answer(self) -> None:
        """People answer all that is open."""
        self._answered.write_text(str(self._started))

    def start_human_loop(
        self, *, HumanLoopName: str, FlowDefinitionArn: str, HumanLoopInput: dict[str, str]
    ) -> dict[str, Any]:
        with self._calls.one("StartHumanLoop"), self._lock:
            if self._started - self._ended() >= QUOTA:
                raise failure("ServiceQuotaExceededException", 402, "StartHumanLoop")
            self.place(HumanLoopName, json.loads(HumanLoopInput["InputContent"]))
            return {"HumanLoopArn": f"{FLOW}/{HumanLoopName}"}

    def place(self, name: str, content: dict[str, Any]) -> None:
        """A loop that is there, whoever started it, and however many there are."""
        (self._folder / name).write_text(json.dumps({"number": self._started, "input": content}))
        with self._list.open("a") as names:
            names.write(f"{name}\n")
        self._started += 1

    def describe_human_loop(self, *, HumanLoopName: str) -> dict[str, Any]:
        with self._calls.one("DescribeHumanLoop"):
            path = self._folder / HumanLoopName
            if not path.exists():
                raise failure("ResourceNotFoundException", 404, "DescribeHumanLoop")
            number = json.loads(path.read_text())["number"]
            return {
                "HumanLoopName": HumanLoopName,
                "HumanLoopStatus": "Completed" if number < self._ended() else "InProgress",
                "HumanLoopArn": f"{FLOW}/{HumanLoopName}",
                "FlowDefinitionArn": FLOW,
                "CreationTime": datetime.now(UTC),
                "HumanLoopOutput": {"OutputS3Uri": f"s3://night/reviews/{HumanLoopName}/output.json"},
            }

    def get_paginator(self, operation: str) -> CountedReview:
        if operation != "list_human_loops":
            raise NotImplementedError(operation)
        return self

    def paginate(self, *, PaginationConfig: dict[str, int], **_: Any) -> Iterator[dict[str, Any]]:
        """All loops, whenever they were made: pages of a hundred."""
        page: dict[str, Any] = {"NextToken": "0"}
        while "NextToken" in page:
            page = self.list_human_loops(MaxResults=PaginationConfig["PageSize"], NextToken=page["NextToken"])
            yield page

    def list_human_loops(self, *, MaxResults: int = 100, NextToken: str = "0", **_: Any) -> dict[str, Any]:
        """A page from the place that the token names: byte and number of the first loop."""
        with self._calls.one("ListHumanLoops"):
            place, __, first = NextToken.partition(":")
            number, ended, now = int(first or 0), self._ended(), datetime.now(UTC)
            summaries: list[dict[str, Any]] = []
            with self._list.open() as names:
                names.seek(int(place))
                while len(summaries) < MaxResults and (line := names.readline()):
                    status = "Completed" if number < ended else "InProgress"
                    summaries.append(
                        {
                            "HumanLoopName": line.rstrip(),
                            "HumanLoopStatus": status,
                            "CreationTime": now,
                            "FlowDefinitionArn": FLOW,
                        }
                    )
                    number += 1
                more = {"NextToken": f"{names.tell()}:{number}"} if number < self._started else {}
            return {"HumanLoopSummaries": summaries, **more}

    def _ended(self) -> int:
        return int(self._answered.read_text()) if self._answered.exists() else 0

    def _output(self, key: str) -> bytes | None:
        """The output.json of a loop that has ended."""
        folder, _, name = key.removesuffix("/output.json").rpartition("/")
        if folder != "reviews" or not (self._folder / name).exists():
            return None
        asked = json.loads((self._folder / name).read_text())["input"]
        size = {"width": 24, "height": 18}
        label = asked["labels"][0] if asked.get("labels") else "cat"
        box = {"label": label, "left": 8, "top": 6, "width": 10, "height": 8}
        answer = {
            "answerContent": {"annotatedResult": {"boundingBoxes": [box], "inputImageProperties": size}},
            "submissionTime": ANSWERED,
            "timeSpentInSeconds": 7.5,
            "workerId": "ann",
        }
        output = {"flowDefinitionArn": FLOW, "humanAnswers": [answer], "humanLoopName": name}
        return json.dumps(output | {"inputContent": asked}).encode()
