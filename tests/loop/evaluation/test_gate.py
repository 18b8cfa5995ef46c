"""A challenger is promoted when it is better where it should be, surely, and nowhere surely much worse; never
on numbers that are not there.
"""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.config import DATASET_SLICES, GateSettings
from include.loop.core import layout
from include.loop.core.records.verdict import Verdict
from include.loop.evaluation.gate import decide_by, judge
from include.loop.tasks.detection.task import ObjectDetection
from tests.loop.place import Place

TASK = ObjectDetection(("cat", "dog"), "review")
SETTINGS = GateSettings(min_gain=0.02, max_loss=0.04, max_class_loss=0.1, max_calibration_error=0.2)
RETENTION, RECENT, _ = DATASET_SLICES
SURE = 0.01  # how far the bounds of an interval are from its middle


def scores(score: float, calibration_error: float = 0.05, boxes: int = 50) -> dict[str, Any]:
    classes = {name: {"score": score, "objects": boxes} for name in ("cat", "dog")}
    return {"score": score, "recall": 0.7, "calibration_error": calibration_error, "classes": classes}


def compared(
    before: float, after: float, images: int = 100, sure: float = SURE, best: float | None = None
) -> dict[str, Any]:
    delta = {"low": after - before - sure, "high": after - before + sure}
    by_class = {name: {"score": after - before, **delta} for name in ("cat", "dog")}
    return {
        "images": images,
        "challenger": scores(after),
        "champion": scores(before),
        "delta": {"score": after - before, **delta, "classes": by_class},
        "best": before if best is None else best,
    }


def metrics(champion: str | None = "old", /, **slices: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema_version": 2,
        "champion": champion,
        "metric": "mAP@0.5",
        "slices": slices,
        "train_recall": {},
        "latency": timed(0.1),
    }


def timed(seconds: float | None, images: int = 100) -> dict[str, Any]:
    return {"challenger": seconds, "champion": 0.1, "images": {"challenger": images, "champion": 100}}


def first(**score: float) -> dict[str, Any]:
    slices = {
        name: {"images": 3, "challenger": scores(value), "champion": None, "delta": None, "best": None}
        for name, value in score.items()
    }
    return metrics(None, **slices)


def decided(value: dict[str, Any] | None, settings: GateSettings = SETTINGS) -> Verdict:
    """As if this were the content of metrics.json."""
    return decide_by(TASK, None if value is None else json.dumps(value).encode(), settings)


def failed(value: dict[str, Any] | None, settings: GateSettings = SETTINGS) -> set[str]:
    """The names of the rules that failed; none when the verdict is yes."""
    verdict = decided(value, settings)
    broken = {rule.rule for rule in verdict.failed}
    assert verdict.promote == (not broken)
    assert verdict.reasons
    return broken


GOOD = metrics(day=compared(0.80, 0.79), night=compared(0.30, 0.50))


@pytest.mark.parametrize(
    ("value", "rules"),
    [
        (GOOD, set()),
        (metrics(day=compared(0.80, 0.82), night=compared(0.30, 0.32)), set()),
        (metrics(day=compared(0.80, 0.81)), {"gain"}),
        (metrics(day=compared(0.80, 0.85, sure=0.06)), {"gain"}),  # could be luck
        (metrics(day=compared(0.80, 0.75), night=compared(0.30, 0.60)), {"loss"}),
        # The same loss on so few images that it may be none.
        (metrics(day=compared(0.80, 0.75, sure=0.06), night=compared(0.30, 0.60)), set()),
        # Small losses of many nights do not add up unseen.
        (metrics(day=compared(0.80, 0.77, best=0.84), night=compared(0.30, 0.60)), {"loss"}),
        (metrics(day=compared(0.80, 0.77, best=0.80), night=compared(0.30, 0.60)), set()),
        (metrics(day=compared(0.80, 0.86), **{RETENTION: compared(0.80, 0.60)}), {"loss", "class_loss"}),
        (metrics(day=compared(0.80, 0.86), **{RETENTION: compared(0.80, 0.60, images=5)}), set()),
        (metrics(day=compared(0.80, 0.86, images=5)), {"gain"}),
    ],
)
def test_better_where_it_should_be_and_nowhere_surely_worse(value: dict[str, Any], rules: set[str]):
    assert failed(value) == rules


def test_small_slices_are_told_and_not_judged_and_the_text_says_what_to_do():
    verdict = decided(metrics(day=compared(0.8, 0.9, images=5)), SETTINGS)
    (told,) = [rule for rule in verdict.rules if not rule.judged]
    assert told.text == "day has 5 images, fewer than 20: told, not judged"
    assert "Label more images for it, name another slice in gate.improve_on" in verdict.reasons[0]


