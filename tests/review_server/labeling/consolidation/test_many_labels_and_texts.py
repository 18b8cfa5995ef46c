"""Lines of multi-label and named-entity jobs, as Ground Truth writes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.review_server.labeling.consolidation.asking import check_bad_answer, labels, reason

FLAWS = ("dent", "rust", "dirt")
KINDS = ("person", "place")
TEXT = "Nina flew to Oslo 🛫"


def chosen(*names: str) -> dict[str, Any]:
    return {"labels": list(names)}


def marked(*marks: tuple[int, int, str]) -> dict[str, Any]:
    return {
        "entities": [{"endOffset": end, "label": label, "startOffset": start} for start, end, label in marks]
    }


def test_every_class_that_anybody_chose_is_there_the_surest_first():
    """Of rust the votes are 000 001 110 111 010, the first vector of two classes: not only where it won."""
    objects = [
        [chosen("rust") if sign == "1" else chosen() for sign in votes]
        for votes in ("000", "001", "110", "111", "010")
    ]
    found = labels("ImageMultiClassMultiLabel", FLAWS, *objects)
    assert [label for label, _ in found] == [[], [1], [1], [1], [1]]
    assert [metadata["confidence-map"].get("1") for _, metadata in found] == [None, 0.20, 0.76, 0.89, 0.28]
    ((label, metadata),) = labels(
        "TextMultiClassMultiLabel", FLAWS, [chosen("dent", "rust"), chosen("rust"), chosen("rust")]
    )
    assert label == [1, 0]
    assert list(metadata["confidence-map"]) == ["1", "0"]
    assert metadata["type"] == "groundtruth/text-classification-multilabel"


def test_many_labels_have_ground_truths_bytes():
    ((label, metadata),) = labels("ImageMultiClassMultiLabel", FLAWS, [chosen("rust", "dent")])
    assert json.dumps([label, metadata]) == (
        '[[0, 1], {"job-name": "labeling-job/grade-r1", "class-map": {"0": "dent", "1": "rust"}, '
        '"human-annotated": "yes", "creation-date": "2026-02-11T09:14:03.120551", '
        '"confidence-map": {"0": 0.0, "1": 0.0}, "type": "groundtruth/image-classification-multilabel"}]'
    )


def test_who_says_that_no_class_fits_chose_none():
    ((label, metadata),) = labels("ImageMultiClassMultiLabel", FLAWS, [chosen("None of the above")])
    assert (label, metadata["class-map"], metadata["confidence-map"]) == ([], {}, {})


def test_entities_have_ground_truths_bytes():
    ((label, metadata),) = labels(
        "NamedEntityRecognition", KINDS, [marked((13, 17, "place"), (0, 4, "person"))], source=TEXT
    )
    assert json.dumps([label, metadata]) == (
        '[{"annotations": {"entities": [{"endOffset": 4, "startOffset": 0, "label": "person"}, '
        '{"endOffset": 17, "startOffset": 13, "label": "place"}], '
        '"labels": [{"label": "person"}, {"label": "place"}]}}, '
        '{"entities": [{"confidence": 0}, {"confidence": 0}], "job-name": "labeling-job/grade-r1", '
        '"type": "groundtruth/text-span", "creation-date": "2026-02-11T09:14:03.120551", '
        '"human-annotated": "yes"}]'
    )


def test_offsets_are_utf_16_units_as_the_browser_counts_them():
    ((label, metadata),) = labels(
        "NamedEntityRecognition", KINDS, [marked((18, 20, "place"))] * 2 + [marked()], source=TEXT
    )
    assert label["annotations"]["entities"] == [{"endOffset": 20, "startOffset": 18, "label": "place"}]
    assert metadata["entities"] == [{"confidence": 0.6667}]
    beyond = reason("NamedEntityRecognition", KINDS, marked((18, 21, "place")), source=TEXT)
    assert beyond == "answer of worker w0: entity 1 ends at 21, and the text at 20"


@pytest.mark.parametrize(
    ("task", "told", "says"),
    [
        ("ImageMultiClassMultiLabel", {"labels": None}, "labels of answer is null, not a list"),
        ("ImageMultiClassMultiLabel", {"labels": "rust"}, "labels of answer is 'rust', not a list"),
        ("ImageMultiClassMultiLabel", {"labels": ["rust", {"a": 1}]}, "label an object is none of the job's"),
        ("ImageMultiClassMultiLabel", {"labels": ["mould"]}, "label 'mould' is none of the job's categories"),
        ("ImageMultiClassMultiLabel", {"labels": ["rust"] * 10**6}, "it has 1,000,000 labels"),
        ("ImageMultiClassMultiLabel", {"label": "rust"}, "answer has no 'labels'"),
        ("NamedEntityRecognition", {"entities": None}, "entities of answer is null, not a list"),
        ("NamedEntityRecognition", {"entities": [None]}, "entity 1 is null, not an object"),
        ("NamedEntityRecognition", marked((4, 4, "rust")), "entity 1 from 4 to 4 is no part of a text"),
        ("NamedEntityRecognition", marked((-1, 4, "rust")), "is no part of a text"),
        ("NamedEntityRecognition", {"entities": [{"startOffset": 0.5, "endOffset": 2, "label": "rust"}]},
         "is no part of a text"),
        ("NamedEntityRecognition", {"entities": [{"startOffset": "0", "endOffset": 2, "label": "rust"}]},
         "startOffset of entity 1 is '0', not a usable number"),
        ("NamedEntityRecognition", {"entities": [{"startOffset": 0, "endOffset": 2}]}, "has no 'label'"),
        ("NamedEntityRecognition", marked(*[(0, 4, "rust")] * 10**6), "it has 1,000,000 entities"),
    ],
)  # fmt: skip
def test_a_bad_answer_costs_no_other_answer_and_no_other_object(task, told, says):
    good = marked((0, 4, "rust")) if task == "NamedEntityRecognition" else chosen("rust")
    check_bad_answer(task, FLAWS, good, told, says)
