"""Names that an upgrade must not change: else a retry after it would train a second time, and images would
change their splits. The figures are those of version 0.1.
"""

from __future__ import annotations

from include.loop.core.records.dataset import Dataset
from include.loop.dataset.build import MANIFESTS, make_id
from include.loop.dataset.split_rules import Placed, SplitRules, settle
from include.loop.training.job import training_stem

PARENT = "pets-train-0123456789-1"


def test_the_same_labels_make_the_same_dataset_and_the_same_training_job() -> None:
    then = {"retention": "memory", "recent": "newest"}
    values = {name: [{"source-ref": f"s3://b/{then.get(name, name)}.jpg"}] for name in MANIFESTS}
    dataset_id = make_id(values, {"2026-11-01": "ab"}, ("cat", "dog"), PARENT)
    assert dataset_id == "4f6789e2cb"
    dataset = Dataset(dataset_id=dataset_id, parent=PARENT)
    assert training_stem("pets", dataset) == "pets-train-8fc3bab392"


def test_the_same_images_get_the_same_splits() -> None:
    images = [Placed(f"{number:064x}", None, None, frozenset({0})) for number in range(12)]
    settled = settle(images, [], SplitRules(0.4, retention=2))
    assert [settled[image.sha256].split for image in images] == [
        "train", "validation", "train", "train", "train", "train", "train", "validation", "retention",
        "train", "train", "train",
    ]  # fmt: skip
