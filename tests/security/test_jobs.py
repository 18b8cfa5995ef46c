"""What a training job, a model or a request for one cannot do to this machine."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from include.local_cloud.control.variables import refusal
from include.local_cloud.instance import sandbox
from include.local_cloud.store import MODEL, Store
from tests.local_cloud.control.test_endpoints import settled
from tests.support.cloud import ROLE, ROOT, LocalCloud, eventually
from tests.support.sagemaker import (
    channel,
    make_model,
    trained,
    training_request,
    transform_request,
    transformed,
    unpacked,
)

IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/intruder:1"
GROUP = "/aws/sagemaker/TrainingJobs"
walled = pytest.mark.skipif(bool(sandbox.missing()), reason=sandbox.missing())


def start(folder: Path) -> LocalCloud:
    options = ("--algorithm", "intruder=tests.support.intruder", "--stop-grace", "1", "--jobs", "2")
    return LocalCloud(folder, *options).start()


@pytest.fixture(scope="module")
def own_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A cloud that knows secrets of its user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THEIR_SECRET", "their-own")
        patch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://their-own")
        running = start(tmp_path_factory.mktemp("cloud"))
        running.make_bucket("shared")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def bare_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A cloud on a machine without bubblewrap."""
    tools = tmp_path_factory.mktemp("bin")
    for name in ("rm", "chmod", "setpriv"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tools))
        patch.setenv("THEIR_SECRET", "their-own")
        running = start(tmp_path_factory.mktemp("cloud"))
    yield running
    running.stop()


@pytest.fixture
def this_try(request: pytest.FixtureRequest) -> str:
    """What to name a bucket by, which jobs are named by: an earlier try of the test has used other names."""
    return f"{request.node.nodeid} {getattr(request.node, 'execution_count', 1)}"


def intrude(cloud: LocalCloud, bucket: str, **settings: Any) -> dict[str, Any]:
    """The end of a training job of the intruder; ``request`` among the settings changes its request."""
    name, changes = f"{bucket}-job", settings.pop("request", {})
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in settings.items()}
    request = training_request(name, bucket, HyperParameters=texts, **changes)
    request["AlgorithmSpecification"]["TrainingImage"] = IMAGE
    cloud.client("sagemaker").create_training_job(**request)
    return trained(cloud, name)


def found_by(cloud: LocalCloud, job: dict[str, Any]) -> dict[str, Any]:
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    found: dict[str, Any] = json.loads(
        unpacked(cloud, job["ModelArtifacts"]["S3ModelArtifacts"])["found.json"]
    )
    return found


def secrets_of(cloud: LocalCloud) -> list[str]:
    ours = [
        cloud.data / name for name in ("credentials", "sagemaker.sqlite", "s3", "instances", "settings.json")
    ]
    return [
        *map(str, ours),
        str(ROOT / "Makefile"),
        str(ROOT / "tests" / "conftest.py"),
        "/etc/passwd",
        str(ROOT / ".git"),
    ]


WRITTEN = [
    str(ROOT / "include"),
    str(ROOT),
    sys.prefix,
    sys.base_prefix,
    "/usr",
    "/etc",
    "/",
    "/opt/ml/input",
]


def ports_of(cloud: LocalCloud) -> list[int]:
    return [int(url.rpartition(":")[2]) for url in (cloud.endpoint_url, cloud.review_url)]


READ_BY_OTHERS = """
LD_PRELOAD LD_LIBRARY_PATH ld_preload GLIBC_TUNABLES GCONV_PATH PYTHONPATH PYTHONSTARTUP PYTHONHOME
PYTHONWARNINGS PYTHONBREAKPOINT PYTHONPYCACHEPREFIX __PYVENV_LAUNCHER__ PERL5OPT NODE_OPTIONS
JAVA_TOOL_OPTIONS _JAVA_OPTIONS PATH BASH_ENV ENV IFS SHELLOPTS PS4 GIT_SSH_COMMAND HOME TMPDIR
XDG_CACHE_HOME XDG_CONFIG_HOME HTTPS_PROXY http_proxy SSL_CERT_FILE OPENSSL_CONF AWS_ACCESS_KEY_ID
AWS_CONFIG_FILE AWS_ENDPOINT_URL JAX_PLATFORMS JAX_COMPILATION_CACHE_DIR XLA_FLAGS
PJRT_NAMES_AND_LIBRARY_PATHS CUDA_INJECTION64_PATH NCCL_NET_PLUGIN OMP_TOOL_LIBRARIES MPLCONFIGDIR
SM_ML_ROOT SAGEMAKER_BIND_TO_PORT TRAINING_JOB_NAME a=b é
"""


