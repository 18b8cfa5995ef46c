"""A real local cloud for tests: one process on free ports in a directory of its own, met through boto3 and
HTTP.

    with LocalCloud(tmp_path) as cloud:
        cloud.client("s3").create_bucket(Bucket="photos")

``kill`` is a kill -9 and ``start`` brings the same data back.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import boto3
import httpx
from botocore.config import Config

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
ROLE = "arn:aws:iam::000000000000:role/nightloop"
FAKE_IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/fake:1"  # tests/support/fake.py
BLOBS_IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/blobs:1"  # tests/support/blobs.py
DETECTION_IMAGE = "811284229777.dkr.ecr.us-east-1.amazonaws.com/object-detection:1"
CLASSIFICATION_IMAGE = "811284229777.dkr.ecr.us-east-1.amazonaws.com/image-classification:1"
_START_SECONDS = 60


def share_cache(data: Path) -> None:
    """Let the cloud whose data this will be use what others of this run have compiled."""
    if LocalCloud.compiled is None:
        return
    own = data / "cache"
    own.mkdir(parents=True, exist_ok=True)
    for algorithm in ("object-detection", "image-classification"):
        if not (own / algorithm).exists():
            (own / algorithm).symlink_to(LocalCloud.compiled)


class LocalCloud:
    """``options`` are further command-line options, such as ``--stop-grace 1``. ``compiled``, where it is
    set, is a directory in which all of them keep compiled networks.
    """

    compiled: ClassVar[Path | None] = None

    def __init__(self, data: Path, *options: str) -> None:
        self.data = data
        # Answers are final at once: tests of what can be taken back say so.
        patience = ("--undo-seconds", "0", "--least-seconds", "0")
        images = ("--algorithm", "fake=tests.support.fake", "--algorithm", "blobs=tests.support.blobs")
        self._options = (*images, *patience, *options)
        self._process: subprocess.Popen[str] | None = None
        self._ports = ("0", "0")
        self._session: boto3.Session | None = None
        self._clients: dict[tuple[Any, ...], Any] = {}

    def start(self) -> LocalCloud:
        """Start it and wait until it answers; the ports of the first start are kept."""
        self.data.mkdir(parents=True, exist_ok=True)
        share_cache(self.data)
        port, review_port = self._ports
        command = [sys.executable, "-m", "include.local_cloud", "--data", str(self.data)]
        command += ["--port", port, "--review-port", review_port, *self._options]
        if setpriv := shutil.which("setpriv"):
            # A test run that is killed takes its cloud along.
            command = [setpriv, "--pdeathsig", "TERM", *command]
        # Neither this machine's AWS, nor what other tests have set for JAX in this process.
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "JAX_"))}
        with open(self.data / "cloud.log", "a") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment | {"PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        ready = self._process.stdout.readline()
        if not ready.startswith("local cloud ready:"):
            self._process.wait(_START_SECONDS)
            raise RuntimeError(
                f"the local cloud did not start: {(self.data / 'cloud.log').read_text()[-3000:]}"
            )
        self._ports = (self.endpoint_url.rpartition(":")[2], self.review_url.rpartition(":")[2])
        return self

    def stop(self) -> None:
        """SIGTERM, and wait for the orderly end."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(200)

    def kill(self) -> None:
        """kill -9 of the cloud alone: its instances and containers are not touched."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(60)

    def __enter__(self) -> LocalCloud:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None
        return self._process

    @property
    def endpoint_url(self) -> str:
        return str(json.loads((self.data / "endpoints.json").read_text())["cloud"])

    @property
    def review_url(self) -> str:
        return str(json.loads((self.data / "endpoints.json").read_text())["review"])

    def env(self) -> dict[str, str]:
        """What a process needs to find this cloud with any AWS tool."""
        return {
            "AWS_SHARED_CREDENTIALS_FILE": str(self.data / "credentials"),
            "AWS_CONFIG_FILE": str(self.data / "config"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def keys(self) -> tuple[str, str]:
        """(access key id, secret access key)."""
        credentials = self.session().get_credentials()
        assert credentials is not None
        return credentials.access_key, credentials.secret_key

    def session(self) -> boto3.Session:
        """A boto3 session made from the two files only, whatever this process's environment says.

        It is kept, and so are the clients: reading SageMaker's service model takes botocore half a second.
        """
        if self._session is not None:
            return self._session
        import botocore.session

        core = botocore.session.Session()
        core.set_config_variable("credentials_file", str(self.data / "credentials"))
        core.set_config_variable("config_file", str(self.data / "config"))
        # Access keys in the environment would be looked at before the file.
        provider = core.get_component("credential_provider")
        provider.remove("env")
        self._session = boto3.Session(botocore_session=core)
        return self._session

    def client(self, service: str, **config: Any) -> Any:
        """A boto3 client of this cloud; A2I's answers from here as well as from ``review_url``."""
        kept = (service, self.endpoint_url, tuple(sorted(config.items())))
        if kept not in self._clients:
            self._clients[kept] = self.session().client(
                service, endpoint_url=self.endpoint_url, config=Config(**config) if config else None
            )
        return self._clients[kept]

    def gate(self, name: str) -> Path:
        """A file that containers of the fake algorithm look for by its name in their cache directory, the one
        directory that they share with this machine: what waits for it goes on when it is there.
        """
        directory = self.data / "cache" / "fake"
        directory.mkdir(parents=True, exist_ok=True)
        return directory / name

    def requests(self) -> dict[str, int]:
        """How often each operation was asked for since the cloud started."""
        return dict(httpx.get(f"{self.endpoint_url}/_nightloop/requests").json())

    def make_bucket(self, test_name: str) -> str:
        """A bucket of its own for one test, so that tests can share the cloud."""
        digest = hashlib.sha256(
            f"{test_name}{os.environ.get('PYTEST_XDIST_WORKER', '')}".encode()
        ).hexdigest()
        bucket = f"test-{digest[:16]}"
        self.client("s3").create_bucket(Bucket=bucket)
        return bucket


def eventually(condition: Callable[[], T | None], *, within: float = 120.0, pause: float = 0.05) -> T:
    """The first true value of the condition; fails with its last value when that takes too long."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s, last value {value!r}")
        time.sleep(pause)
