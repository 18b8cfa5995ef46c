"""The model artifact: weights in safetensors, and the hyperparameters that say what network they belong to.

Written into SM_ML_ROOT/model, from where SageMaker packs model.tar.gz; read back unpacked (serving) or packed
(incremental training). Nothing is ever unpickled, and an archive is never unpacked to disk: it is read to its
end in memory, and refused as a whole when anything in it is not as a model archive should be.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, Field
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from include.algorithms import archives
from include.algorithms.container import ClientError

WEIGHTS = "model_algo_1-0000.safetensors"
SETTINGS = "hyperparams.json"
_MOST_BYTES = 1 << 30  # of one member, unpacked: far above any weights of this network
_SEPARATOR = "."
_DEEPEST = 32


class ArtifactSettings(BaseModel):
    """hyperparams.json: what is needed to rebuild the network and to read its output."""

    num_classes: int = Field(gt=0)
    base_network: str
    image_shape: int = Field(ge=96)
    nms_threshold: float = Field(gt=0, le=1)


@dataclass(frozen=True)
class Artifact:
    """A trained network: flax variables as a nested dict of arrays, and its settings."""

    variables: dict[str, Any]
    settings: ArtifactSettings


def write(directory: Path, artifact: Artifact) -> Path:
    """Write both files, each in one step; returns the path of the weights."""
    directory.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.ascontiguousarray(array) for name, array in flatten(artifact.variables).items()}
    replace(directory / SETTINGS, json.dumps(artifact.settings.model_dump(), indent=2).encode())
    replace(directory / WEIGHTS, safetensors.save(arrays))
    return directory / WEIGHTS


def read(directory: Path) -> Artifact:
    """An unpacked artifact, or the model.tar.gz in this directory; ClientError without a usable model."""
    archive = directory / "model.tar.gz"
    if archive.is_file():
        return _parse(_members(archive).get, archive)
    return _parse(lambda name: _file(directory / name), directory)


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, np.ndarray]:
    """A nested dict of arrays as one dict with dotted names."""
    flat: dict[str, np.ndarray] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}{_SEPARATOR}")
        else:
            flat[prefix + name] = np.asarray(value)
    return flat


def nest(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """The way back from ``flatten``. Raises ValueError when a name is both an array's and a branch's, or
    lies deeper than any of a network's.
    """
    tree: dict[str, Any] = {}
    for name, array in arrays.items():
        *parents, leaf = name.split(_SEPARATOR)
        if len(parents) > _DEEPEST:
            raise ValueError(f"{name[:80]}… has more than {_DEEPEST} branches above it")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
            if not isinstance(branch, dict):
                raise ValueError(f"{name} lies below an array")
        if leaf in branch:
            raise ValueError(f"{name} is an array and a branch")
        branch[leaf] = array
    return tree


def replace(path: Path, content: bytes) -> None:
    """Write a file in one step."""
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    os.replace(partial, path)  # whoever is killed meanwhile leaves the last whole file


def _parse(load: Callable[[str], bytes | None], source: Path) -> Artifact:
    content = {name: load(name) for name in (SETTINGS, WEIGHTS)}
    missing = " and ".join(name for name, data in content.items() if data is None)
    if missing:
        raise ClientError(
            f"{source.name} holds no model of this algorithm: {missing} missing. Models trained by "
            "SageMaker's own container hold weights of another framework and cannot be continued here"
        )
    try:
        settings = ArtifactSettings.model_validate_json(content[SETTINGS] or b"")
        arrays = safetensors.load(content[WEIGHTS] or b"")
        return Artifact(nest(arrays), settings)
    except (SafetensorError, ValueError, KeyError) as error:  # KeyError: a number's type that numpy has not
        raise ClientError(f"{source.name} is damaged: {error}") from error


def _members(archive: Path) -> dict[str, bytes]:
    """Our two files, those that are there, once the whole archive is known to be sound."""
    found: dict[str, bytes] = {}
    try:
        for member in archives.members(archive):
            name = str(member.path)
            if name not in (SETTINGS, WEIGHTS):
                continue
            if member.size > _MOST_BYTES:
                raise ClientError(f"{name} in the model archive has more than {_MOST_BYTES} bytes")
            found[name] = b"".join(member.chunks)
    except archives.BadArchive as error:
        raise ClientError(f"{archive.name} is refused as a model archive: {error}") from error
    return found


def _file(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
