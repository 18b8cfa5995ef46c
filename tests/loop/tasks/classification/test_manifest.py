"""Lines of image classification: written as Ground Truth writes them, read as anybody writes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from include.loop.core.errors import BadRecord
from include.loop.tasks.classification.task import ImageClassification
from include.loop.tasks.values import ClassMapMismatch, ReviewersDisagree, Unlearnable
from tests.loop.tasks.classification.answering import MANY, ONE, ORIGIN, answers, output


def line(task: ImageClassification, *said: Any) -> dict[str, Any]:
    (found,) = task.write_labels([(answers(task, *said), ORIGIN)])
    assert isinstance(found, dict), found
    return found


def test_a_line_with_one_label_is_ground_truths():
    found = line(ONE, "dog")
    assert found == {
        "source-ref": "s3://b/1.jpg",
        "pet": 1,
        "pet-metadata": {
            "class-name": "dog",
            "confidence": 0.0,
            "type": "groundtruth/image-classification",
            "human-annotated": "yes",
            "creation-date": "2026-11-01T08:00:00.000000",
            "job-name": f"a2i/{ORIGIN.loop}",
        },
        "loop": ORIGIN.loop,
        "batch": "2026-11-01",
        "etag": "e1",
        "reason": ORIGIN.reason,
        "workers": ["w0"],
    }
    label = ONE.read_line(json.dumps(found).encode())
    assert (label.classes, label.objects, label.size, label.value) == ((1,), 1, None, found)
    assert label.created == "2026-11-01T08:00:00.000000"
    assert ONE.describe(found) == [{"label": "dog"}]
    assert not ONE.is_negative(found)


def test_a_line_with_many_labels_is_ground_truths():
    found = line(MANY, ["owl", "cat"])
    assert found["pets"] == [0, 2]
    metadata = found["pets-metadata"]
    assert metadata["class-map"] == {"0": "cat", "2": "owl"}
    assert metadata["confidence-map"] == {"0": 0.0, "2": 0.0}
    assert metadata["type"] == "groundtruth/image-classification-multilabel"
    label = MANY.read_line(json.dumps(found).encode())
    assert (label.classes, label.value) == ((0, 2), found)
    assert MANY.describe(found) == [{"label": "cat"}, {"label": "owl"}]


@pytest.mark.parametrize(("task", "said"), [(ONE, "cat"), (MANY, ["cat"])])
def test_who_answers_within_a_second_is_named_in_the_metadata(task: ImageClassification, said: Any):
    body = output(said, said).replace(b"4.5", b"0.2", 1)
    (found,) = task.write_labels([(task.read_answers(body, ORIGIN.loop, (100, 80))[0], ORIGIN)])
    assert isinstance(found, dict)
    assert found[f"{task.label_attribute}-metadata"]["answered-too-fast"] == ["w0"]


def test_an_image_of_no_class_has_a_line_that_says_so():
    found = line(MANY, ["none of these"])
    assert MANY.is_negative(found)
    assert MANY.read_value(found).classes == ()
    assert MANY.describe(found) == []
    assert not MANY.is_negative(line(MANY, ["cat"]))


def test_the_same_answers_in_any_order_make_the_same_bytes():
    straight, turned = answers(ONE, "dog", "cat", "dog"), answers(ONE, "dog", "cat", "dog")[::-1]
    assert json.dumps(ONE.write_labels([(straight, ORIGIN)])) == json.dumps(
        ONE.write_labels([(turned, ORIGIN)])
    )


def test_a_majority_is_a_label_and_a_tie_is_none():
    agreed = line(ONE, "dog", "dog", "cat")
    assert (agreed["pet"], agreed["workers"]) == (1, ["w0", "w1", "w2"])
    assert agreed["pet-metadata"]["confidence"] == 0.94
    for task, said in ((ONE, ("dog", "cat")), (MANY, (["dog"], ["none of these"]))):
        (found,) = task.write_labels([(answers(task, *said), ORIGIN)])
        assert isinstance(found, ReviewersDisagree)


def test_the_commoner_class_does_not_win_a_tie():
    """Ground Truth gives it the label; where images are asked about for their rare classes, that is bias."""
    for task, common, said in (
        (ONE, ("owl", "owl"), ("cat", "owl")),
        (MANY, (["owl"], ["owl"]), (["cat", "owl"], ["owl"])),
    ):
        asked = [(answers(task, *common), ORIGIN)] * 9 + [(answers(task, *said), ORIGIN)]
        found = task.write_labels(asked)
        assert isinstance(found[-1], ReviewersDisagree)
        assert not any(isinstance(item, ReviewersDisagree) for item in found[:-1])


def test_a_majority_of_the_careless_is_overruled():
    """w0 and w1 agree with nobody on the other images, and w2 with three others."""
    careless = [("owl", "dog", "cat"), ("cat", "owl", "dog"), ("dog", "cat", "owl")] * 8
    asked = [(answers(ONE, *said, *said[2:] * 3), ORIGIN) for said in careless]
    found = ONE.write_labels([*asked, (answers(ONE, "dog", "dog", "owl"), ORIGIN)])[-1]
    assert isinstance(found, dict)
    assert found["pet"] == 2


def test_a_label_that_a_minority_chose_is_not_learned():
    """Training reads no confidences: it would learn one reviewer's slip as if all had said it."""
    found = line(MANY, ["cat", "owl"], ["cat"], ["cat"])
    assert found["pets"] == [0]
    assert found["pets-metadata"]["class-map"] == {"0": "cat"}
    assert found["pets-metadata"]["confidence-map"] == {"0": 0.95}