@pytest.mark.parametrize("name", READ_BY_OTHERS.split())
def test_a_variable_that_others_read_is_refused_by_name(name: str) -> None:
    assert refusal({"FINE": "1", name: "/tmp/evil"}).startswith("Environment: ")
    assert name in refusal({name: ""})


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
def test_a_value_that_no_variable_can_hold_is_refused(value: str) -> None:
    assert "NAME" in refusal({"NAME": value})


def test_variables_of_the_algorithm_and_of_the_sdk_are_accepted() -> None:
    names = ["ECHO", "my_setting", "MODEL_NAME", "OMP_NUM_THREADS", "SAGEMAKER_PROGRAM", "SAGEMAKER_REGION"]
    names += ["SAGEMAKER_SUBMIT_DIRECTORY", "SAGEMAKER_CONTAINER_LOG_LEVEL"]
    assert refusal(dict.fromkeys(names, "a = b; ünï")) == ""


def test_no_request_brings_code_into_an_interpreter(cloud: LocalCloud, bucket: str, tmp_path: Path) -> None:
    """Each way by which variables reach a container, and a model that was made before they were refused."""
    sagemaker, store = cloud.client("sagemaker"), Store(cloud.data / "sagemaker.sqlite")
    canary = tmp_path / "ran"
    (tmp_path / "sitecustomize.py").write_text(f"open({str(canary)!r}, 'w')")
    evil = {"PYTHONPATH": str(tmp_path)}
    image = training_request("x", bucket)["AlgorithmSpecification"]["TrainingImage"]
    container = {"Image": image, "Environment": evil}
    sagemaker.create_model(ModelName=f"{bucket}-m", PrimaryContainer={"Image": image}, ExecutionRoleArn=ROLE)
    cloud.client("s3").put_object(Bucket=bucket, Key="in/a", Body=b"x")
    types = {"SupportedContentTypes": ["a/b"], "SupportedResponseMIMETypes": ["a/b"]}
    for attempt in (
        lambda: sagemaker.create_training_job(**training_request(f"{bucket}-j", bucket, Environment=evil)),
        lambda: sagemaker.create_model(
            ModelName=f"{bucket}-n", PrimaryContainer=container, ExecutionRoleArn=ROLE
        ),
        lambda: sagemaker.create_model(
            ModelName=f"{bucket}-n", Containers=[container], ExecutionRoleArn=ROLE
        ),
        lambda: sagemaker.create_model_package(
            ModelPackageName=f"{bucket}-p", InferenceSpecification={"Containers": [container], **types}
        ),
        lambda: sagemaker.create_transform_job(
            **transform_request(f"{bucket}-t", bucket, f"{bucket}-m", Environment=evil)
        ),
    ):
        with pytest.raises(
            ClientError, match="PYTHONPATH cannot be set, because it is read by interpreters"
        ) as no:
            attempt()
        assert no.value.response["Error"]["Code"] == "ValidationException"

    with store.change(MODEL, f"{bucket}-m") as document:
        document["ServedContainer"]["Environment"] = evil
    sagemaker.create_transform_job(**transform_request(f"{bucket}-t", bucket, f"{bucket}-m"))
    reason = transformed(cloud, f"{bucket}-t")["FailureReason"]
    assert reason.startswith("ClientError: Environment: PYTHONPATH cannot be set")
    assert not canary.exists()


