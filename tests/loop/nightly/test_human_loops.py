"""How far a batch has come is counted by pages, for this batch alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from include.loop.nightly.human_loops import (
    HumanLoopStatus,
    LoopCounts,
    Watch,
    count_page,
    watch,
)
from tests.loop.place import NIGHT, Place, correct, count_loops

NOW = datetime(2026, 11, 2, tzinfo=UTC)
WATCH = Watch("arn", "pets-20261101-", 3, NOW.isoformat(), (NOW + timedelta(hours=1)).isoformat())
STATUSES = st.sampled_from([status.value for status in HumanLoopStatus] + ["Paused"])


def summary(number: int, status: str, prefix: str = "pets-20261101-") -> dict:
    name = f"{prefix}{number:016x}"
    return {"HumanLoopName": name, "HumanLoopStatus": status, "CreationTime": NOW + timedelta(seconds=number)}


def test_every_status_belongs_to_one_group():
    page = [
        summary(number, status)
        for number, status in enumerate(
            ["InProgress", "Stopping", "Completed", "Failed", "Stopped", "Deleting", "Deleted"]
        )
    ]
    counts = count_page(WATCH, page)
    assert (counts.open, counts.completed, counts.failed, counts.stopped) == (2, 1, 1, 3)
    assert counts.oldest_open == NOW


def test_a_status_that_nobody_knows_yet_is_waited_for():
    assert count_page(WATCH, [summary(1, "Paused")]).open == 1
    assert not count_page(WATCH, [summary(1, "Paused")]).settled(1)


def test_loops_of_other_batches_are_not_counted():
    others = ["pets-20261102-", "pets-20261101-e1-", "pets2-20261101-"]
    assert count_page(WATCH, [summary(1, "Completed", prefix) for prefix in others]) == LoopCounts()


@given(st.lists(STATUSES, max_size=30), st.integers(1, 10))
def test_pages_add_up_to_the_whole(statuses, size):
    items = [summary(number, status) for number, status in enumerate(statuses)]
    total = LoopCounts()
    for first in range(0, len(items), size):
        total += count_page(WATCH, items[first : first + size])
    assert total == count_page(WATCH, items)
    assert total.open + total.completed + total.failed + total.stopped == len(items)
    assert total.settled(len(items)) == (total.open == 0)


def test_a_watch_survives_a_triggers_arguments():
    assert Watch.from_dict(WATCH.to_dict()) == WATCH


def test_waiting_costs_one_listing_by_hundreds_however_many_loops_there_are(make_place):
    place: Place = make_place(triage={"cap": 200, "audit_share": 0}, review={"deadline_hours": 2})
    place.set_up_review()
    place.add_images({f"{n}.jpg": 100 for n in range(101)})
    place.ask()
    calls: list[str] = []
    place.runtime.meta.events.register(
        "before-call.sagemaker-a2i-runtime", lambda model, **_: calls.append(model.name)
    )
    seen = watch(place.workspace, NIGHT)
    counts = count_loops(place.runtime, seen)
    assert (counts.open, seen.expected) == (101, 101)
    assert calls == ["ListHumanLoops", "ListHumanLoops"]
    left = datetime.fromisoformat(seen.deadline) - datetime.now(UTC)
    assert timedelta(hours=1.9) < left <= timedelta(hours=2)


def test_nothing_is_waited_for_once_the_labels_are_committed(place: Place):
    place.set_up_review()
    place.add_images({"a.jpg": 100, "b.jpg": 110})
    place.ask()
    place.answer(correct, at_most=1)
    place.settle(open_loops=1)
    place.assemble()
    assert watch(place.workspace, NIGHT).expected == 0
