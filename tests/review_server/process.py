"""A review server as a process of its own, to be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.review_server.killable import VARIABLE
from tests.support.cloud import ROOT, LocalCloud


class Process:
    """``python -m include.review_server serve`` on a free port that it keeps over restarts."""

    def __init__(
        self, cloud: LocalCloud, data: Path, own_keys: bool = False, database_url: str | None = None
    ) -> None:
        self._cloud = cloud
        self._data = data
        # One key file for S3 and for the server itself, so that one client session meets both.
        self._keys = [] if own_keys else ["--api-keys", str(cloud.data / "credentials")]
        self._database = ["--database", database_url] if database_url else []
        self._port = "0"
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self, s3_endpoint_url: str | None = None, kill_at: str | None = None) -> Process:
        """Start it and wait until it answers; with ``kill_at`` it dies at that step (``killable``)."""
        program = "tests.review_server.killable" if kill_at else "include.review_server"
        command = [sys.executable, "-m", program, "serve", "--port", self._port]
        command += [
            "--data",
            str(self._data),
            "--s3-endpoint-url",
            s3_endpoint_url or self._cloud.endpoint_url,
            # Short, but there: what is not final yet shall outlive a kill too.
            "--undo-seconds",
            "0.2",
            "--least-seconds",
            "0",
            *self._keys,
            *self._database,
        ]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self._data.mkdir(parents=True, exist_ok=True)
        with open(self._data / "server.log", "a") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=clean | self._cloud.env() | {"PYTHONPATH": str(ROOT), VARIABLE: kill_at or ""},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        ready = self._process.stdout.readline()
        assert ready.startswith("review server ready: "), (self._data / "server.log").read_text()[-2000:]
        self.url = ready.split()[-1]
        self._port = self.url.rpartition(":")[2]
        return self

    def wait(self) -> int:
        """Wait for its end; the exit status."""
        assert self._process is not None
        return self._process.wait()

    def kill(self) -> None:
        """kill -9."""
        process = self._process  # a drill's other thread starts the next one as soon as this is dead
        assert process is not None
        process.kill()
        process.wait(60)

    def terminate(self) -> int:
        """SIGTERM; the exit status."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(60)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
