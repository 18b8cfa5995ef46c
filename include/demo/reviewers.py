"""The demo's simulated reviewers: accounts made as any team's are, and their program in the background.

They are processes of their own that work through the review server's HTTP interface; nothing here knows it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

from include.stack import environment
from include.stack.settings import PROJECT, StackError, StackSettings

TEAM = "reviewers"
NAMES = ("simulated-ada", "simulated-ben", "simulated-cleo")
_SECONDS_WITHOUT_WORK = 20


def make_accounts(settings: StackSettings, credentials: Path) -> None:
    """Add the reviewers to the team; their generated passwords go into `credentials` (mode 0600)."""
    command = ["members", "add", *NAMES, "--team", TEAM, "--data", str(settings.cloud_data)]
    result = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-m", "include.review_server", *command, "--credentials", str(credentials)],
        cwd=PROJECT,
        env=_environment(settings),
        capture_output=True,
        text=True,
    )
    if result.returncode:
        raise StackError(f"the reviewers' accounts could not be made: {result.stderr.strip()}")


class Reviewers:
    """The reviewers' program: started when there is work, and done when none has come for a while."""

    def __init__(self, settings: StackSettings, truth: Path, credentials: Path, seed: int, log: Path) -> None:
        self._settings = settings
        self._arguments = [
            "--review-url", settings.review.url, "--truth", str(truth), "--credentials", str(credentials),
            "--workers", str(len(NAMES)), "--seed", str(seed), "--until-idle", str(_SECONDS_WITHOUT_WORK),
        ]  # fmt: skip
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._stream: IO[bytes] | None = None

    def start(self) -> None:
        if self._process is None:
            self._stream = self._log.open("wb")
            self._process = subprocess.Popen(  # noqa: S603 -- our own program
                [sys.executable, "-m", "include.samples.reviewers", *self._arguments],
                cwd=PROJECT,
                env=_environment(self._settings),
                stdout=self._stream,
                stderr=subprocess.STDOUT,
            )

    def finish(self) -> dict[str, Any]:
        """Wait until they have found no more work; their own summary, the last line of what they print."""
        if self._process is None:
            raise StackError("the reviewers were never sent to work: no question was there")
        code = self._process.wait(_SECONDS_WITHOUT_WORK + 60)
        lines = self._log.read_text(errors="replace").rstrip("\n").split("\n")
        if code or not lines[-1]:
            raise StackError(f"the reviewers' program failed ({self._log}):\n" + "\n".join(lines[-10:]))
        return json.loads(lines[-1])

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(15)
        if self._stream is not None:
            self._stream.close()


def _environment(settings: StackSettings) -> dict[str, str]:
    # With the marker, so that `down` ends them too, whatever becomes of the demo.
    return environment.inherited() | environment.base(settings) | {environment.MARKER: str(settings.home)}
