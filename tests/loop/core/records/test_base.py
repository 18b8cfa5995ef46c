from __future__ import annotations

import subprocess
from typing import Any, ClassVar

import pytest

from include.loop.core.errors import BadRecord, ConcurrentWrite, Fatal
from include.loop.core.records.base import ROOT, Line, Record, code_version
from tests.loop.place import Place


class Shelf(Record):
    """Two books once were one."""

    VERSION: ClassVar[int] = 2
    LOCATION = staticmethod(lambda name: f"shelves/{name}.json")

    books: tuple[str, ...]

    @classmethod
    def upgrade(cls, value: dict[str, Any], version: int) -> dict[str, Any]:
        return value if version > 1 else value | {"books": [value["book"]]}


class Loan(Line):
    LOCATION = staticmethod(lambda name: f"loans/{name}.jsonl")

    reader: str
    back: str | None = None


def test_a_record_says_its_version_its_code_and_its_pipeline(place: Place):
    Shelf(books=("a", "b")).write(place.storage, "top")
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    assert place.storage.read_json("shelves/top.json") == {
        "books": ["a", "b"],
        "schema_version": 2,
        "written_by": commit.strip() or code_version(),
        "pipeline_sha256": place.storage.pipeline_sha256,
    }


def test_an_older_record_is_brought_up_to_date_and_a_newer_one_is_read_as_far_as_it_is_known(place: Place):
    place.storage.write_json("shelves/old.json", {"book": "a"})
    assert Shelf.read(place.storage, "old") == Shelf(books=("a",))
    new = {"schema_version": 7, "books": [], "colour": "red"}
    place.storage.write_json("shelves/new.json", new)
    assert Shelf.read(place.storage, "new").schema_version == 7
    assert Shelf.find(place.storage, "none") is None
    with pytest.raises(FileNotFoundError, match=r"s3://.*/shelves/none\.json"):
        Shelf.read(place.storage, "none")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"books": 3, "schema_version": 2}, "books: input should be a valid tuple"),
        ({"pages": 3}, "is of no version that was ever written"),
        ([], "must be a JSON object, not list"),
        ({"books": [], "schema_version": "2"}, "schema_version: must be a whole number from 1, not '2'"),
        ({"books": [], "schema_version": True}, "schema_version: must be a whole number from 1, not True"),
        ({"books": [], "schema_version": -1}, "schema_version: must be a whole number from 1, not -1"),
    ],
)
def test_what_is_no_record_is_told_with_its_place(place: Place, value: Any, told: str):
    place.storage.write_json("shelves/bad.json", value)
    with pytest.raises(Fatal, match=rf"shelves/bad\.json is no Shelf record: {told}"):
        Shelf.read(place.storage, "bad")
    with pytest.raises(BadRecord, match="not JSON"):
        Shelf.from_json(b"{")


def test_what_is_written_once_stays_and_what_is_replaced_must_be_the_one_that_was_read(place: Place):
    first, second = Shelf(books=("a",)), Shelf(books=("b",))
    assert first.write_once(place.storage, "top") == first
    assert second.write_once(place.storage, "top").books == ("a",)
    _, etag = Shelf.find_version(place.storage, "top")
    second.replace(place.storage, etag, "top")
    with pytest.raises(ConcurrentWrite):
        first.replace(place.storage, etag, "top")


def test_a_newer_record_that_is_replaced_has_the_shape_that_it_says(place: Place):
    new = {"schema_version": 7, "books": ["a"], "colour": "red"}
    place.storage.write_json("shelves/top.json", new)
    found, etag = Shelf.find_version(place.storage, "top")
    assert found is not None
    found.model_copy(update={"books": ("b",)}).replace(place.storage, etag, "top")
    there = place.storage.read_json("shelves/top.json")
    assert (there["schema_version"], there["books"]) == (2, ["b"])


def test_lines_are_written_without_what_is_not_said(place: Place):
    assert Loan.write_all(place.storage, [Loan(reader="ada"), Loan(reader="bob", back="today")], "x") == 2
    assert place.storage.read("loans/x.jsonl") == b'{"reader":"ada"}\n{"back":"today","reader":"bob"}\n'
    assert [line.reader for line in Loan.read_all(place.storage, "x")] == ["ada", "bob"]
