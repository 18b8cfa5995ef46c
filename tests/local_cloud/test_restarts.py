from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from include.local_cloud.locks import is_held
from tests.local_cloud.control.test_endpoints import make_config, settled
from tests.support.cloud import LocalCloud, eventually
from tests.support.sagemaker import log_of, trained, training_request, unpacked


@pytest.fixture
def own_cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    """A cloud of the test's own, to be killed."""
    # A job waits for a cloud that comes back slowly.
    with LocalCloud(tmp_path / "cloud", "--orphan-grace", "200") as running:
        yield running


def work_of(cloud: LocalCloud) -> list[psutil.Process]:
    """The instances of this cloud, and all that runs in their containers."""
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if str(cloud.data) in " ".join(process.cmdline()) and process.pid != cloud.process.pid:
                found |= {each.pid: each for each in [process, *process.children(recursive=True)]}
    return list(found.values())


def algorithms_of(cloud: LocalCloud) -> list[psutil.Process]:
    """Those of them that are algorithms."""
    found = []
    for process in work_of(cloud):
        with suppress(psutil.NoSuchProcess):
            if process.cmdline()[1:3] == ["-m", "tests.support.fake"]:
                found.append(process)
    return found


def start_sleeper(cloud: LocalCloud) -> Path:
    """A training job that goes on until the file that is returned is there."""
    bucket, gate = cloud.make_bucket("sleeper"), cloud.gate("sleeper")
    settings = {"do": "sleep", "until": gate.name}
    cloud.client("sagemaker").create_training_job(
        **training_request("sleeper", bucket, HyperParameters=settings)
    )
    trained(cloud, "sleeper", "Training")
    eventually(lambda: "sleeping" in log_of(cloud, "/aws/sagemaker/TrainingJobs", "sleeper/"))
    return gate


def test_a_training_job_outlives_a_kill_of_the_cloud(own_cloud: LocalCloud) -> None:
    """The same process goes on, and even finishes while there is no cloud; nothing is done twice."""
    gate = start_sleeper(own_cloud)

    own_cloud.kill()
    gate.touch()
    own_cloud.start()
    job = trained(own_cloud, "sleeper")

    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    assert "Restarting" not in [item["Status"] for item in job["SecondaryStatusTransitions"]]
    assert "seen.json" in unpacked(own_cloud, job["ModelArtifacts"]["S3ModelArtifacts"])
    assert log_of(own_cloud, "/aws/sagemaker/TrainingJobs", "sleeper/")[-1] == "score=0.75"


def test_nothing_runs_for_ever_when_the_cloud_never_comes_back(tmp_path: Path) -> None:
    with LocalCloud(tmp_path / "cloud", "--orphan-grace", "1") as own_cloud:
        gate = start_sleeper(own_cloud)
        own_cloud.kill()
        eventually(lambda: not work_of(own_cloud))

        gate.touch()
        own_cloud.start()

        job = trained(own_cloud, "sleeper")
        assert job["TrainingJobStatus"] == "Completed"
        assert "Restarting" in [item["Status"] for item in job["SecondaryStatusTransitions"]]


def test_an_orderly_stop_leaves_no_process_and_the_job_starts_again(own_cloud: LocalCloud) -> None:
    gate = start_sleeper(own_cloud)
    own_cloud.stop()
    assert work_of(own_cloud) == []
    assert own_cloud.process.returncode == 0

    gate.touch()
    own_cloud.start()
    assert trained(own_cloud, "sleeper")["TrainingJobStatus"] == "Completed"


def test_a_job_whose_instance_is_killed_starts_again_and_leaves_no_container(own_cloud: LocalCloud) -> None:
    gate = start_sleeper(own_cloud)
    (container,) = algorithms_of(own_cloud)
    (instance,) = (
        process for process in container.parents() if "include.local_cloud.instance" in process.cmdline()
    )
    instance.kill()
    trained(own_cloud, "sleeper", "Restarting", "Training")
    eventually(lambda: not container.is_running() or container.status() == psutil.STATUS_ZOMBIE)
    gate.touch()
    assert trained(own_cloud, "sleeper")["TrainingJobStatus"] == "Completed"


