"""The labels behind a model are found by class and batch, back through its ancestors."""

from __future__ import annotations

from typing import Any

import pytest

from include.loop.core import layout
from include.loop.core.errors import NotSetUp
from include.loop.core.records.dataset import Dataset
from include.loop.lineage.provenance import find_line
from tests.loop.place import Place, labelled


def write_dataset(place: Place, dataset_id: str, parent: str | None, *lines: dict) -> None:
    place.storage.write_lines(layout.dataset_manifest(dataset_id, "train"), lines)
    Dataset(dataset_id=dataset_id, parent_dataset=parent).write(place.storage, dataset_id)


def line(name: str, batch: str | None = None, class_id: int = 0) -> dict:
    asked = {"batch": batch, "loop": f"loop-{name}", "etag": "e"} if batch else {}
    return labelled(f"s3://b/{name}.jpg", class_id=class_id) | asked


def test_lines_of_others_are_ordered_by_time_and_their_fields_may_be_of_any_kind(place: Place):
    times: list[Any] = ["2026-10-02T01:00:00", "2026-10-01T23:30:00-05:00", None, "2026-10-02T05:00:00+02:00"]
    values = [labelled(f"s3://b/{number}.jpg", time) for number, time in enumerate(times)]
    values[0] |= {"loop": ["a", "b"], "batch": 0}
    values[2] |= {"review-metadata": "?"}
    values[1]["review"]["annotations"][0]["class_id"] = "0"
    write_dataset(place, "first", None, *values)
    found = [find_line(place.workspace, "first", "cat", number)[0] for number in range(1, 5)]
    assert [label["image"][-5] for label in found] == ["1", "3", "0", "2"]
    assert found[0]["labels"][0]["label"] == "cat"


def test_labels_come_by_batch_the_newest_first_back_through_the_ancestors(place: Place):
    write_dataset(place, "first", None, line("a"), line("b"))
    write_dataset(place, "second", "first", line("b"), line("c", "2026-11-01"), line("d", "2026-11-01", 1))
    write_dataset(
        place, "third", "second", line("c", "2026-11-01"), line("e", "2026-11-02"), line("f", "2026-11-02", 1)
    )
    found = [find_line(place.workspace, "third", "cat", number)[0] for number in range(1, 5)]
    names = [label["image"].removeprefix("s3://b/").removesuffix(".jpg") for label in found]
    assert names == ["e", "c", "b", "a"]
    assert [label["manifest"].split("/")[-2] for label in found] == ["third", "third", "second", "first"]
    assert [label["line"] for label in found] == [2, 1, 1, 1]
    assert [label["loop"] for label in found] == ["loop-e", "loop-c", None, None]
    assert find_line(place.workspace, "third", "dog", 2)[0]["image"] == "s3://b/d.jpg"
    assert find_line(place.workspace, "third", None, 6)[0]["image"] == "s3://b/a.jpg"
    with pytest.raises(NotSetUp, match="learned from 2 lines of this kind: no line 3 shows 'dog'"):
        find_line(place.workspace, "third", "dog", 3)
