"""Labels, committed shards and champions made by hand, for tests of what is learned from."""

from __future__ import annotations

import hashlib
from typing import Any

from include.loop.core import layout
from include.loop.core.records.models import Champion
from include.loop.core.records.nightly import LabelSummary
from include.loop.core.storage import in_parallel
from include.loop.dataset import build
from tests.loop.pictures import patchwork
from tests.loop.place import Place, labelled

INITIAL = {"train": "initial/train.manifest", "validation": "initial/validation.manifest"}


def line(
    place: Place,
    name: str,
    picture: bytes | None = None,
    created: str = "2026-11-01T00:00:00.000000",
    class_id: int = 0,
    **more: str,
) -> dict[str, Any]:
    """A label of an image that is there: a picture of its own for every name, unless one is given."""
    body = patchwork(name) if picture is None else picture
    source = place.put(f"pictures/{name}", body)
    etag = {"etag": hashlib.md5(body, usedforsecurity=False).hexdigest()}
    return labelled(source, created, class_id) | etag | more


def lines(place: Place, prefix: str, count: int, **label: Any) -> list[dict[str, Any]]:
    return list(in_parallel(lambda n: line(place, f"{prefix}{n}.jpg", **label), range(count)))


def shard(place: Place, batch: str, values: list[dict[str, Any]], **summary: Any) -> None:
    """A committed shard, as a batch leaves it."""
    place.storage.write_lines(layout.labels_manifest(batch), values)
    LabelSummary(batch=batch, labels=len(values), **summary).write(place.storage, batch)


def set_champion(place: Place, dataset_id: str, number: int = 1, model_data: str = "s3://b/m") -> None:
    """Make the model of a dataset the champion."""
    champion = Champion(
        number=number,
        training_job=f"job-{number}",
        model_data=model_data,
        dataset_id=dataset_id,
        hyperparameters={"base_network": "resnet-50", "num_classes": "2", "image_shape": "300"},
        metric="mAP@0.5",
        score={"day": 0.5},
        promoted_at="2026-11-01T00:00:00+00:00",
        package_arn=f"arn:aws:sagemaker:us-east-1:000000000000:model-package/pets/{number}",
    )
    place.storage.write(layout.CHAMPION, champion.dump(place.storage))
    champion.write(place.storage, number)


def start(place: Place, train: int = 20, validation: int = 4, **label: Any) -> str:
    """A first champion from labels of its own; its dataset."""
    for split, count in (("train", train), ("validation", validation)):
        place.storage.write_lines(INITIAL[split], lines(place, f"{split}-", count, **label))
    built = build.build_initial(place.workspace)
    set_champion(place, built.dataset_id)
    return built.dataset_id


def read(place: Place, dataset_id: str, name: str) -> list[dict[str, Any]]:
    """The lines of one of a dataset's manifests."""
    return list(place.storage.read_lines(layout.dataset_manifest(dataset_id, name)))


def sources(values: list[dict[str, Any]]) -> set[str]:
    """The file names of their images."""
    return {value["source-ref"].rsplit("/", 1)[-1] for value in values}
