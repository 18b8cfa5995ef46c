"""An artifact comes back as it was written, and a hostile or foreign archive is refused."""

from __future__ import annotations

import tarfile

import numpy as np
import pytest
from safetensors import numpy as safetensors

from include.algorithms.container import ClientError
from include.algorithms.object_detection import artifact
from include.algorithms.object_detection.artifact import SETTINGS, WEIGHTS, Artifact, ArtifactSettings
from tests.support.archives import ATTACKS, pickled

TRAINED = Artifact(
    {"params": {"conv1": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}}},
    ArtifactSettings(num_classes=3, base_network="vgg-16", image_shape=96, nms_threshold=0.45),
)


def pack(directory, target, names=(SETTINGS, WEIGHTS)):
    target.mkdir(exist_ok=True)
    with tarfile.open(target / "model.tar.gz", "w:gz") as archive:
        for name in names:
            archive.add(directory / name, name)


def same(found):
    assert found.settings == TRAINED.settings
    np.testing.assert_array_equal(found.variables["params"]["conv1"]["kernel"], np.arange(6).reshape(2, 3))


def test_what_was_written_is_read_unpacked_and_packed(tmp_path):
    path = artifact.write(tmp_path / "model", TRAINED)
    assert path.name == "model_algo_1-0000.safetensors"
    same(artifact.read(tmp_path / "model"))
    pack(tmp_path / "model", tmp_path / "channel")
    same(artifact.read(tmp_path / "channel"))
    assert [p.name for p in (tmp_path / "channel").iterdir()] == ["model.tar.gz"]  # nothing is unpacked


def test_a_model_of_another_framework_is_refused(tmp_path):
    (tmp_path / "model_algo_1-0000.params").write_bytes(b"mxnet")
    pack(tmp_path, tmp_path, ["model_algo_1-0000.params"])
    with pytest.raises(ClientError, match="weights of another framework"):
        artifact.read(tmp_path)


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
def test_an_archive_made_to_do_harm_is_refused_although_the_model_in_it_is_sound(tmp_path, attack):
    artifact.write(tmp_path / "model", TRAINED)
    sound = {name: (tmp_path / "model" / name).read_bytes() for name in (SETTINGS, WEIGHTS)}
    channel = tmp_path / "channel"
    channel.mkdir()
    (channel / "model.tar.gz").write_bytes(attack.archive(sound, tmp_path / "canary"))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ClientError, match=r"model\.tar\.gz is refused as a model archive") as error:
        artifact.read(channel)
    assert attack.said in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before  # nothing was written, nothing was run


def test_weights_that_are_a_pickle_are_not_loaded(tmp_path):
    """As the files lie there when an archive was unpacked by somebody else."""
    artifact.write(tmp_path, TRAINED)
    (tmp_path / WEIGHTS).write_bytes(pickled(tmp_path / "canary"))
    with pytest.raises(ClientError, match="is damaged"):
        artifact.read(tmp_path)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("names", [("a", "a.b"), ("a.b", "a")])
def test_weights_whose_names_contradict_one_another_are_refused(tmp_path, names):
    artifact.write(tmp_path, TRAINED)
    arrays = {name: np.zeros(2, np.float32) for name in names}
    (tmp_path / WEIGHTS).write_bytes(safetensors.save(arrays))
    with pytest.raises(ClientError, match="is damaged"):
        artifact.read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not gzip", b"\x1f\x8b\x08\x00broken"])
def test_a_damaged_archive_is_refused(tmp_path, content):
    (tmp_path / "model.tar.gz").write_bytes(content)
    with pytest.raises(ClientError, match=r"model\.tar\.gz"):
        artifact.read(tmp_path)


def test_damaged_weights_are_refused(tmp_path):
    artifact.write(tmp_path, TRAINED)
    (tmp_path / WEIGHTS).write_bytes(b"\xff" * 64)
    with pytest.raises(ClientError, match="is damaged"):
        artifact.read(tmp_path)
