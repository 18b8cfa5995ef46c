"""The page of a round: what it says, what it survives, and that it is one file of escaped text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from include.loop import report
from include.loop.report.formats import percent
from include.loop.report.gather import gather
from include.loop.report.measures import MOST_CLASSES, confusion_rows, mistakes
from include.loop.report.page import render
from include.loop.tasks.detection.measuring import WORDS
from tests.loop.report.rounds import Rounds, as_scores, champion, make_rounds, scores
from tests.support.cloud import LocalCloud

EVIL = "</svg></style><script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


class Outline(HTMLParser):
    """What a page is made of: tags, the attributes that could load or run something, and its headings."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self._hidden = False  # inside the style sheet
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name.startswith("on") or (name in {"src", "href", "xlink:href"} and value):
                self.loads.append(value or name)
            if name == "id" and value:
                self.ids.append(value)

        self._hidden = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text += data


def publish(rounds: Rounds, job: str) -> tuple[str, Outline]:
    report.publish(rounds.workspace, job)
    text = rounds.storage.read(f"reports/{job}/index.html").decode()
    return text, Outline(text)


def test_a_mix_is_told_by_share_and_one_strategy_needs_no_table(rounds: Rounds) -> None:
    rounds.night("2026-11-01", [0.2, 0.3, 0.8], labels=2, shares=("audit", "random"))
    rounds.night("2026-11-02", [0.2, 0.8], labels=1, shares=("random",))
    rounds.round("job-2", ["2026-11-01", "2026-11-02"])
    _, page = publish(rounds, "job-2")
    assert page.text.count("by who named the images") == 1
    assert "audit111" in page.text


def test_a_model_that_began_from_scratch_is_not_said_to_be_trained_from_the_champion(rounds: Rounds) -> None:
    rounds.night("2026-11-01", [n / 40 for n in range(40)], labels=12)
    rounds.round("job-2", ["2026-11-01"])
    _, page = publish(rounds, "job-2")
    assert "champion this one was trained from" in page.text
    assert "Trained fromchampion-1" in page.text
    place = "models/job-2/model.json"
    rounds.put(place, rounds.storage.read_json(place) | {"from_scratch": True})
    _, page = publish(rounds, "job-2")
    assert "champion this one is to follow" in page.text
    assert "Trained from scratch, to followchampion-1" in page.text


CALIBRATION: dict[str, Any] = {
    "pooled": {"slope": 1.0, "offset": 2.0},
    "classes": {"cat": {"slope": 1.0, "offset": 4.0}},
    "slices": ["retention", "audit"],
    "images": 41,
    "answers": 300,
    "before": 0.21,
    "after": 0.03,
    "asked": "precision of 0.9 or more",
    "working_point": {"score": 0.61, "precision": 0.91, "recall": 0.55, "raw": {"cat": 0.03, "dog": 0.17}},
    "measured": {"night": {"error": 0.044, "precision": 0.87, "recall": 0.5}},
}


def with_calibration(rounds: Rounds, job: str, **changes: Any) -> str:
    place = f"evaluations/{job}/metrics.json"
    rounds.put(place, rounds.storage.read_json(place) | {"calibration": CALIBRATION | changes})
    return " ".join(re.sub("<[^>]*>", " ", publish(rounds, job)[0]).split())


def test_a_page_says_what_a_score_means_and_from_which_one_to_work(rounds: Rounds) -> None:
    rounds.night("2026-11-01", [0.2], labels=12)
    rounds.round("job-2", ["2026-11-01"])
    assert "What a score means" not in publish(rounds, "job-2")[1].text
    text = with_calibration(rounds, "job-2")
    assert "The calibration error there is 0.210 as the scores are, and 0.030" in text
    assert "all classes 0.451 0.649 0.760 0.881" in text
    assert "cat 0.858 0.932" in text
    assert "For the precision of 0.9 or more, count what has a calibrated score of 0.610 or more" in text
    assert "0.030 of cat, 0.170 of dog" in text
    assert f"night {percent(0.5)} {percent(0.87)} 0.044" in text
    many = CALIBRATION["working_point"] | {"raw": {f"c{n}": n / 100 for n in range(MOST_CLASSES + 1)}}
    assert "is in metrics.json." in with_calibration(rounds, "job-2", working_point=many)
    text = with_calibration(rounds, "job-2", why_not="too few <b>", working_point=None)
    assert "take scores as they are: too few &lt;b&gt;." in text
    assert "No score has the precision of 0.9 or more on those images." in text


