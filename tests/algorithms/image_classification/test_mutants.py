"""Whatever bytes stand in a channel: a record is used or left out, or the job ends with the user's fault."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given

from include.algorithms.container import ClientError
from include.algorithms.image_classification.channels import Example, read_channel
from include.algorithms.image_classification.hyperparameters import parse_hyperparameters
from tests.algorithms.image_classification.jobs import MULTI, ColourJob, framed, packed, picture
from tests.support.mutants import mutants, thorough

SMALL = {"num_classes": "3", "num_training_samples": "32", "image_shape": "3,28,28", "resize": "28"}
IMAGES = [picture(colour, size=(8, 8)) for colour in range(3)]
STREAMS = [
    framed([IMAGES[0], b"2", IMAGES[1], b'"1"']),
    framed([IMAGES[0], b"[1, 0, 1]", IMAGES[1], b"[0, 2]"]),
    framed([packed(2, 7, IMAGES[0]), packed(0, 8, IMAGES[1])]),
    framed([packed([1, 0, 1], 7, IMAGES[0])]),
]
LISTS = [b"4\t2\ta/0.jpg\n5\t0.000000\ta/1.jpg\n", b"4\t1\t0\t1\ta/0.jpg\n"]


@pytest.mark.parametrize("more", [{}, MULTI], ids=["one class", "several"])
@pytest.mark.parametrize("examples", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_channel_of_mutants_is_read_or_refused_and_never_breaks_the_job(examples: int, more, tmp_path):
    settings = parse_hyperparameters({**SMALL, **more})
    pipe, files = (ColourJob(tmp_path / name) for name in ("pipe", "files"))
    pipe.manifest("train", [])
    files.listed("train", [(image, 0) for image in IMAGES])

    def read(job: ColourJob) -> None:
        with suppress(ClientError):
            for record in read_channel(job.container, "train", settings, whole=False):
                if isinstance(record, Example):
                    assert record.pixels.shape == (28, 28, 3)
                    assert ((record.label >= 0) & (record.label < 3)).all()
                else:
                    assert record.name.startswith(("record ", "line "))

    @thorough(examples)
    @given(mutants(STREAMS))
    def streamed(stream: bytes) -> None:
        (pipe.root / "input/data/train_0").write_bytes(stream)
        read(pipe)

    @thorough(examples)
    @given(mutants(LISTS))
    def listed(text: bytes) -> None:
        (files.root / "input/data/train_lst/train.lst").write_bytes(text)
        read(files)

    streamed()
    listed()