def test_gains_of_independent_slices_add_up_to_more_certainty():
    one = metrics(day=compared(0.50, 0.53, sure=0.035))
    two = metrics(day=compared(0.50, 0.53, sure=0.035), night=compared(0.50, 0.53, sure=0.035))
    assert (failed(one), failed(two)) == ({"gain"}, set())


def test_where_it_has_to_improve_can_be_chosen():
    settings = SETTINGS.model_copy(update={"improve_on": ("night",)})
    assert failed(metrics(day=compared(0.5, 0.9), night=compared(0.5, 0.5)), settings) == {"gain"}
    assert failed(metrics(day=compared(0.5, 0.5), night=compared(0.5, 0.6)), settings) == set()
    # Without a choice, what every dataset brings along does not count as a gain.
    assert failed(metrics(day=compared(0.5, 0.5), **{RECENT: compared(0.5, 0.9)})) == {"gain"}


def test_one_bad_class_is_named():
    value = copy.deepcopy(GOOD)
    value["slices"]["day"]["delta"]["classes"]["dog"] = {"score": -0.3, "low": -0.4, "high": -0.2}
    verdict = decided(value, SETTINGS)
    assert verdict.reasons == (
        "day, class dog: AP changes by -0.300; that is more than the 0.1 allowed, "
        "and surely a loss (below -0.200)",
    )
    (rule,) = [rule for rule in verdict.rules if not rule.passed]
    assert rule.model_dump() == {
        "rule": "class_loss",
        "slice": "day",
        "class_name": "dog",
        "value": -0.3,
        "limit": -0.1,
        "passed": False,
        "judged": True,
        "text": verdict.reasons[0],
    }


def test_a_class_of_which_a_slice_has_little_is_told_elsewhere():
    value = copy.deepcopy(GOOD)
    value["slices"]["day"]["delta"]["classes"]["dog"] = {"score": -0.5, "low": -0.5, "high": -0.5}
    assert failed(value) == {"class_loss"}
    value["slices"]["day"]["challenger"]["classes"]["dog"]["objects"] = 2
    assert failed(value) == set()


def test_a_class_without_a_difference_is_turned_down():
    value = copy.deepcopy(GOOD)
    del value["slices"]["day"]["delta"]["classes"]["dog"]
    assert failed(value) == {"class_loss"}


def test_floors_hold_whatever_the_champion_has():
    settings = SETTINGS.model_copy(update={"floor": 0.6, "class_floor": 0.55})
    assert failed(GOOD, settings) == {"floor", "class_floor"}
    assert failed(first(day=0.5), settings) == {"floor", "class_floor"}


def test_scores_that_mean_nothing_are_turned_down_unless_the_champions_mean_no_more():
    value = metrics(day=compared(0.5, 0.6))
    value["slices"]["day"]["challenger"] = scores(0.6, calibration_error=0.3)
    assert failed(value) == {"calibration"}
    value["slices"]["day"]["champion"] = scores(0.5, calibration_error=0.3)
    assert failed(value) == set()


def test_a_slow_model_is_turned_down_when_the_job_was_long_enough_to_tell():
    assert failed(GOOD | {"latency": timed(11.0)}) == {"latency"}
    assert failed(GOOD | {"latency": timed(11.0, images=3)}) == set()
    assert failed(GOOD | {"latency": timed(None, images=0)}) == {"latency"}


def recalled(batch: float | None, replayed: float | None = 0.9, images: int = 36) -> dict[str, Any]:
    parts = {"2026-11-02": batch} | ({} if replayed is None else {"replayed": replayed})
    return GOOD | {
        "train_recall": {name: {"images": images, "objects": 60, "recall": v} for name, v in parts.items()}
    }


def test_labels_that_could_not_be_learned_are_turned_down_and_their_night_is_named():
    assert failed(recalled(0.50)) == set()
    assert failed(recalled(0.40)) == {"train_recall"}
    assert failed(recalled(0.40, replayed=0.7)) == set()  # it finds little of what it knew, too
    assert failed(recalled(0.45, replayed=None)) == {"train_recall"}
    assert failed(recalled(0.40, images=5)) == set()
    assert failed(recalled(None)) == failed(recalled(math.nan)) == {"train_recall"}
    reason = decided(recalled(0.30), SETTINGS).reasons[0]
    assert reason.startswith("labels of 2026-11-02: the challenger finds 0.300 of the boxes it learned")


