"""Model artifacts: weights in safetensors, and a JSON that says what network they belong to.

Written into SM_ML_ROOT/model, from where SageMaker packs model.tar.gz; read back unpacked (serving) or packed
(incremental training). Nothing is ever unpickled, and an archive is never unpacked to disk: it is read to its
end in memory, and refused as a whole when anything in it is not as a model archive should be.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from include.algorithms import archives
from include.algorithms.container import ClientError

SETTINGS = "hyperparams.json"
# How the names of weights begin, in the archives of SageMaker's own containers and in these.
_MAKERS = {"model_algo_1-": "object detection", "image-classification-": "image classification"}
_MOST_BYTES = 1 << 30  # of one member, unpacked: far above any weights of these networks
_SEPARATOR = "."
_DEEPEST = 32

_Settings = TypeVar("_Settings", bound=BaseModel)


def write(directory: Path, weights: str, variables: dict[str, Any], settings: BaseModel) -> Path:
    """Write the settings, and the variables under the name ``weights``; each file in one step. Returns the
    path of the weights.
    """
    path = write_weights(directory, weights, variables)
    replace(directory / SETTINGS, settings.model_dump_json(indent=2).encode())
    return path


def write_weights(directory: Path, weights: str, variables: dict[str, Any]) -> Path:
    """Write variables alone, in one step; returns their path."""
    directory.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.ascontiguousarray(array) for name, array in flatten(variables).items()}
    path = directory / weights
    replace(path, safetensors.save(arrays))
    return path


def read(
    directory: Path, kind: type[_Settings], weights: Callable[[_Settings], str], stem: str
) -> tuple[dict[str, Any], _Settings]:
    """Variables and settings of an unpacked artifact, or of the model.tar.gz in this directory.

    ``weights`` tells the name of their file, which begins with ``stem``. ClientError without a usable model.
    """
    archive = directory / "model.tar.gz"
    source = archive if archive.is_file() else directory
    try:
        (text,) = _content(source, stem, SETTINGS)
        settings = kind.model_validate_json(text)
        (packed,) = _content(source, stem, weights(settings))
        return nest(safetensors.load(packed)), settings
    except ClientError:
        raise
    except (SafetensorError, ValueError, KeyError) as error:  # KeyError: a number's type that numpy has not
        raise ClientError(f"{source.name} is damaged: {error}") from error


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


def _content(source: Path, stem: str, *names: str) -> list[bytes]:
    """These files of an artifact, once all of it is known to be sound."""
    found, there = _packed(source, names) if source.is_file() else _unpacked(source, names)
    missing = " and ".join(name for name in names if name not in found)
    if missing or not any(name.startswith(stem) for name in there):
        makers = {maker for start, maker in _MAKERS.items() if any(name.startswith(start) for name in there)}
        if others := makers - {_MAKERS[stem]}:
            raise ClientError(
                f"{source.name} holds a model of {' and '.join(sorted(others))}; {_MAKERS[stem]} can neither "
                "continue nor serve it"
            )
        raise ClientError(
            f"{source.name} holds no model of this algorithm: {missing or f'{stem}… is'} missing. Models "
            "trained by SageMaker's own container hold weights of another framework and cannot be continued "
            "here"
        )
    return [found[name] for name in names]


def _packed(archive: Path, names: tuple[str, ...]) -> tuple[dict[str, bytes], list[str]]:
    """The wanted members that are there, and the names of all."""
    found: dict[str, bytes] = {}
    there = []
    try:
        for member in archives.members(archive):
            there.append(name := str(member.path))
            if name not in names:
                continue
            if member.size > _MOST_BYTES:
                raise ClientError(f"{name} in the model archive has more than {_MOST_BYTES} bytes")
            found[name] = b"".join(member.chunks)
    except archives.BadArchive as error:
        raise ClientError(f"{archive.name} is refused as a model archive: {error}") from error
    return found, there


def _unpacked(directory: Path, names: tuple[str, ...]) -> tuple[dict[str, bytes], list[str]]:
    there = [path.name for path in directory.glob("*") if path.is_file()]
    return {name: (directory / name).read_bytes() for name in names if name in there}, there