def test_a_promoted_round_has_a_page_and_a_place_in_the_history(rounds: Rounds) -> None:
    rounds.night("2026-11-01", [n / 40 for n in range(40)], labels=12)
    rounds.test_set("night", ["a.png", "b.png"])
    rounds.round("job-2", ["2026-11-01"])
    rounds.examples("job-2", ["a.png", "b.png"])
    answer = report.publish(rounds.workspace, "job-2")
    text = rounds.storage.read("reports/job-2/index.html").decode()
    assert answer.outcome == "promoted"
    assert answer.path == "/nightloop/reports/pets/job-2/index.html"
    assert answer.headline in text
    assert "Promoted: 12 labels from 1 November 2026 gained 15.5 points" in answer.headline
    assert text.count("<img ") == 4
    assert 'href="job-2/index.html"' in rounds.storage.read("reports/index.html").decode()
    kind = rounds.storage.s3.head_object(Bucket=rounds.storage.bucket, Key="pets/reports/index.html")
    assert kind["ContentType"] == "text/html; charset=utf-8"


def test_the_same_facts_make_the_same_page(rounds: Rounds) -> None:
    rounds.night("2026-11-01", [0.2, 0.8], labels=1)
    rounds.round("job-2", ["2026-11-01"])
    one, other = (gather(rounds.workspace, "job-2") for _ in range(2))
    assert one == other
    assert render(rounds.workspace, one) == render(rounds.workspace, other)


def test_the_first_model_has_a_page_without_a_before(rounds: Rounds) -> None:
    rounds.round("job-1", [], parent=None)
    text, page = publish(rounds, "job-1")
    assert "The first model" in text
    assert "Promoted as the first model: mAP@0.5 0.810 on day, 0.630 on night." in page.text
    assert "before" not in page.text.lower().replace("before and after", "")


def test_a_round_that_was_turned_down_says_what_to_look_at(rounds: Rounds) -> None:
    rounds.night("2026-11-01", [0.2, 0.8], labels=1)
    rules = [
        {"rule": "loss", "slice": "day", "value": -0.2, "limit": -0.04, "passed": False, "text": "day fell"},
        {"rule": "train_recall", "slice": "2026-11-01", "passed": False, "text": "could not be learned"},
        {"rule": "images", "slice": "audit", "passed": False, "judged": False, "text": "too few"},
        {"rule": "gain", "passed": True, "text": "enough of it"},
    ]
    after = {"day": 0.62, "night": 0.63}
    rounds.round("job-2", ["2026-11-01"], promote=False, rules=rules, after=after)
    _, page = publish(rounds, "job-2")
    assert "Not promoted: worse on day, could not learn the labels of 1 November 2026" in page.text
    assert "3 checks were made, 2 failed" in page.text
    assert "No slice worse (day): see the biggest losses below." in page.text
    assert "no label is lost" in page.text
    assert page.text.index("day fell") < page.text.index("enough of it") < page.text.index("too few")


def test_a_round_of_several_batches_has_a_row_for_each(rounds: Rounds) -> None:
    for day in (1, 2, 3):
        rounds.night(f"2026-11-0{day}", [0.2, 0.8], labels=1)
    first = {"endpoint": "somebody-elses", "images": 38, "missing": 2, "reasons": [["too slow", 2]]}
    rounds.put(
        "runs/dt=2026-11-01/questions.json", {"asked": 1, "flow_definition_arn": "arn", "prelabels": first}
    )
    rounds.round("job-2", ["2026-11-01", "2026-11-02", "2026-11-03"], backfilled=["2026-11-02"])
    _, page = publish(rounds, "job-2")
    assert "answers of endpoint somebody-elses on 38 images, and with nothing on 2 images" in page.text
    assert "2 × too slow" in page.text
    assert "3 batches, 1 Nov to 3 November 2026" in page.text
    for day in (1, 2, 3):
        assert f"{day} Nov 2026" in page.text


def test_a_job_of_which_nothing_is_stored_has_a_page(rounds: Rounds) -> None:
    _, page = publish(rounds, "job-2")
    assert "Not judged: the gate has left no verdict on this model." in page.text
    assert "Look at the run of incremental_training" in page.text


