"""SageMaker's container contract, seen from inside: where things lie below /opt/ml, how to log, how to fail.

Every algorithm uses it the same way; `SM_ML_ROOT` moves the tree elsewhere, for a machine without containers.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REASON_LIMIT = 1024  # characters of output/failure that DescribeTrainingJob shows
logger = logging.getLogger("algorithm")


class ClientError(ValueError):
    """The job's configuration or data is wrong: the same job fails again until somebody changes it."""


class AlgorithmError(RuntimeError):
    """Training itself went wrong, with data and configuration that were acceptable."""


@dataclass(frozen=True)
class Container:
    """Paths below the ML root, and the configuration files SageMaker writes there."""

    root: Path

    @classmethod
    def here(cls) -> Container:
        return cls(Path(os.environ.get("SM_ML_ROOT", "/opt/ml")))

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def checkpoints(self) -> Path | None:
        """The directory that SageMaker keeps in step with S3; None in a job without a CheckpointConfig."""
        path = self.root / "checkpoints"
        return path if path.is_dir() else None

    @property
    def bind_host(self) -> str:
        """All addresses inside a real container, whose network is its own; else this machine only."""
        return "127.0.0.1" if "SM_ML_ROOT" in os.environ else "0.0.0.0"  # noqa: S104 -- in a container

    def channel(self, name: str) -> Path:
        """A channel's directory in File mode. In Pipe mode `<this>_<epoch>` are its pipes."""
        return self.root / "input/data" / name

    def configuration(self, name: str) -> dict[str, Any]:
        """input/config/<name>.json; ClientError when it is missing or not a JSON object."""
        path = self.root / "input/config" / f"{name}.json"
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise ClientError(f"cannot read {path}: {error}") from error
        if not isinstance(content, dict):
            raise ClientError(f"{path} must hold a JSON object, not {type(content).__name__}")
        return content

    def host(self) -> str:
        """This machine's name within the job: algo-1 for the first, and the only one here."""
        try:
            return str(self.configuration("resourceconfig").get("current_host", "algo-1"))
        except ClientError:
            return "algo-1"  # the file is a help to algorithms of many machines, not to this one

    def fail(self, reason: str) -> None:
        """Leave the reason where SageMaker looks for it."""
        path = self.root / "output/failure"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(reason[:REASON_LIMIT], encoding="utf-8")


def run(container: Container, work: Callable[[Container], None]) -> int:
    """Do `work` and return the process's exit code, leaving the reason of a failure behind."""
    logging.basicConfig(
        stream=sys.stdout,
        level=logging.INFO,
        format="[%(asctime)s %(levelname)s %(thread)d] %(message)s",
        datefmt="%m/%d/%Y %H:%M:%S",
        force=True,
    )
    for talkative in ("jax", "absl"):
        logging.getLogger(talkative).setLevel(logging.ERROR)
    try:
        work(container)
    except ClientError as error:
        return _failed(container, f"ClientError: {error}", 2)
    except AlgorithmError as error:
        return _failed(container, f"AlgorithmError: {error}", 1)
    except Exception as error:
        # The border of the process: whoever reads FailureReason should learn more than an exit code.
        logger.exception("unexpected")
        return _failed(container, f"AlgorithmError: {type(error).__name__}: {error}", 1)
    return 0


def emit(line: str) -> None:
    """Print a metric line as it is, at once: the service parses the log while the job runs."""
    print(line, flush=True)


def _failed(container: Container, reason: str, code: int) -> int:
    logger.error(reason)
    container.fail(reason)
    return code
