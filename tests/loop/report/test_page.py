"""The page of a round: what it says, what it survives, and that it is one file of escaped text."""

from __future__ import annotations

from include.loop import report
from tests.loop.report.rounds import Rounds


def page(rounds: Rounds, job: str) -> str:
    report.publish(rounds.workspace, job)
    return rounds.storage.read(f"reports/{job}/index.html").decode()


def test_a_promoted_round_has_a_page_and_a_place_in_the_history(rounds: Rounds) -> None:
    rounds.night("2026-11-01", [n / 40 for n in range(40)], labels=12)
    rounds.test_set("night", ["a.png", "b.png"])
    rounds.round("job-2", ["2026-11-01"])
    rounds.examples("job-2", ["a.png", "b.png"])
    answer = report.publish(rounds.workspace, "job-2")
    text = rounds.storage.read("reports/job-2/index.html").decode()
    assert answer["outcome"] == "promoted"
    assert answer["path"] == "/nightloop/reports/pets/job-2/index.html"
    assert answer["headline"] in text
    assert "Promoted: 12 labels from 1 November 2026 gained 15.5 points" in answer["headline"]
    assert text.count("<img ") == 4
    assert 'href="job-2/index.html"' in rounds.storage.read("reports/index.html").decode()
