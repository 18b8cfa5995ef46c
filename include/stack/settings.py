"""Where one local stack lives and which ports it takes: NIGHTLOOP_HOME, NIGHTLOOP_*_PORT.

Everything a stack writes is below its home, so two stacks with different homes and ports run side by side.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
BUCKET = "nightloop-local"  # the bucket of include/environments/local.yaml

# A Unix socket's path may have 107 bytes (sun_path), and supervisord binds it under a name a little longer.
_LONGEST_SOCKET_PATH = 90


class StackError(RuntimeError):
    """The local stack cannot be started or has stopped; the message says what to do."""


@dataclass(frozen=True)
class Port:
    """One listening port: what listens there, and the environment variable that moves it."""

    number: int
    purpose: str
    variable: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.number}"


@dataclass(frozen=True)
class StackSettings:
    """Directories and ports of one stack."""

    home: Path
    cloud: Port
    review: Port
    airflow: Port

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> StackSettings:
        """Read NIGHTLOOP_HOME and the three ports. Raises StackError for a port that is none."""
        home = Path(environment.get("NIGHTLOOP_HOME") or PROJECT / ".nightloop")
        return cls(
            home=home.resolve(),
            cloud=port(environment, "NIGHTLOOP_CLOUD_PORT", 4566, "the local cloud"),
            review=port(environment, "NIGHTLOOP_REVIEW_PORT", 4567, "the review portal"),
            airflow=port(environment, "NIGHTLOOP_AIRFLOW_PORT", 8080, "Airflow"),
        )

    @property
    def ports(self) -> tuple[Port, ...]:
        return self.cloud, self.review, self.airflow

    @property
    def cloud_data(self) -> Path:
        return self.home / "cloud"

    @property
    def aws_credentials(self) -> Path:
        """Written by the local cloud when it first starts."""
        return self.cloud_data / "credentials"

    @property
    def review_credentials(self) -> Path:
        """The key that callers of the review server sign with: here the cloud's."""
        return self.aws_credentials

    @property
    def aws_config(self) -> Path:
        return self.cloud_data / "config"

    @property
    def airflow_home(self) -> Path:
        return self.home / "airflow"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def run(self) -> Path:
        """Secrets, the supervisor's configuration and its process id: readable by the owner only."""
        return self.home / "run"

    @property
    def demo(self) -> StackSettings:
        """The stack of `make demo`: apart from the state of `make up`, on the same ports."""
        return replace(self, home=self.home / "demo" / "home")

    @property
    def cluster(self) -> StackSettings:
        """Where `make cluster` has its home: include/cluster/settings.py."""
        return replace(self, home=self.home / "cluster")

    @property
    def socket(self) -> Path:
        """Where supervisord takes commands; in the temporary directory when the home's path is long."""
        inside = self.run / "supervisor.sock"
        if len(os.fsencode(inside)) <= _LONGEST_SOCKET_PATH:
            return inside
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"nightloop-{os.getuid()}-{digest}.sock"

    def make_directories(self) -> None:
        for directory in (self.home, self.cloud_data, self.airflow_home, self.logs, self.run):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            _tighten(directory)


def _tighten(directory: Path) -> None:
    """Images, labels, models and logs are for nobody else on this machine, whichever version made them.

    A home that is more than a home (/tmp, the user's own, one around the project) is left as it is.
    """
    mode = directory.stat().st_mode
    is_shared = mode & stat.S_ISVTX or any(p.is_relative_to(directory) for p in (Path.home(), PROJECT))
    if mode & 0o077 and not is_shared:
        print(f"{directory} was open to others; now only its owner may use it", file=sys.stderr)
        directory.chmod(0o700)


def port(environment: Mapping[str, str], variable: str, default: int, purpose: str) -> Port:
    """The port that a variable names, or the default. StackError for a number that is none."""
    text = environment.get(variable) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise StackError(f"{variable}={text!r} is not a port for {purpose}: give a number from 1 to 65535")
    return Port(int(text), purpose, variable)