@walled
def test_a_container_sees_its_own_files_and_nothing_else(own_cloud: LocalCloud, this_try: str) -> None:
    bucket = own_cloud.make_bucket(this_try)
    own_cloud.client("s3").put_object(Bucket=bucket, Key="in/a", Body=b"x")
    channels = {"InputDataConfig": [channel("train", f"s3://{bucket}/in/")]}
    # What the algorithm's own package holds, it may read: one file of it shows that looking works.
    ours, mine = str(ROOT / "tests" / "support" / "intruder.py"), "/opt/ml/input/data/train/a"
    found = found_by(
        own_cloud,
        intrude(
            own_cloud,
            bucket,
            do="reach",
            paths=[ours, mine, *secrets_of(own_cloud)],
            ports=ports_of(own_cloud),
            written=["/tmp", "/opt/ml/model", *WRITTEN],
            request=channels,
        ),
    )
    environment = found.pop("environment")
    assert found == {
        "read": [ours, mine, str(ROOT / "tests" / "conftest.py")],
        "connected": [],
        "written": ["/tmp", "/opt/ml/model"],
        "first process": False,
        "processes": 2,
        "user namespace": False,
        "capabilities": "0000000000000000",
        "machine": [],  # as root, without the defence: /proc/sys, and with it a program on the host
        "home": [],
    }
    assert "their-own" not in json.dumps(environment)
    key, secret = own_cloud.keys()
    assert not {key, secret} & set(environment.values())
    assert set(environment) <= {
        *("PATH", "PYTHONPATH", "PYTHONUNBUFFERED", "AWS_REGION", "AWS_DEFAULT_REGION", "HOME", "TMPDIR"),
        *(
            "XDG_CACHE_HOME",
            "TRAINING_JOB_NAME",
            "TRAINING_JOB_ARN",
            "PWD",
            "LC_CTYPE",
            "LANG",
            "LANGUAGE",
            "TZ",
        ),
        *(
            name
            for name in os.environ
            if name.endswith("_NUM_THREADS") or name.startswith(("LC_", "NVIDIA_"))
        ),
        *("XLA_FLAGS", "TF_CPP_MIN_LOG_LEVEL", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH"),
    }


@walled
def test_a_model_is_asked_through_the_wall_and_sees_nothing_either(
    own_cloud: LocalCloud, this_try: str
) -> None:
    sagemaker, name = own_cloud.client("sagemaker"), own_cloud.make_bucket(this_try)
    sagemaker.create_model(ModelName=name, PrimaryContainer={"Image": IMAGE}, ExecutionRoleArn=ROLE)
    variant = {"VariantName": "main", "ModelName": name, "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[variant | {"InstanceType": "ml.m5.large"}]
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    assert settled(own_cloud, name)["EndpointStatus"] == "InService"

    asked = {
        "paths": secrets_of(own_cloud),
        "ports": ports_of(own_cloud),
        "written": [*WRITTEN, "/opt/ml/model"],
    }
    body = json.dumps(asked | {"padding": "x" * 3_000_000})
    reply = own_cloud.client("sagemaker-runtime").invoke_endpoint(EndpointName=name, Body=body)
    found = json.loads(reply["Body"].read())

    assert found["read"] == [str(ROOT / "tests" / "conftest.py")]
    assert (found["connected"], found["written"], found["first process"]) == ([], [], False)
    assert found["environment"]["SAGEMAKER_BIND_TO_PORT"] == "8080"
    sagemaker.delete_endpoint(EndpointName=name)


@walled
@pytest.mark.parametrize("exit_code", ["0", "1"])
def test_links_that_a_container_leaves_lead_nobody_out(
    own_cloud: LocalCloud, tmp_path: Path, exit_code: str, this_try: str
) -> None:
    """The instance, which is outside, uploads files, reads the reason of a failure, and writes archives."""
    bucket = own_cloud.make_bucket(this_try)
    (tmp_path / "inside").write_text("of the folder")
    paths = [str(own_cloud.data / "credentials"), str(tmp_path)]
    output = {"S3OutputPath": f"s3://{bucket}/models", "CompressionType": "NONE"}
    changes = {"OutputDataConfig": output, "CheckpointConfig": {"S3Uri": f"s3://{bucket}/ck"}}
    job = intrude(own_cloud, bucket, do="links", paths=paths, exit=exit_code, request=changes)

    assert job["TrainingJobStatus"] == ("Completed" if exit_code == "0" else "Failed")
    assert job.get("FailureReason", "AlgorithmError: ").startswith("AlgorithmError: ")
    s3 = own_cloud.client("s3")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    # Nothing of output/data, which was replaced by a link.
    assert keys == ["ck/own", *([f"models/{bucket}-job/output/model/own"] if exit_code == "0" else [])]
    said = json.dumps(job, default=str) + "".join(
        s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in keys
    )
    assert not any(secret in said for secret in (*own_cloud.keys(), "of the folder"))
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]


@walled
def test_no_process_of_a_job_is_left_when_it_has_ended(own_cloud: LocalCloud, this_try: str) -> None:
    """Not one that left its session either; and a signal to its own group reaches nobody around it."""
    bucket = own_cloud.make_bucket(this_try)
    job = intrude(own_cloud, bucket, do="leave-behind", mark=bucket)
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    left = [
        process for process in psutil.process_iter(["cmdline"]) if bucket in (process.info["cmdline"] or [])
    ]
    assert left == []


def test_no_depth_of_directories_keeps_a_job_from_its_end(own_cloud: LocalCloud, this_try: str) -> None:
    bucket = own_cloud.make_bucket(this_try)
    job = intrude(own_cloud, bucket, do="bury")
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    assert unpacked(own_cloud, job["ModelArtifacts"]["S3ModelArtifacts"]) == {"weights": b"weights"}
    home = own_cloud.data / "instances" / "training-job" / f"{bucket}-job"
    assert eventually(lambda: not home.exists())


@walled
def test_a_checkout_below_tmp_is_seen_in_the_containers_own_tmp(monkeypatch: pytest.MonkeyPatch) -> None:
    with TemporaryDirectory(dir="/tmp") as home:
        project, secret = Path(home, "checkout"), Path(home, "secret")
        (project / "include").mkdir(parents=True)
        (project / "include" / "mark").write_text("ours")
        secret.touch()
        monkeypatch.setattr(sandbox, "PROJECT_ROOT", project)
        monkeypatch.setattr(sys, "path", [path for path in sys.path if Path(path).absolute() != ROOT])
        room = sandbox.Room(Path(home, "scratch"), Path(home, "cache"), Path(home, "data"), "include")
        look = (
            "import os, sys; print(os.getcwd(), open('include/mark').read(), os.path.exists(sys.argv[1]));"
            "open('/tmp/own', 'w').close(); open('include/mark', 'a')"
        )
        command = [*sandbox.command(room), sys.executable, "-I", "-S", "-c", look, str(secret)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stdout.split() == [str(project), "ours", "False"], done.stderr
        assert "Read-only file system" in done.stderr
        assert Path(home, "scratch", "tmp", "own").exists()


def test_a_cloud_that_a_script_of_tmp_started_shows_no_machines_tmp(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sandbox, "missing", lambda: "")
    monkeypatch.setattr(sys, "path", ["/tmp", *sys.path])
    room = sandbox.Room(tmp_path / "scratch", tmp_path / "cache", tmp_path / "data", "include")
    line = sandbox.command(room)
    assert [line[at - 2 : at] for at, word in enumerate(line) if word == "/tmp"] == [
        ["--bind", str(room.scratch / "tmp")]
    ]


def test_without_bubblewrap_the_cloud_and_each_job_say_so(bare_cloud: LocalCloud, this_try: str) -> None:
    """The same contract, and an environment that is as clean; but no walls, and nobody is left in doubt."""
    bucket = bare_cloud.make_bucket(this_try)
    job = intrude(bare_cloud, bucket, do="reach", paths=[], ports=ports_of(bare_cloud), written=[])
    found = found_by(bare_cloud, job)
    assert found["connected"] == ports_of(bare_cloud)
    assert found["home"] == []
    assert "their-own" not in json.dumps(found["environment"])
    assert found["environment"]["SM_ML_ROOT"].startswith(str(bare_cloud.data))
    said = "run without a sandbox, as processes of this user: bubblewrap is not installed (on Debian: apt-get"
    assert (bare_cloud.data / "cloud.log").read_text().count(said) == 1
    logs = bare_cloud.client("logs")
    (stream,) = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=f"{bucket}-job/")[
        "logStreams"
    ]
    lines = logs.get_log_events(logGroupName=GROUP, logStreamName=stream["logStreamName"], startFromHead=True)
    assert said in lines["events"][0]["message"]


def gzipped_bomb() -> bytes:
    return gzip.compress(bytes(96 << 20))


INPUTS: dict[str, tuple[dict[str, bytes], dict[str, str] | str, str]] = {
    "a long name": ({"in/" + "x" * 300: b"x"}, {}, "cannot be stored as a file: File name too long"),
    "a way out": ({"in/../../config/x": b"x"}, {}, "would be written outside of its directory"),
    "its own directory": ({"in/a/..": b"x"}, {}, "would be written outside of its directory"),
    "one file for two": ({"in/a/b": b"x", "in/a//b": b"y"}, {}, "would be the same file of channel train"),
    "a file for a directory": ({"in/a": b"x", "in/a/b": b"x"}, {}, "cannot be stored as a file: "),
    "a file for a directory, unpacked": (
        {"in/a.gz": gzip.compress(b"x"), "in/a/b": b"x"},
        {"CompressionType": "Gzip"},
        "cannot be stored as a file: ",
    ),
    "no gzip": ({"in/a.gz": b"plain"}, {"CompressionType": "Gzip"}, "its compressed data are damaged"),
    "half a gzip": (
        {"in/a.gz": gzip.compress(bytes(999))[:-9]},
        {"CompressionType": "Gzip"},
        "it is cut off: its data end too early",
    ),
    "a bomb": ({"in/a.gz": gzipped_bomb()}, {"CompressionType": "Gzip"}, "its packed size: a bomb"),
    "a bomb in a pipe": (
        {"in/a.gz": gzipped_bomb()},
        {"CompressionType": "Gzip", "InputMode": "Pipe"},
        "its packed size: a bomb",
    ),
    "no end of lists": ({"in/": b"[" * 200_000}, "ManifestFile", "is not a manifest"),
    "a number for a prefix": ({"in/": b'[{"prefix": 5}, "a"]'}, "ManifestFile", "is not an S3 URI"),
    "a bucket that is none": (
        {"in/": b'[{"prefix": "s3://a b/"}, "a"]'},
        "ManifestFile",
        "nvalid bucket name",
    ),
    "a name that is no text": (
        {"in/": b'[{"prefix": "s3://bucket/"}, "\\ud800"]'},
        "ManifestFile",
        "surrogates not allowed",
    ),
}


@pytest.mark.parametrize("kind", INPUTS)
def test_a_hostile_input_fails_its_job_once_and_says_why(cloud: LocalCloud, bucket: str, kind: str) -> None:
    """Not after three deaths of its process, which is how what nobody thought of ends."""
    objects, changes, said = INPUTS[kind]
    for key, body in objects.items():
        cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    uri = f"s3://{bucket}/in/"
    source = channel("train", uri, changes) if isinstance(changes, str) else channel("train", uri, **changes)
    request = training_request(f"{bucket}-job", bucket, InputDataConfig=[source])
    cloud.client("sagemaker").create_training_job(**request)
    reason = trained(cloud, f"{bucket}-job").get("FailureReason", "none")
    assert reason.startswith("ClientError: "), reason
    assert said in reason


def test_hostile_records_of_a_transform_job_spoil_only_themselves(cloud: LocalCloud, bucket: str) -> None:
    s3, half = cloud.client("s3"), gzip.compress(b"x" * 999)[:-9]
    bodies = {"good": gzip.compress(b"x"), "half": half, "plain": b"plain", "bomb": gzipped_bomb()}
    for name, body in bodies.items():
        s3.put_object(Bucket=bucket, Key=f"in/{name}", Body=body)
    model = make_model(cloud, bucket, f"{bucket}-m")
    request = transform_request(f"{bucket}-t", bucket, model)
    request["TransformInput"]["CompressionType"] = "Gzip"
    cloud.client("sagemaker").create_transform_job(**request)
    job = transformed(cloud, f"{bucket}-t")
    assert job["FailureReason"].startswith("ClientError: 3 of 4 objects have no output"), job["FailureReason"]
    outputs = s3.list_objects_v2(Bucket=bucket, Prefix="out/")["Contents"]
    assert [item["Key"] for item in outputs] == ["out/good.out"]


def test_the_data_directory_is_as_it_was(own_cloud: LocalCloud) -> None:
    """After all that: the database is sound and nobody's instance is left."""
    with sqlite3.connect(own_cloud.data / "sagemaker.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert eventually(lambda: not any((own_cloud.data / "instances").glob("*/*")))