def test_a_class_that_nobody_looks_for_is_turned_down():
    value = metrics(day=compared(0.5, 0.6))
    value["slices"]["day"]["challenger"]["classes"]["dog"] = {"score": None, "objects": 0}
    verdict = decided(value, SETTINGS)
    assert not verdict.promote
    assert verdict.reasons[0].startswith("class dog has 0 objects in the judged slices, fewer than 1: add")
    assert failed(value, SETTINGS.model_copy(update={"min_objects": 0})) == set()


def test_the_first_model_needs_finite_numbers_only():
    verdict = decided(first(day=0.4, night=0.0), SETTINGS)
    assert (verdict.promote, verdict.reasons) == (True, ("first model: day 0.400, night 0.000",))
    assert failed(first(day=math.nan)) == {"measured"}


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    return [path]


# What the verdict may do without: by whom the difference was measured alone, and numbers told and not judged.
SPARE = {"schema_version", "latency.champion", "latency.images.champion"}
PATHS = [path for path in leaves(recalled(0.6)) if ".".join(path) not in SPARE]


@pytest.mark.parametrize("path", PATHS, ids=".".join)
def test_a_number_that_is_missing_never_promotes(path: tuple[str, ...]):
    value = copy.deepcopy(recalled(0.6))
    target = value
    for key in path[:-1]:
        target = target[key]
    del target[path[-1]]
    assert not decided(value, SETTINGS).promote


NEEDED = [
    ("slices", "day", "challenger", "score"),
    ("slices", "day", "challenger", "recall"),
    ("slices", "day", "challenger", "calibration_error"),
    ("slices", "day", "champion", "score"),
    ("slices", "day", "delta", "score"),
    ("slices", "day", "delta", "low"),
    ("slices", "day", "delta", "high"),
    ("slices", "day", "delta", "classes", "cat", "high"),
    ("train_recall", "2026-11-02", "recall"),
    ("latency", "challenger"),
]


@pytest.mark.parametrize("broken", [None, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("path", NEEDED, ids=".".join)
def test_a_number_that_is_not_finite_never_promotes(path: tuple[str, ...], broken: float | None):
    value = copy.deepcopy(recalled(0.6))
    target = value
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = broken
    assert not decided(value, SETTINGS).promote


@pytest.mark.parametrize("value", [None, {}, {"slices": {}}, metrics(), {"champion": None, "slices": []}])
def test_without_metrics_nothing_is_promoted(value: dict[str, Any] | None):
    verdict = decided(value, SETTINGS)
    assert not verdict.promote
    assert [rule.rule for rule in verdict.rules] == ["evaluation"]


SCORE = st.floats(0, 1)


@given(
    st.dictionaries(
        st.sampled_from(["day", "night", RETENTION]), st.tuples(SCORE, SCORE, st.floats(0, 0.1)), min_size=1
    )
)
def test_no_promotion_is_without_a_sure_gain_or_with_a_sure_loss(slices):
    value = metrics()
    value["slices"] = {name: compared(a, b, sure=sure) for name, (a, b, sure) in slices.items()}
    if decided(value, SETTINGS).promote:
        tests = {name: item for name, item in slices.items() if name != RETENTION}
        assert sum(after - before for before, after, _ in tests.values()) > 0
        assert all(
            before - after <= SETTINGS.max_loss + 1e-6 + sure for before, after, sure in slices.values()
        )


def test_the_verdict_is_written_once_and_a_missing_evaluation_is_no_last_word(place: Place):
    location = layout.verdict_file("job-1")
    refused = judge(place.workspace, "job-1")
    assert refused.promote is False
    assert "there are no metrics" in refused.reasons[0]
    place.storage.write_json(layout.metrics_file("job-1"), GOOD)
    assert judge(place.workspace, "job-1").promote is True
    kept = place.storage.read(location)
    place.storage.write_json(layout.metrics_file("job-1"), first(day=0.1))
    assert judge(place.workspace, "job-1").promote is True
    assert place.storage.read(location) == kept
    record = json.loads(kept)
    assert (record["score"], record["before"]) == ({"day": 0.79, "night": 0.5}, {"day": 0.8, "night": 0.3})


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"champion": null, "slices": {"day": 1}}'])
def test_metrics_that_cannot_be_read_promote_nothing(place: Place, body: bytes):
    place.storage.write(layout.metrics_file("job-1"), body)
    assert judge(place.workspace, "job-1").promote is False
