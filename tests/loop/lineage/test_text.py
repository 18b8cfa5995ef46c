"""A walk is shown as it was walked, and nothing in it gives orders to the terminal."""

from __future__ import annotations

from include.loop.lineage.text import render

DATASET = {
    "dataset_id": "d1",
    "batches": [],
    "train": 3,
    "new": 3,
    "replayed": 0,
    "uri": "s3://b/d1/dataset.json",
}
LABEL = {
    "manifest": "s3://b/d1/train.manifest",
    "line": 2,
    "choice": 1,
    "class": "cat",
    "image": "s3://b/x.jpg",
    "parts": "boxes",
    "labels": [{"label": "cat", "left": 1, "top": 2, "width": 3, "height": 4.5}],
    "created": None,
    "job": None,
    "batch": None,
    "reason": None,
    "loop": None,
    "import": None,
}


def test_an_imported_label_names_its_import():
    told = render({"dataset": DATASET, "label": LABEL | {"import": "import-1a2b3c4d5e"}})
    assert told.endswith("nobody was asked by this loop: the label came in with import-1a2b3c4d5e")


def test_a_label_that_came_with_the_pipeline_ends_the_walk():
    assert render({"dataset": DATASET, "label": LABEL}).splitlines() == [
        "dataset d1: 3 images, 3 labels new, 0 replayed",
        "batches: none (labels that were there before)",
        "s3://b/d1/dataset.json",
        "└─ label: line 2 of the manifest (number 1 that shows cat; --line chooses another)",
        "   in s3://b/d1/train.manifest",
        "   image s3://b/x.jpg",
        "   boxes: cat at 1,2 of 3 x 4.5",
        "   made at an unknown time",
        "   nobody was asked by this loop: the label came with the pipeline's initial manifests",
    ]


def test_each_answer_tells_its_boxes_and_time_or_why_it_was_not_used():
    good = {
        "worker": "ann",
        "labels": ["cat", "dog"],
        "seconds": 12.5,
        "submitted": "2026-11-01T10:00:00+00:00",
    }
    nothing = good | {"worker": "bob", "labels": [], "seconds": None}
    bad = {"worker": "eve", "problem": "unknown label: 'bird'"}
    assert render({"answers": [good, nothing, bad]}).splitlines() == [
        "answers: 3",
        "worker ann: cat, dog; 12.5 seconds, 2026-11-01T10:00:00+00:00",
        "worker bob: nothing; an unknown time, 2026-11-01T10:00:00+00:00",
        "worker eve: not used: unknown label: 'bird'",
    ]


def test_what_a_worker_wrote_does_not_reach_the_terminal_as_control_characters():
    shown = render({"answers": [{"worker": "\x1b[2Jeve", "problem": "unknown label: '\x07\u202e'"}]})
    assert shown.splitlines()[1] == "worker ?[2Jeve: not used: unknown label: '??'"


def test_what_a_classifier_says_has_no_place_in_the_image():
    answer = {"image": "s3://b/x.jpg", "class": "cat", "score": 0.75, "detection": 1, "of": 3}
    label = LABEL | {"parts": "labels", "labels": [{"label": "cat"}, {"label": "dog"}]}
    shown = render({"answer": answer, "label": label}).splitlines()
    assert shown[:2] == [
        "answer: cat with score 0.750 (class 1 of 3; --detection chooses another)",
        "in s3://b/x.jpg",
    ]
    assert "   labels: cat, dog" in shown
