"""Simulated reviewers at work: what they draw, and that they are ordinary clients of a real server."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.review_server.__main__ import main as review_server
from include.samples.reviewing import Noise, Reviewed, review
from include.samples.truths import TrueClasses, Truth, Truths
from tests.review_server.rig import Rig
from tests.support.cloud import ROOT, LocalCloud

FAULTLESS = Noise(0, 0, 0, 0)
LABELS = ["0", "1", "2"]
TRUTH = Truth(100, 80, ({"label": "1", "left": 10, "top": 20, "width": 30, "height": 40},))


def _review(noise: Noise, initial: list | None = None, seed: int = 0, truth: Truth = TRUTH) -> Reviewed:
    task_input = {"labels": LABELS} | ({} if initial is None else {"initialValue": initial})
    return review(task_input, truth, noise, Random(seed), 10.0)


def _boxes(reviewed: Reviewed) -> list[dict]:
    return reviewed.content["annotatedResult"]["boundingBoxes"]


def test_a_faultless_reviewer_draws_the_truth():
    reviewed = _review(FAULTLESS)
    assert _boxes(reviewed) == list(TRUTH.boxes)
    assert reviewed.content["annotatedResult"]["inputImageProperties"] == {"height": 80, "width": 100}
    assert "initialValueModified" not in reviewed.content["annotatedResult"]
    assert reviewed.seconds == 13.0


def test_a_prelabel_that_fits_is_left_and_costs_little():
    close = {**TRUTH.boxes[0], "left": 12}
    reviewed = _review(FAULTLESS, [close])
    assert _boxes(reviewed) == [close]
    assert reviewed.content["annotatedResult"]["initialValueModified"] is False
    assert reviewed.actions["checked"] == 1
    assert reviewed.seconds < _review(FAULTLESS, []).seconds


@pytest.mark.parametrize("wrong", [{"label": "2"}, {"left": 18, "top": 24}])
def test_a_prelabel_that_does_not_fit_is_corrected(wrong: dict):
    reviewed = _review(FAULTLESS, [TRUTH.boxes[0] | wrong])
    assert _boxes(reviewed) == list(TRUTH.boxes)
    assert reviewed.content["annotatedResult"]["initialValueModified"] is True
    assert reviewed.actions["corrected"] == 1


def test_a_prelabel_of_nothing_is_deleted():
    ghost = {"label": "0", "left": 80, "top": 60, "width": 10, "height": 10}
    reviewed = _review(FAULTLESS, [ghost], truth=Truth(100, 80, ()))
    assert _boxes(reviewed) == []
    assert reviewed.content["annotatedResult"]["initialValueModified"] is True
    assert reviewed.actions["deleted"] == 1


def test_each_kind_of_noise_does_what_it_says():
    assert _boxes(_review(Noise(1, 0, 0, 0))) == []
    assert _boxes(_review(Noise(0, 1, 0, 0), seed=1)) != list(TRUTH.boxes)
    assert _boxes(_review(Noise(0, 0, 1, 0)))[0]["label"] in ("0", "2")
    assert len(_boxes(_review(Noise(0, 0, 0, 1)))) == 2
    with pytest.raises(ValueError, match=r"missed is a share"):
        Noise(missed=2)


def _chosen(noise: Noise, truth: TrueClasses, seed: int = 0) -> dict:
    task_input = {"labels": LABELS, "initialValue": "2", "exclusion": {"text": "none of these"}}
    reviewed = review(task_input, truth, noise, Random(seed), 10.0)
    return reviewed.content["annotatedResult"]


def test_of_a_class_the_answer_is_that_of_a_classifier_whatever_the_model_said():
    one = TrueClasses(("1",), many=False)
    assert _chosen(FAULTLESS, one) == {"label": "1"}
    wrong = [_chosen(Noise(0, 0, 0.3, 0), one, seed)["label"] != "1" for seed in range(400)]
    assert 0.2 < sum(wrong) / 400 < 0.4


def test_of_several_classes_it_is_that_of_a_multi_select_and_none_has_a_category_of_its_own():
    assert _chosen(FAULTLESS, TrueClasses(("2", "0"), many=True)) == {"labels": ["0", "2"]}
    assert _chosen(FAULTLESS, TrueClasses((), many=True)) == {"labels": ["none of these"]}
    assert _chosen(Noise(1, 0, 0, 0), TrueClasses(("2",), many=True)) == {"labels": ["none of these"]}
    assert _chosen(Noise(0, 0, 1, 0), TrueClasses(("2",), many=True))["labels"][0] in ("0", "1")
    assert len(_chosen(Noise(0, 0, 0, 1), TrueClasses((), many=True))["labels"]) == 1


_side = st.integers(1, 60)
_boxes_in_image = st.builds(
    lambda label, left, top, width, height: {
        "label": label,
        "left": min(left, 100 - width),
        "top": min(top, 80 - height),
        "width": width,
        "height": height,
    },
    st.sampled_from(LABELS), st.integers(0, 99), st.integers(0, 79), _side, _side,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    truth=st.lists(_boxes_in_image, max_size=5),
    offered=st.lists(_boxes_in_image, max_size=5),
    noise=st.builds(Noise, *[st.floats(0, 1)] * 4),
    seed=st.integers(),
)
def test_whatever_the_noise_boxes_are_whole_pixels_inside_the_image(truth, offered, noise, seed):
    reviewed = _review(noise, offered, seed, Truth(100, 80, tuple(truth)))
    for box in _boxes(reviewed):
        assert all(isinstance(box[side], int) for side in ("left", "top", "width", "height"))
        assert 0 <= box["left"] <= box["left"] + box["width"] <= 100
        assert 0 <= box["top"] <= box["top"] + box["height"] <= 80
        assert box["label"] in LABELS
    assert reviewed == _review(noise, offered, seed, Truth(100, 80, tuple(truth)))
    assert reviewed.actions["deleted"] <= len(offered)


def test_truth_is_found_wherever_the_images_were_put():
    line = {"width": 1, "height": 1, "boxes": []}
    truths = Truths([{"source-ref": "images/dt=2026-11-01/1.jpg", **line}])
    assert truths.find("s3://bucket/digits/images/dt=2026-11-01/1.jpg")
    assert truths.find("images/dt=2026-11-01/1.jpg")
    assert truths.find("s3://bucket/digits/images/dt=2026-11-02/1.jpg") is None
    assert Truths([{"source-ref": "s3://a/p/1.jpg", **line}]).find("s3://b/p/1.jpg")
    odd = Truths([{"source-ref": "images/1.jpg#a?b\r.jpg", **line}])
    assert odd.find("s3://b/p/images/1.jpg#a?b\r.jpg")
    assert odd.find("s3://b/p/images/1.jpg") is None


def test_a_crew_answers_what_it_knows_declines_the_rest_and_tells(cloud: LocalCloud, tmp_path: Path):
    truth, credentials = tmp_path / "truth.jsonl", tmp_path / "crew.json"
    known = [{"source-ref": f"images/{i}.txt", "width": 100, "height": 80, "boxes": list(TRUTH.boxes)}
             for i in range(5)]  # fmt: skip
    known.append({"source-ref": "images/5.txt", "width": 100, "height": 80, "class": "2"})
    truth.write_text("".join(json.dumps(line) + "\n" for line in known))
    with Rig(cloud, tmp_path / "data") as rig:
        flow = rig.flow(TaskCount=2)
        for name in ("ada", "ben"):
            options = [
                "--team",
                flow.team,
                "--data",
                str(tmp_path / "data"),
                "--credentials",
                str(credentials),
            ]
            assert review_server(["members", "add", name, *options]) == 0
        assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
        names = [
            flow.start(
                content={"taskObject": f"s3://b/p/images/{i}.txt", "labels": LABELS, "initialValue": []}
            )
            for i in range(6)
        ]
        unknown = flow.start(content={"taskObject": "s3://b/p/images/unknown.txt", "labels": LABELS})
        arguments = ["--review-url", rig.url, "--truth", str(truth), "--credentials", str(credentials)]
        arguments += ["--workers", "2", "--until-idle", "15", "--missed", "0", "--mislabelled", "0"]
        done = subprocess.run(
            [sys.executable, "-m", "include.samples.reviewers", *arguments],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
            timeout=240,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        summary = json.loads(done.stdout.splitlines()[-1])
        assert (summary["answers"], summary["declined"], summary["lost"]) == (12, 2, 0)
        assert summary["reviewer_seconds"] > 10 * 7
        assert summary["classes_chosen"] == 2
        assert "simulated" in summary["reviewer_seconds_are"]
        for name in names:
            for answer in flow.output(name)["humanAnswers"]:
                assert answer["answerContent"]["reviewer"].startswith("simulated: ")
                result = answer["answerContent"]["annotatedResult"]
                if name == names[5]:
                    assert result == {"label": "2"}
                else:
                    assert [box["label"] for box in result["boundingBoxes"]][:1] == ["1"]
        assert flow.loop(unknown)["HumanLoopStatus"] == "InProgress"


def test_a_wrong_password_is_told_by_name(cloud: LocalCloud, tmp_path: Path):
    (tmp_path / "truth.jsonl").write_text("")
    credentials = tmp_path / "crew.json"
    credentials.write_text(json.dumps({"workers": [{"name": "nobody", "password": "wrong"}]}))
    with Rig(cloud, tmp_path / "data") as rig:
        arguments = ["--review-url", rig.url, "--truth", str(tmp_path / "truth.jsonl")]
        arguments += ["--workers", "1", "--credentials", str(credentials)]
        done = subprocess.run(
            [sys.executable, "-m", "include.samples.reviewers", *arguments],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
            timeout=240,
        )  # fmt: skip
        assert done.returncode == 1
        assert "nobody cannot sign in" in done.stderr


def test_in_a_labeling_job_the_answer_is_under_the_elements_own_name():
    for truth in (TRUTH, TrueClasses(("1",), many=False), TrueClasses(("1", "2"), many=True)):
        plain = review({"labels": LABELS}, truth, FAULTLESS, Random(0), 10.0)
        named = review({"labels": LABELS}, truth, FAULTLESS, Random(0), 10.0, truth.element)
        assert named.content == {truth.element: plain.content["annotatedResult"]}
    assert [truth.element, TRUTH.element] == ["crowd-image-classifier-multi-select", "boundingBox"]
