"""kill -9 of the cloud, again and again: nothing is torn, nothing is lost, nobody is left behind."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.local_cloud.test_restarts import algorithms_of, start_sleeper, work_of
from tests.support.cloud import ROOT, LocalCloud, eventually
from tests.support.sagemaker import ENDED, make_model, training_request, transform_request, unpacked

_TROUBLE = (ClientError, BotoCoreError)

# Puts an object twice and dies at one of the renames of the second time, then says what a new start finds.
# With "same tick" the two files get the same time, as on a machine that is fast enough for one tick of the
# file system's clock: times cannot tell then what belongs together.
_TWICE = """
import asyncio, os, signal, sys
from pathlib import Path
root, point, same_tick = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "same tick"
from include.local_cloud.base import object_files
from ministack.services import s3
def call(method, path, body=b"", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(s3.handle_request(method, path, named, body, {}))
object_files.install(root)
call("PUT", "/bucket")
call("PUT", "/bucket/k", b"1" * 1_000, content_type="image/png", x_amz_meta_which="one")
if not os.fork():
    done, replace = 0, os.replace
    def counted(source, target):
        global done
        done += 1
        if done == point:
            if same_tick:
                for path in Path(root).rglob("k*"):
                    os.utime(path, (1, 1))
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
    os.replace = counted
    call("PUT", "/bucket/k", b"2" * 1_800, content_type="image/jpeg", x_amz_meta_which="two")
    os.kill(os.getpid(), signal.SIGKILL)
os.wait()
s3._buckets._data.clear()
object_files.install(root)
status, headers, body = call("GET", "/bucket/k")
told = [headers.get(name) for name in ("Content-Type", "x-amz-meta-which", "Content-Length", "ETag")]
print(repr((status, body, *told)))
print(sorted(path.name for path in root.rglob("k*")))
"""


@pytest.mark.parametrize(("point", "which"), [(1, "one"), (2, "two"), (3, "two")])
@pytest.mark.parametrize("tick", ["same tick", "later"])
def test_an_object_written_again_is_the_old_one_or_the_new_one(
    tmp_path: Path, point: int, which: str, tick: str
) -> None:
    command = [sys.executable, "-c", _TWICE, str(tmp_path), str(point), tick]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    found, files = said.stdout.splitlines()[-2:]
    body, kind = {"one": (b"1" * 1_000, "image/png"), "two": (b"2" * 1_800, "image/jpeg")}[which]
    etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    assert found == repr((200, body, kind, which, str(len(body)), etag))
    assert files == "['k', 'k.meta.json']"


class Drill:
    """A cloud that is killed in the middle of things, and what was promised to its callers."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud, self.random, self.kills = cloud, random.Random(7), Counter[str]()
        self.bucket = cloud.make_bucket("drill")
        # Without tries of its own: a call ends with the cloud that it was made to.
        self.sagemaker, self.s3 = (
            cloud.session().client(
                service, endpoint_url=cloud.endpoint_url, config=Config(retries={"total_max_attempts": 1})
            )
            for service in ("sagemaker", "s3")
        )
        self._written = self._tried = 0

    def ask(self, kind: str, request: Callable[[], object], is_done: Callable[[], object]) -> None:
        """Make a request, be killed while it is answered or worked on, and twice more after the restart.

        What was answered must be known afterwards; what was not is asked for again.
        """
        answered = self._killed(kind, self.random.uniform(0, 0.9), request)
        if answered:
            assert is_done(), f"{kind} was answered, and is not known after a kill"
        if not answered and not is_done():
            request()
        for _ in range(2):
            self._killed(kind, self.random.uniform(0, 0.6), lambda: None)

    def _killed(self, kind: str, seconds: float, request: Callable[[], object]) -> bool:
        timer, answered = threading.Timer(seconds, self.cloud.kill), False
        with self._writer():
            timer.start()
            with suppress(*_TROUBLE):
                request()
                answered = True
            timer.join()
        self.kills[kind] += 1
        self.cloud.start()
        self._check_object()
        return answered

    @contextmanager
    def _writer(self) -> Iterator[None]:
        """Somebody who writes one key as fast as it goes, until the cloud is gone."""

        def write() -> None:
            with suppress(*_TROUBLE):
                while True:
                    self._tried += 1
                    self.s3.put_object(Bucket=self.bucket, Key="again", **content(self._tried))
                    self._written = self._tried

        thread = threading.Thread(target=write)
        thread.start()
        yield
        thread.join()

    def _check_object(self) -> None:
        """What was written last, or what was being written; whole, with everything that belongs to it."""
        if not self._written and not self.s3.list_objects_v2(Bucket=self.bucket, Prefix="again")["KeyCount"]:
            return
        found = self.s3.get_object(Bucket=self.bucket, Key="again")
        number = int(found["Metadata"]["number"])
        assert number in (self._written, self._tried)
        expected, body = content(number), found["Body"].read()
        assert (body, found["ContentType"]) == (expected["Body"], expected["ContentType"])
        assert found["ETag"] == f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        assert found["ContentLength"] == len(body)
        self._written = number


def content(number: int) -> dict[str, Any]:
    body = f"{number} ".encode() * (20_000 + number % 7 * 3_000)
    return {"Body": body, "ContentType": f"image/x-{number}", "Metadata": {"number": str(number)}}


class Work:
    """Training jobs, transform jobs and changes of one endpoint, each followed to its right end."""

    def __init__(self, drill: Drill) -> None:
        self.drill, self.cloud, self.bucket = drill, drill.cloud, drill.bucket
        self.sagemaker = drill.sagemaker
        for number in range(3):
            self.cloud.client("s3").put_object(Bucket=self.bucket, Key=f"in/{number}", Body=b"x" * number)
        for version in "ab":
            make_model(self.cloud, self.bucket, f"model-{version}", ECHO=version)
            variant = {"VariantName": "main", "ModelName": f"model-{version}", "InitialInstanceCount": 1}
            self.sagemaker.create_endpoint_config(
                EndpointConfigName=version, ProductionVariants=[variant | {"InstanceType": "ml.m5.large"}]
            )

    def train(self, name: str) -> None:
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{self.bucket}/in/"}}
        channels = [{"ChannelName": "train", "DataSource": source}]
        request = training_request(name, self.bucket, InputDataConfig=channels)

        def described() -> dict[str, Any] | None:
            return self._found(self.sagemaker.describe_training_job, TrainingJobName=name)

        self.drill.ask("training", lambda: self.sagemaker.create_training_job(**request), described)
        job = eventually(lambda: ended(described(), "TrainingJob"), within=120)
        assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
        seen = json.loads(unpacked(self.cloud, job["ModelArtifacts"]["S3ModelArtifacts"])["seen.json"])[
            "seen"
        ]
        assert seen == {"train": {"0": 0, "1": 1, "2": 2}}

    def transform(self, name: str) -> None:
        request = transform_request(name, self.bucket, "model-a")
        request["TransformOutput"]["S3OutputPath"] = f"s3://{self.bucket}/{name}"

        def described() -> dict[str, Any] | None:
            return self._found(self.sagemaker.describe_transform_job, TransformJobName=name)

        self.drill.ask("transform", lambda: self.sagemaker.create_transform_job(**request), described)
        job = eventually(lambda: ended(described(), "TransformJob"), within=120)
        assert job["TransformJobStatus"] == "Completed", job["FailureReason"]
        for number in range(3):
            output = self.drill.s3.get_object(Bucket=self.bucket, Key=f"{name}/{number}.out")["Body"].read()
            assert json.loads(output)["sha256"] == hashlib.sha256(b"x" * number).hexdigest()

    def endpoint(self, change: str, version: str = "") -> None:
        place = {"EndpointName": "endpoint", **({"EndpointConfigName": version} if version else {})}

        def described() -> dict[str, Any] | None:
            return self._found(self.sagemaker.describe_endpoint, EndpointName="endpoint")

        def is_done() -> bool:
            found = described()
            if change == "delete":
                return found is None or found["EndpointStatus"] == "Deleting"
            return found is not None and found.get("EndpointStatus") != "Deleting" and asked_for(found)

        def asked_for(found: dict[str, Any]) -> bool:
            return change == "create" or "Updating" in found["EndpointStatus"] or served(found)

        def served(found: dict[str, Any]) -> bool:
            return bool(found["EndpointStatus"] == "InService" and found["EndpointConfigName"] == version)

        request = getattr(self.sagemaker, f"{change}_endpoint")
        self.drill.ask("endpoint", lambda: request(**place), is_done)
        if change == "delete":
            eventually(lambda: described() is None, within=120)
            return
        eventually(lambda: served(described() or {"EndpointStatus": ""}), within=120)
        assert eventually(self.answer, within=120) == version

    def answer(self) -> str | None:
        with suppress(ClientError):
            reply = self.cloud.client("sagemaker-runtime").invoke_endpoint(EndpointName="endpoint", Body=b"x")
            return str(json.loads(reply["Body"].read())["environment"])
        return None

    @staticmethod
    def _found(describe: Callable[..., dict[str, Any]], **name: str) -> dict[str, Any] | None:
        with suppress(ClientError):
            return describe(**name)
        return None


def ended(job: dict[str, Any] | None, kind: str) -> dict[str, Any] | None:
    return job if job is not None and job[f"{kind}Status"] in ENDED else None


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_kills_of_the_cloud_lose_tear_and_leave_nothing(tmp_path: Path) -> None:
    """``NIGHTLOOP_KILL_ROUNDS=4`` kills it 33 times."""
    rounds = int(os.environ.get("NIGHTLOOP_KILL_ROUNDS", "1"))
    with LocalCloud(tmp_path / "cloud", "--stop-grace", "1") as cloud:
        drill = Drill(cloud)
        work = Work(drill)
        for number in range(rounds):
            work.train(f"train-{number}")
        for number in range(rounds):
            work.transform(f"transform-{number}")
        work.endpoint("create", "a")
        work.endpoint("update", "b")
        work.endpoint("delete")

        assert drill.kills == {"training": 3 * rounds, "transform": 3 * rounds, "endpoint": 9}
        assert eventually(lambda: not work_of(cloud))
        assert eventually(lambda: not any((cloud.data / "instances").glob("*/*")))
        assert not list((cloud.data / "s3").rglob("*.tmp"))


def test_a_container_ends_with_its_instance(tmp_path: Path) -> None:
    """With nobody there to clean up: the cloud is killed first, and does not come back."""
    with LocalCloud(tmp_path / "cloud") as cloud:
        start_sleeper(cloud)
        (algorithm,) = algorithms_of(cloud)
        (instance,) = (
            each for each in algorithm.parents() if "include.local_cloud.instance" in each.cmdline()
        )
        cloud.kill()
        instance.kill()
        psutil.wait_procs([algorithm], timeout=60)
        assert not algorithm.is_running()
