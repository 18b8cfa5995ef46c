"""How far a labeling job is, from one description of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.loop.analysis.costs import Prices
from include.loop.labeling.progress import Counts, LabelingStatus, Rates, Watch, estimated_end, tell

BEGAN = datetime(2026, 11, 1, 8, tzinfo=UTC)
RATES = Rates(workers=3, seconds=20, prices=Prices(service=0.08, answer=0.036, hour=0))


def described(status: str = "InProgress", **counters: int) -> dict[str, Any]:
    return {"LabelingJobStatus": status, "CreationTime": BEGAN, "LabelCounters": counters}


def test_twelve_images_by_three_people_cost_what_amazons_price_list_says():
    assert RATES.dollars(12) == 2.256  # 12 x (0.08 + 3 x 0.036)
    assert RATES.dollars(0, machine=100) == 8.0, "a model costs the service's fee alone"
    by_the_hour = Rates(workers=2, seconds=30, prices=Prices(service=0, answer=0, hour=15))
    assert by_the_hour.dollars(60) == 15.0  # 60 images x 2 people x 30 s are an hour


def test_the_log_tells_people_machine_failures_cost_and_when_it_will_end():
    reply = described(
        TotalLabeled=30, HumanLabeled=20, MachineLabeled=10, FailedNonRetryableError=2, Unlabeled=64
    )
    line = tell(Watch("pets-1", RATES, spent=1.5), reply, BEGAN + timedelta(hours=4))
    assert line == (
        "pets-1: 30 images have a label (20 by people, 10 by machine), 2 failed, 64 are left; "
        "about 6.06 dollars so far (estimate); at this pace it ends about 2026-11-01 20:00 UTC"
    )
    assert tell(Watch("pets-1", RATES), described("Initializing"), BEGAN) == "pets-1 is being set up"
    assert tell(Watch("pets-1", RATES), described("Stopped", Unlabeled=3), BEGAN).endswith(
        "so far (estimate); Stopped"
    )


@pytest.mark.parametrize(
    ("counts", "later"),
    [
        (Counts(unlabeled=5), timedelta(hours=1)),  # nobody has begun
        (Counts(failed=1, unlabeled=5), timedelta(hours=1)),  # a failure is no pace of anybody
        (Counts(human=5), timedelta(hours=1)),  # nothing is left
        (Counts(human=5, unlabeled=5), timedelta()),  # a clock that is behind
        (Counts(human=1, unlabeled=10**9), timedelta(days=30)),  # after the last year there is
    ],
)
def test_without_a_pace_no_end_is_promised(counts: Counts, later: timedelta):
    assert estimated_end(counts, BEGAN, BEGAN + later) is None


def test_what_a_trigger_stores_is_small_and_comes_back():
    watch = Watch("pets-1", RATES, spent=0.4, goes_on=True)
    stored = json.dumps(watch.to_dict())
    assert len(stored) < 300
    assert Watch.from_dict(json.loads(stored)) == watch


def test_the_statuses_are_those_of_the_api():
    from botocore.session import get_session

    shape: Any = get_session().get_service_model("sagemaker").shape_for("LabelingJobStatus")
    assert set(shape.enum) == set(LabelingStatus)
