"""The notebook's loop and ours do the same work; each request of theirs that ours spares is counted."""

from __future__ import annotations

from benchmarks.seed_loop import main


def test_both_start_poll_and_collect_the_same_loops() -> None:
    found = main(["--start", "120", "--poll", "120", "--collect", "120", "--latency-ms", "0"])
    requests = {name: (notebook.requests, ours.requests) for name, (notebook, ours) in found.items()}
    assert {name: notebook for name, (notebook, _) in requests.items()} == {
        "start": 120,
        "poll": 120,
        "collect": 2 * 120 + 1,
    }
    assert requests["poll"][1] < 8  # two pages of a hundred, and what says which loops to look at
    assert 120 < requests["start"][1] < 130
    assert 2 * 120 < requests["collect"][1] < 2 * 120 + 20