def test_where_everybody_saw_something_else_nobody_has_said_that_there_is_nothing():
    (found,) = MANY.write_labels([(answers(MANY, ["cat"], ["dog"], ["owl"]), ORIGIN)])
    assert isinstance(found, ReviewersDisagree)
    assert line(MANY, ["cat"], ["none of these"], ["none of these"])["pets"] == []


def test_a_class_that_nobody_chose_is_no_label():
    """However probable: these two call owls dogs, so that a dog of theirs is an owl to a statistician."""
    owls = [(answers(ONE, "dog", "dog", "owl", "owl", "owl", "owl"), ORIGIN)] * 20
    assert isinstance(ONE.write_labels([*owls, (answers(ONE, "dog", "dog"), ORIGIN)])[-1], ReviewersDisagree)
    assert isinstance(ONE.write_labels([(answers(ONE, "dog", "dog"), ORIGIN)])[-1], dict)


@pytest.mark.parametrize("label", [1, "1", 1.0, "1.0"])
@pytest.mark.parametrize("name", ["dog", "1:dog", None])
def test_a_class_is_read_as_anybody_writes_it(label, name):
    value = {"source-ref": "s3://b/1.jpg", "pet": label} | (
        {"pet-metadata": {"class-name": name}} if name else {}
    )
    found = ONE.read_value(value)
    assert (found.classes, found.value, found.created) == ((1,), value, "")
    assert ONE.describe(value) == [{"label": "dog"}]


@pytest.mark.parametrize(
    ("label", "metadata", "classes", "written"),
    [
        ([2, 0], {"class-map": {"2": "owl", "0": "cat"}}, (0, 2), [2, 0]),
        ([0, 1, 0], {}, (1,), [1]),  # SageMaker's own reading of a list without a word about it
        ([0, 0, 0], {}, (), []),
        ("[1, 0, 1]", {}, (0, 2), [0, 2]),
        ([0, 1], {}, (0, 1), [0, 1]),
        ([0, 1, 1], {"type": "groundtruth/image-classification-multilabel"}, (0, 1), [0, 1]),
        (["2", 0.0], {}, (0, 2), [0, 2]),
        ([], {}, (), []),
    ],
)
def test_many_classes_are_learned_as_ids_however_they_are_written(label, metadata, classes, written):
    """A training job is told once how all of its lines are written."""
    value = {"source-ref": "s3://b/1.jpg", "pets": label, "pets-metadata": metadata}
    found = MANY.read_value(value)
    assert found.classes == classes
    assert found.value == value | {"pets": written}


@pytest.mark.parametrize(
    ("task", "label", "metadata", "kind", "message"),
    [
        (
            ONE,
            1,
            {"class-name": "cat"},
            ClassMapMismatch,
            "class 1 is 'cat' in the line's class-name, but 'dog'",
        ),
        (
            ONE,
            1,
            {"class-name": 7},
            ClassMapMismatch,
            "class 1 is 7 in the line's class-name, but 'dog' in the",
        ),
        (ONE, 7, {"class-name": "fox"}, ClassMapMismatch, "'fox' .*, but the pipeline has 3 classes only"),
        (ONE, 3, {}, BadRecord, "class 3 is not one of the pipeline's 3 classes"),
        (ONE, -1, {}, BadRecord, "pet: a class is a number from 0, not -1"),
        (ONE, 1.5, {}, BadRecord, "a class is a number from 0, not 1.5"),
        (ONE, True, {}, BadRecord, "a class is a number from 0, not True"),
        (ONE, "NaN", {}, BadRecord, "a class is a number from 0, not 'NaN'"),
        (ONE, "1e999", {}, BadRecord, "a class is a number from 0, not '1e999'"),
        (ONE, "dog", {}, BadRecord, "a class is a number from 0, not 'dog'"),
        (ONE, {"annotations": []}, {}, BadRecord, "a class is a number from 0"),
        (ONE, [1], {}, BadRecord, "pet is a list of classes, and an image of this pipeline has one"),
        (ONE, 1, {"failure-reason": "no worker"}, Unlearnable, "failure-reason: no worker"),
        (MANY, 1, {}, BadRecord, "pets is no list of classes, and an image of this pipeline may have many"),
        (MANY, [0, 5], {}, BadRecord, "class 5 is not one of the pipeline's 3 classes"),
        (MANY, [0], {"class-map": {"0": "dog"}}, ClassMapMismatch, "class_id 0 is 'dog' .* but 'cat' in the"),
        (MANY, [[0]], {}, BadRecord, "a class is a number from 0"),
    ],
)
def test_what_cannot_be_learned_is_told(task, label, metadata, kind, message):
    name = task.label_attribute
    with pytest.raises(kind, match=message):
        task.read_value({"source-ref": "s3://b/1.jpg", name: label, f"{name}-metadata": metadata})


def test_classes_with_numbers_of_their_own_are_matched_by_name():
    task = ImageClassification(("4:British_Shorthair", "9:Sphynx"), "breed")
    value = {"source-ref": "s3://b/1.jpg", "breed": 1, "breed-metadata": {"class-name": "9:Sphynx"}}
    assert task.read_value(value).classes == (1,)
    with pytest.raises(ClassMapMismatch, match="'4:British_Shorthair' in the pipeline"):
        task.read_value(value | {"breed": 0})


def test_labels_of_one_image_are_compared_class_by_class():
    def read(*labels: int) -> Any:
        return MANY.read_value(
            {"source-ref": "s3://b/1.jpg", "pets": list(labels), "pets-metadata": {"class-map": {}}}
        )

    assert MANY.compare_labels(read(0, 2), read(2, 0)).same
    assert not MANY.compare_labels(read(0), read()).same
    assert MANY.compare_labels(read(0), read(0)).overlaps == ()
