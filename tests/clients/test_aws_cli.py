"""Amazon's own command line, in the ways that people use it every day."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.local_cloud.control.test_endpoints import make_config
from tests.local_cloud.test_aws_tools import aws
from tests.support.cloud import LocalCloud, eventually
from tests.support.sagemaker import make_model, trained, training_request, transform_request, transformed

# Version 2 is no package of PyPI; Debian has it (apt-get install awscli). Only it has `aws logs tail`.
SYSTEM_AWS = shutil.which("aws", path="/usr/local/bin:/usr/bin:/bin")
FILES = {"a.txt": "a", "sub/ü b+c.txt": "odd", "sub/empty": "", "%41.txt": "percent"}


def test_sync_makes_both_sides_the_same(cloud: LocalCloud, bucket: str, tmp_path: Path) -> None:
    here, there, place = tmp_path / "here", tmp_path / "there", f"s3://{bucket}/folder"
    for name, text in FILES.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(text)

    def keys() -> set[str]:
        found = cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix="folder/")
        return {item["Key"].removeprefix("folder/") for item in found.get("Contents", [])}

    aws(cloud, "s3", "sync", str(here), place)
    assert keys() == FILES.keys()
    assert aws(cloud, "s3", "sync", str(here), place) == "", "what is there already is not sent again"
    (here / "a.txt").unlink()
    (here / "sub/empty").write_text("no longer")
    said = aws(cloud, "s3", "sync", str(here), place, "--delete", "--no-progress")
    assert sorted(line.split(":")[0] for line in said.splitlines()) == ["delete", "upload"]
    assert keys() == FILES.keys() - {"a.txt"}
    there.mkdir()
    (there / "left over").touch()
    aws(cloud, "s3", "sync", place, str(there), "--delete")
    for name in FILES.keys() - {"a.txt"}:
        assert (there / name).read_text() == (here / name).read_text()
    assert not (there / "left over").exists()


def test_a_presigned_address_is_for_curl(cloud: LocalCloud, bucket: str) -> None:
    cloud.client("s3").put_object(Bucket=bucket, Key="a b/ü+1.txt", Body=b"0123456789")
    url = aws(cloud, "s3", "presign", f"s3://{bucket}/a b/ü+1.txt").strip()
    command = ["curl", "--silent", "--fail", "--range", "2-4", url]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"234"


def test_wait_returns_when_a_job_or_an_endpoint_is_there(cloud: LocalCloud, bucket: str) -> None:
    """Its waiters look every half minute or two: what they wait for is over before they start."""
    sagemaker = cloud.client("sagemaker")
    cloud.client("s3").put_object(Bucket=bucket, Key="in/1", Body=b"x")
    sagemaker.create_training_job(**training_request(f"{bucket}-j", bucket))
    model = make_model(cloud, bucket, f"{bucket}-m")
    sagemaker.create_transform_job(**transform_request(f"{bucket}-t", bucket, model))
    config = make_config(cloud, bucket, "c")
    sagemaker.create_endpoint(EndpointName=bucket, EndpointConfigName=config)
    trained(cloud, f"{bucket}-j")
    transformed(cloud, f"{bucket}-t")
    eventually(lambda: sagemaker.describe_endpoint(EndpointName=bucket)["EndpointStatus"] == "InService")
    wait = ("sagemaker", "wait")
    aws(cloud, *wait, "training-job-completed-or-stopped", "--training-job-name", f"{bucket}-j")
    aws(cloud, *wait, "transform-job-completed-or-stopped", "--transform-job-name", f"{bucket}-t")
    aws(cloud, *wait, "endpoint-in-service", "--endpoint-name", bucket)
    sagemaker.delete_endpoint(EndpointName=bucket)


def test_logs_and_metrics_by_the_command_line(cloud: LocalCloud, bucket: str) -> None:
    cloud.client("sagemaker").create_training_job(**training_request(bucket, bucket))
    trained(cloud, bucket)
    group = "/aws/sagemaker/TrainingJobs"
    query = ("--query", "events[].message", "--page-size", "1")
    found = aws(cloud, "logs", "filter-log-events", "--log-group-name", group, "--log-stream-name-prefix",
                f"{bucket}/", *query)  # fmt: skip
    lines = json.loads(found)
    assert lines[0] == "started"
    assert lines.count("score=0.75") == 1
    aws(cloud, "cloudwatch", "put-metric-data", "--namespace", bucket, "--metric-name", "m", "--value", "2.5")
    listed = json.loads(aws(cloud, "cloudwatch", "list-metrics", "--namespace", bucket))
    assert [metric["MetricName"] for metric in listed["Metrics"]] == ["m"]


@pytest.mark.timeout(900)
@pytest.mark.skipif(SYSTEM_AWS is None, reason="apt-get install awscli: `aws logs tail` is of its version 2")
def test_tail_follows_a_log_prints_each_line_once_and_ends_by_ctrl_c(
    cloud: LocalCloud, bucket: str, tmp_path: Path
) -> None:
    logs, output = cloud.client("logs"), tmp_path / "output"
    place = {"logGroupName": f"/{bucket}", "logStreamName": "one"}
    logs.create_log_group(logGroupName=place["logGroupName"])
    logs.create_log_stream(**place)
    written: list[str] = []

    def say(count: int) -> None:
        new = [f"line {number}" for number in range(len(written), len(written) + count)]
        now = int(time.time() * 1000)
        logs.put_log_events(**place, logEvents=[{"timestamp": now, "message": line} for line in new])
        written.extend(new)

    def printed() -> list[str]:
        return [line.partition(" ")[2] for line in output.read_text().splitlines()]

    say(300)
    assert SYSTEM_AWS is not None
    command = [SYSTEM_AWS, "--endpoint-url", cloud.endpoint_url]
    command += ["logs", "tail", place["logGroupName"], "--follow", "--format", "short"]
    with open(output, "w") as stream:
        tail = subprocess.Popen(command, env={**os.environ, **cloud.env()}, stdout=stream, stderr=stream)
    try:
        eventually(lambda: len(printed()) >= 300, within=240)
        for _ in range(2):
            say(7)
            eventually(lambda: len(printed()) >= len(written), within=240)
        tail.send_signal(signal.SIGINT)
        assert tail.wait(60) in (0, 130)
    finally:
        tail.kill()
        tail.wait()
    assert printed() == written