def test_a_round_that_was_rolled_back_is_told_again_with_the_next_one(rounds: Rounds) -> None:
    rounds.round("job-1", [], parent=None)
    rounds.round("job-2", [], parent="job-1")
    publish(rounds, "job-2")
    rounds.put("champions/0003.json", champion(3, "job-1", rolled_back_from=2))
    publish(rounds, "job-1")
    undone = rounds.storage.read("reports/job-2/index.html").decode()
    assert "Promoted and rolled back later" in undone
    assert "↶ rolled back" in rounds.storage.read("reports/index.html").decode()


def test_damage_and_images_without_predictions_are_told_on_the_page(rounds: Rounds) -> None:
    rounds.round("job-2", [])
    rounds.put("models/job-2/curves.json", b"{")
    metrics = rounds.storage.read_json("evaluations/job-2/metrics.json")
    metrics["slices"]["day"]["challenger"]["unpredicted"] = 3
    rounds.put("evaluations/job-2/metrics.json", metrics)
    told = publish(rounds, "job-2")[1].text
    assert "What could not be told" in told
    assert "day (3 images got no prediction from the challenger)" in told


def test_nothing_from_outside_becomes_part_of_the_page(cloud: LocalCloud, bucket: str) -> None:
    """Class names, file names, reviewers' words, failure reasons, job names, bins: all of it is text."""
    classes = ("</svg><script>alert(1)</script>", "$\\frac{1}{0}$ & <b>\u202e")
    rounds = make_rounds(cloud, bucket, classes=classes, description=EVIL)
    rounds.night("2026-11-01", [0.2, 0.8], labels=1)
    rounds.put(
        "labels/dt=2026-11-01/quarantine.jsonl",
        {"stage": EVIL, "image": EVIL, "reason": EVIL, "batch": "2026-11-01"},
    )
    first = {"endpoint": EVIL, "images": 1, "missing": 1, "reasons": [[EVIL, 1]]}
    rounds.put(
        "runs/dt=2026-11-01/questions.json", {"asked": 1, "flow_definition_arn": "arn", "prelabels": first}
    )
    image = '"><img src=x onerror=alert(3)>.png'
    rounds.test_set("night", [image])
    rules = [{"rule": EVIL, "slice": EVIL, "class_name": EVIL, "passed": False, "text": EVIL}]
    rounds.round("job-2", ["2026-11-01"], promote=False, rules=rules, classes=classes, parent="javascript:x")
    rounds.examples("job-2", [image])
    metrics = rounds.storage.read_json("evaluations/job-2/metrics.json")
    metrics["slices"][EVIL] = metrics["slices"].pop("day")
    rounds.put("evaluations/job-2/metrics.json", metrics)
    model = rounds.storage.read_json("models/job-2/model.json")
    model |= {"hyperparameters": {EVIL: EVIL}, "instance_type": EVIL, "base_network": EVIL}
    rounds.put("models/job-2/model.json", model)
    rounds.put("registry/job-2.json", {"package_arn": EVIL, "group": EVIL, "version": 1})
    rounds.put(
        "registry/job-2.decision.json", {"status": EVIL, "by": EVIL, "comment": EVIL, "decided_at": EVIL}
    )
    rounds.put(
        "deployments/0001.json",
        {"training_job": "job-2", "endpoint": EVIL, "config": EVIL, "deployed_at": EVIL},
    )
    text, page = publish(rounds, "job-2")
    assert "alert(1)" in page.text  # it is told
    history = Outline(rounds.storage.read("reports/index.html").decode())
    for outline in (page, history):
        assert not {"script", "iframe", "object", "embed", "form", "base"} & set(outline.tags)
        assert all(re.match(r"data:|#|\.\./|job-2/", place) for place in outline.loads), outline.loads
        assert len(outline.ids) == len(set(outline.ids))
    assert "<script" not in text
    assert "<img src=x" not in text


def test_a_page_of_many_classes_tells_the_mistakes_and_leaves_out_the_matrix() -> None:
    few = as_scores(scores(0.5))
    many = as_scores(scores(0.5, tuple(map(str, range(MOST_CLASSES + 3)))))
    rows = confusion_rows(few, WORDS)
    assert [truth for truth, _ in rows] == ["cat", "dog", "background"]
    assert [cell[0] for cell in rows[0][1]] == ["cat", "dog", "missed"]
    assert confusion_rows(many, WORDS) == []
    assert mistakes(few)[:2] == [("dog", "missed", 45), ("cat", "missed", 4)]
    assert len(mistakes(many)) == 10