def test_a_job_whose_instances_keep_dying_fails_with_a_reason(own_cloud: LocalCloud) -> None:
    start_sleeper(own_cloud)
    lock = own_cloud.data / "instances" / "training-job" / "sleeper" / "lock"
    sagemaker = own_cloud.client("sagemaker")

    def killed_until_it_ended() -> dict | None:
        for process in work_of(own_cloud):
            with suppress(psutil.NoSuchProcess):
                if "include.local_cloud.instance" in process.cmdline() and is_held(lock):
                    process.kill()
        job = sagemaker.describe_training_job(TrainingJobName="sleeper")
        return job if job["TrainingJobStatus"] == "Failed" else None

    job = eventually(killed_until_it_ended, within=200)
    assert job["FailureReason"].startswith("InternalServerError: its process died 3 times without a word")
    assert eventually(lambda: not work_of(own_cloud))


def test_an_endpoint_is_back_after_a_restart(own_cloud: LocalCloud) -> None:
    bucket = own_cloud.make_bucket("endpoint")
    config = make_config(own_cloud, bucket, "one", ECHO="first")
    own_cloud.client("sagemaker").create_endpoint(EndpointName="e", EndpointConfigName=config)
    # As clients delete them, the configuration first; the endpoint needs neither to start again.
    own_cloud.client("sagemaker").delete_endpoint_config(EndpointConfigName=config)
    own_cloud.client("sagemaker").delete_model(ModelName=config)
    settled(own_cloud, "e")

    for end in (own_cloud.kill, own_cloud.stop):
        end()
        own_cloud.start()

        def answer() -> str | None:
            try:
                reply = own_cloud.client("sagemaker-runtime").invoke_endpoint(EndpointName="e", Body=b"x")
            except ClientError:
                return None
            return str(json.loads(reply["Body"].read())["environment"])

        assert eventually(answer) == "first"


def test_base_services_remember_what_ministack_forgets(own_cloud: LocalCloud) -> None:
    s3, iam = own_cloud.client("s3"), own_cloud.client("iam")
    rules = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "ExposeHeaders": ["ETag"]}]
    keys = ["images/", "images/a.jpg", "images/a.jpg/b", "x//y", "ünï/ .meta.json", "k.tmp", "a" * 900]
    s3.create_bucket(Bucket="photos")
    s3.create_bucket(Bucket="empty")
    s3.put_bucket_cors(Bucket="photos", CORSConfiguration={"CORSRules": rules})
    for key in keys:
        s3.put_object(
            Bucket="photos", Key=key, Body=key.encode(), ContentType="image/jpeg", Metadata={"a": "b"}
        )
    tag = s3.head_object(Bucket="photos", Key="images/a.jpg")["ETag"]
    iam.create_role(RoleName="nightloop", AssumeRolePolicyDocument="{}")
    own_cloud.client("cloudwatch").put_metric_data(
        Namespace="n", MetricData=[{"MetricName": "m", "Value": 1}]
    )

    own_cloud.kill()
    own_cloud.start()

    assert sorted(item["Name"] for item in s3.list_buckets()["Buckets"]) == ["empty", "photos"]
    assert s3.get_bucket_cors(Bucket="photos")["CORSRules"] == rules
    assert sorted(item["Key"] for item in s3.list_objects_v2(Bucket="photos")["Contents"]) == sorted(keys)
    for key in keys:
        found = s3.get_object(Bucket="photos", Key=key)
        assert (found["Body"].read(), found["ContentType"], found["Metadata"]) == (
            key.encode(),
            "image/jpeg",
            {"a": "b"},
        )
    assert s3.head_object(Bucket="photos", Key="images/a.jpg")["ETag"] == tag
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket="photos", Key="k.tmp", Body=b"", IfNoneMatch="*")
    assert iam.get_role(RoleName="nightloop")["Role"]["RoleName"] == "nightloop"
    assert own_cloud.client("cloudwatch").list_metrics(Namespace="n")["Metrics"][0]["MetricName"] == "m"


