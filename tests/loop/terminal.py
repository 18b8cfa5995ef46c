"""What a terminal has before a command is typed: configuration files, an environment's name, credentials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.loop.place import Place


def at_terminal(place: Place, monkeypatch: pytest.MonkeyPatch, folder: Path, **environment: Any) -> None:
    """Put a place's pipeline and environment into files; further fields are of the environment."""
    kept = {"region", "bucket", "role_arn", "algorithm", "pipeline"}
    files = {
        "pipelines/pets": {"classes": list(place.pipeline.classes)},
        "environments/test": place.environment.model_dump(mode="json", include=kept) | environment,
    }
    for name, value in files.items():
        path = folder / f"{name}.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(yaml.safe_dump(value))
    monkeypatch.setenv("NIGHTLOOP_CONFIG_DIR", str(folder))
    monkeypatch.setenv("NIGHTLOOP_ENVIRONMENT", "test")
    for variable, text in place.cloud.env().items():
        monkeypatch.setenv(variable, text)
