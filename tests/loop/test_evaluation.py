"""Both models meet the same images, every image is predicted once, and what cannot be measured is said."""

from __future__ import annotations

import pytest

from include.loop.errors import ConfigurationError
from include.loop.slices import read_slices
from tests.loop.place import Place, labelled, picture


def add_dataset(place: Place, dataset_id: str = "d1", **counts: int) -> None:
    place.storage.write_json(f"datasets/{dataset_id}/dataset.json", {"dataset_id": dataset_id, **counts})


def test_a_damaged_test_set_is_refused_instead_of_shrinking(make_place):
    place: Place = make_place(test_sets={"day": "test/day.manifest"})
    add_dataset(place)
    with pytest.raises(ConfigurationError, match=r"pets\.yaml: test_sets\.day: no object at s3://"):
        read_slices(place.workspace, "d1")
    place.storage.write_lines("test/day.manifest", [])
    with pytest.raises(ConfigurationError, match=r"test_sets\.day .*it is empty"):
        read_slices(place.workspace, "d1")
    place.storage.write_lines(
        "test/day.manifest", [labelled("s3://b/1.jpg"), labelled("s3://b/2.jpg", class_id=7)]
    )
    with pytest.raises(ConfigurationError, match="1 unusable lines, the first: class_id 7 is not one of"):
        read_slices(place.workspace, "d1")


def test_without_test_sets_the_validation_side_is_the_test(place: Place):
    source = place.put("images/1.jpg", picture(100))
    add_dataset(place, memory=0)
    place.storage.write_lines("datasets/d1/validation.manifest", [labelled(source)])
    slices = read_slices(place.workspace, "d1")
    assert {name: [line.source for line in lines] for name, lines in slices.images.items()} == {
        "validation": [source]
    }
