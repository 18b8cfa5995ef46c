"""What a manifest holds is counted; which attribute is the label is never guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.loop.core.errors import ConfigurationError
from include.loop.manifests.places import numbered_lines
from include.loop.manifests.survey import Survey, survey
from tests.loop.manifests.lines import boxes, grade, no_s3, numbered, write

VERIFIED = {"class-name": "bad", "type": "groundtruth/label-verification"}


def look(*values: Any, label: str | None = None) -> Survey:
    return survey("m", numbered(values), label)


def test_a_line_feed_at_the_end_is_no_line(tmp_path: Path):
    place = write(tmp_path / "m", [boxes(f"s3://b/{n}.jpg", 0) for n in range(10)])
    assert survey(place, numbered_lines(place, no_s3)).lines == 10


def test_names_may_hold_what_other_programs_take_for_a_lines_end(tmp_path: Path):
    place = write(tmp_path / "m", ['{"source-ref": "s3://b/a\u2028b.jpg"}'.encode(), b"  ", b'{"a": 1}\r'])
    assert [number for number, _ in numbered_lines(place, no_s3)] == [1, 3]


def test_labels_and_classes_are_counted_and_what_has_none_apart():
    failed = {"source-ref": "s3://b/4", "box-metadata": {"failure-reason": "ClientError: S3 said no"}}
    bad = boxes("s3://b/5", 0) | {"box": {"annotations": [{"class_id": "x"}]}}
    found = look(
        boxes("s3://b/1", 0, 2, 2), boxes("s3://b/2"), {"source-ref": "s3://b/3"}, failed, bad, b"nonsense"
    )
    box = found.attributes["box"]
    assert (found.lines, found.broken, box.labelled, box.failed, box.empty, box.most) == (6, 1, 2, 1, 1, 3)
    assert (box.things, box.images) == ({0: 1, 2: 2}, {0: 1, 2: 1})
    assert box.unreadable == {"'x' is no class index": 1}
    assert found.problems == ["line 6: manifest line is not JSON"]
    assert box.class_names() == ["helmet", "class-1", "boot"]


def test_classes_are_counted_in_every_way_that_they_are_written():
    many: dict[str, Any] = {"type": "groundtruth/image-classification-multilabel"}
    found = look(
        grade("s3://b/1", "0", "good"),
        grade("s3://b/2", 1.0, "bad"),
        {
            "source-ref": "a",
            "tags": [2, 0],
            "tags-metadata": many | {"class-map": {"0": "dent", "2": "dirt"}},
        },
        {"source-ref": "b", "tags": [1, 0, 1], "tags-metadata": many},
        {"source-ref": "c", "tags": [], "tags-metadata": many | {"class-map": {}}},
    )
    assert found.attributes["grade"].things == {0: 1, 1: 1}
    assert found.attributes["grade"].class_names() == ["good", "bad"]
    tags = found.attributes["tags"]
    assert (tags.things, tags.empty, tags.most) == ({0: 2, 2: 2}, 1, 2)
    assert tags.tasks == {("image-classification", True): 3}


def test_the_only_label_is_found_beside_a_verification_of_it():
    line = boxes("s3://b/1", 0) | {"verify-box": "1", "verify-box-metadata": VERIFIED}
    assert look(line).choose(None).name == "box"


def test_two_labels_are_named_and_none_is_chosen():
    chained = boxes("s3://b/1", 0) | boxes("s3://b/1", 1, name="box-adj", created="2026-02-12T10:00:00")
    found = look(chained, boxes("s3://b/2", 0))
    with pytest.raises(ConfigurationError) as error:
        found.choose(None)
    assert str(error.value) == (
        "m: several attributes could be the label; there are box (groundtruth/object-detection, in all 2 "
        "lines), box-adj (groundtruth/object-detection, in 1 of 2 lines). Name one with --label"
    )
    assert found.choose("box-adj").newest == "2026-02-12T10:00:00"


def test_a_name_that_is_not_there_is_refused_with_what_the_job_would_say_and_what_there_is():
    with pytest.raises(
        ConfigurationError, match=r"no line has the attribute 'bocks'; there are box .*"
    ) as error:
        look(boxes("s3://b/1", 0), label="bocks").choose("bocks")
    assert "Got empty batch from pipe. Please check if the manifest file contains valid" in str(error.value)


def test_a_label_without_metadata_is_found_by_its_name_only():
    line = {"source-ref": "s3://b/1", "review": boxes("s3://b/1", 1)["box"], "camera": 3}
    with pytest.raises(ConfigurationError, match="no attribute has metadata; the lines have review, camera"):
        look(line).choose(None)
    assert look(line, label="review").choose("review").class_count == 2


def test_a_class_with_two_names_is_refused():
    found = look(grade("s3://b/1", 1, "bad"), grade("s3://b/2", 1, "good"))
    with pytest.raises(ConfigurationError, match="class 1 of 'grade' is called 'bad' and 'good'"):
        found.attributes["grade"].class_names()


@pytest.mark.parametrize(
    ("values", "message"), [([], "m has no lines"), ([{"source-ref": "a"}], "the lines have no other fields")]
)
def test_a_manifest_without_labels_says_so(values: list[Any], message: str):
    with pytest.raises(ConfigurationError, match=message):
        look(*values).choose(None)