def test_every_log_line_and_metric_that_was_taken_is_there_once_after_each_kind_of_end(
    own_cloud: LocalCloud,
) -> None:
    logs, metrics = own_cloud.client("logs"), own_cloud.client("cloudwatch")
    place = {"logGroupName": "/g", "logStreamName": "s"}
    logs.create_log_group(logGroupName="/g")
    logs.create_log_stream(**place)
    created = logs.describe_log_groups()["logGroups"][0]["creationTime"]
    written = []
    for end in (own_cloud.kill, own_cloud.stop, own_cloud.kill):
        for number in range(20):
            written.append(f"line {number} ünï before {end.__name__}")
            moment = 1_700_000_000_000 + len(written)
            logs.put_log_events(**place, logEvents=[{"timestamp": moment, "message": written[-1]}])
            metrics.put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1.0}])
        logs.create_log_group(logGroupName="/gone")
        logs.delete_log_group(logGroupName="/gone")
        end()
        own_cloud.start()
    assert [event["message"] for event in logs.filter_log_events(logGroupName="/g")["events"]] == written
    assert [group["creationTime"] for group in logs.describe_log_groups()["logGroups"]] == [created]
    now = datetime.now(UTC)
    found = metrics.get_metric_statistics(
        Namespace="n",
        MetricName="m",
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(minutes=1),
        Period=7200,
        Statistics=["SampleCount"],
    )
    assert sum(point["SampleCount"] for point in found["Datapoints"]) == len(written)


def test_a_line_of_the_journal_that_a_kill_cut_off_is_no_line(own_cloud: LocalCloud) -> None:
    logs = own_cloud.client("logs")
    logs.create_log_group(logGroupName="/before")
    own_cloud.kill()
    (journal,) = (own_cloud.data / "base-services").glob("cloudwatch_logs-*.jsonl")
    with open(journal, "ab") as stream:
        stream.write(b'[1, "0000')
    own_cloud.start()
    logs.create_log_group(logGroupName="/after")
    own_cloud.kill()
    own_cloud.start()
    found = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    assert found == ["/after", "/before"]


@contextmanager
def no_file_beyond(cloud: LocalCloud, size: int) -> Iterator[None]:
    """What a full disk does to a cloud's writes."""
    process = psutil.Process(cloud.process.pid)
    before = process.rlimit(psutil.RLIMIT_FSIZE)
    process.rlimit(psutil.RLIMIT_FSIZE, (size, before[1]))
    yield
    process.rlimit(psutil.RLIMIT_FSIZE, before)


def test_what_the_disk_had_no_room_for_is_refused_and_hides_nothing_else(own_cloud: LocalCloud) -> None:
    once = Config(retries={"max_attempts": 0})
    logs = own_cloud.session().client("logs", endpoint_url=own_cloud.endpoint_url, config=once)
    place = {"logGroupName": "/g", "logStreamName": "s"}
    logs.create_log_group(logGroupName="/g")
    logs.create_log_stream(**place)
    (journal,) = (own_cloud.data / "base-services").glob("cloudwatch_logs-*.jsonl")
    events = [{"timestamp": 1_700_000_000_000, "message": "first"}]
    iam = own_cloud.session().client("iam", endpoint_url=own_cloud.endpoint_url, config=once)
    with no_file_beyond(own_cloud, journal.stat().st_size + 50):
        with pytest.raises(ClientError, match="InternalError"):
            logs.put_log_events(**place, logEvents=events)
        with pytest.raises(ClientError, match="InternalError"):
            iam.create_role(RoleName="unsaved", AssumeRolePolicyDocument="{}" + " " * 1_000)
    logs.put_log_events(**place, logEvents=[events[0] | {"message": "second"}])
    own_cloud.kill()
    own_cloud.start()
    found = logs.filter_log_events(logGroupName="/g")["events"]
    assert [event["message"] for event in found] == ["second"]


def test_two_clouds_never_share_a_data_directory(own_cloud: LocalCloud) -> None:
    with pytest.raises(RuntimeError, match=r"running in .* already"):
        LocalCloud(own_cloud.data).start()
