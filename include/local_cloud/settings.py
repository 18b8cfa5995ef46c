"""Where the local cloud lives and what it is: one frozen value made by the command line and handed to every
part.

Also the names that are fixed: the account, the Region, and the form of an ARN.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from include.review_server.settings import AutoLabelingSettings, ReviewSettings

# Networks that learn from a few hundred images in a minute of this machine, from nothing.
SMALL_MODELS = {
    "image-classification": {
        "image_shape": "3,64,64",
        "resize": "64",
        "use_pretrained_model": "0",
        "epochs": "30",
        "learning_rate": "0.004",
        "lr_scheduler_step": "18,25",
        "lr_scheduler_factor": "0.3",
    },
    "object-detection": {
        "image_shape": "128",
        "use_pretrained_model": "0",
        "epochs": "30",
        "optimizer": "adam",
        "learning_rate": "0.002",
        "lr_scheduler_step": "18,25",
        "lr_scheduler_factor": "0.3",
        "mini_batch_size": "8",
    },
}
ACCOUNT_ID = "000000000000"
REGION = "us-east-1"
PROJECT_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Settings:
    """The local cloud's own settings. Times are seconds."""

    data: Path
    host: str = "127.0.0.1"
    port: int = 4566
    review_port: int = 4567
    algorithms: tuple[tuple[str, str], ...] = ()  # further training images: (repository name, Python package)
    labeling_functions: tuple[str, ...] = ()  # callables of labeling jobs, as NAME=MODULE:CALLABLE
    lambda_endpoint: str | None = None  # a URL
    jobs_at_once: int = max(1, os.cpu_count() or 1)
    stop_grace: float = 120.0  # SageMaker's time between SIGTERM and SIGKILL
    orphan_grace: float = 60.0  # how long an instance goes on without its cloud
    auto_labeling: AutoLabelingSettings = field(
        default_factory=lambda: AutoLabelingSettings(hyperparameters=SMALL_MODELS)
    )

    least_seconds: float = ReviewSettings.least_seconds  # before a worker's page sends an answer
    undo_seconds: float = ReviewSettings.undo_seconds  # in which an answer can be taken back

    def __post_init__(self) -> None:
        if self.jobs_at_once < 1:
            raise ValueError(f"--jobs is {self.jobs_at_once}; at least one job must be allowed to run")

    @property
    def documents(self) -> Path:
        return self.data / "sagemaker.sqlite"

    @property
    def instances(self) -> Path:
        return self.data / "instances"

    @property
    def cache(self) -> Path:
        """What one container has worked out and the next need not, such as compiled networks."""
        return self.data / "cache"

    @property
    def lock(self) -> Path:
        """Held by the running cloud; instances look at it to see whether their cloud is alive."""
        return self.data / "cloud.lock"

    def save(self) -> None:
        """Write what an instance needs to know, next to the data it is about."""
        values = {
            "algorithms": self.algorithms,
            "stop_grace": self.stop_grace,
            "orphan_grace": self.orphan_grace,
        }
        write_atomically(self.data / "settings.json", json.dumps(values, indent=1))

    @classmethod
    def load(cls, data: Path) -> Settings:
        values = json.loads((data / "settings.json").read_text())
        return cls(data=data, **values | {"algorithms": tuple(tuple(pair) for pair in values["algorithms"])})


def arn(kind: str, name: str) -> str:
    """``arn:aws:sagemaker:us-east-1:000000000000:training-job/name``; SageMaker writes names in lower
    case.
    """
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT_ID}:{kind}/{name.lower()}"


def write_atomically(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file as a whole: a reader sees the old text or the new one, never half."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    os.replace(part, path)
