"""All rounds together: in order, with what people gave counted once."""

from __future__ import annotations

import pytest

from include.loop import report
from include.loop.analysis.publishing import publish
from include.loop.analysis.sources import Sources
from include.loop.core import layout
from include.loop.core.records.facts import EvaluationFacts, Facts
from include.loop.core.records.live import Appearance, AuditedBatch, LiveQuality, Moved, Tally
from include.loop.report import history, words
from include.loop.report.formats import percent
from include.loop.report.gather import gather
from tests.loop.analysis.jobs import TRUE, boxes
from tests.loop.report.rounds import Rounds


@pytest.fixture
def told(rounds: Rounds) -> list[Facts]:
    """A first model, a batch that was turned down, and a second batch that was learned from with it."""
    rounds.round("job-a", [], parent=None)
    rounds.night("2026-11-01", [0.1] * 9, labels=4)
    rounds.round("job-c", ["2026-11-01"], promote=False, parent="job-a")
    rounds.night("2026-11-02", [0.1] * 9, labels=6)
    rounds.round("job-b", ["2026-11-01", "2026-11-02"], parent="job-a")
    return history.order(gather(rounds.workspace, job) for job in ("job-b", "job-c", "job-a"))


def test_rounds_are_in_the_order_of_their_batches(told: list[Facts]) -> None:
    assert [facts.training_job for facts in told] == ["job-a", "job-c", "job-b"]


def test_a_batch_that_two_rounds_learned_from_was_paid_once(told: list[Facts]) -> None:
    total = history.total(told, "mAP@0.5")
    assert (total.rounds, total.promoted, total.batches) == (3, 2, 2)
    assert (total.effort.labels, total.effort.seconds) == (10, 300.0)
    assert [(item.batch, len(learners)) for item, learners in history.batches(told)] == [
        ("2026-11-01", 2),
        ("2026-11-02", 1),
    ]


def test_a_point_has_a_price_only_where_there_was_a_gain(rounds: Rounds, told: list[Facts]) -> None:
    first, turned_down, learned = (history.effort(facts) for facts in told)
    assert first.seconds_per_point is None
    assert turned_down.seconds_per_point is not None  # it gained, and was turned down for something else
    assert learned.seconds_per_point is not None
    assert round(learned.seconds_per_point, 1) == round(300 / 15.5, 1)
    rounds.round("job-d", ["2026-11-02"], after={"day": 0.7, "night": 0.2}, promote=False)
    assert history.effort(gather(rounds.workspace, "job-d")).dollars_per_point is None


def test_the_history_links_to_every_round_and_shows_the_model_at_work(
    rounds: Rounds, told: list[Facts]
) -> None:
    for facts in told[:2]:
        facts.write(rounds.storage, facts.training_job)
    report.publish(rounds.workspace, "job-b")
    text = rounds.storage.read("reports/index.html").decode()
    for job in ("job-a", "job-b", "job-c"):
        assert f'href="{job}/index.html"' in text
    row = text[text.index("✗ not promoted") :].split("</tr>")[0]
    assert "0.310" in row  # by night, after a round that was turned down, the champion still has its score


def test_a_round_that_another_number_decided_about_has_no_place_beside_the_others(
    rounds: Rounds, told: list[Facts]
) -> None:
    first, turned_down, learned = told
    evaluation = EvaluationFacts(metric="accuracy")
    other = turned_down.model_copy(update={"evaluation": evaluation})
    assert history.alike([first, other, learned], "mAP@0.5") == [first, learned]
    promoted = learned.model_copy(update={"evaluation": evaluation})
    assert history.total([first, other, promoted], "mAP@0.5").effort.dollars_per_point is None
    for facts in (first, other):
        facts.write(rounds.storage, facts.training_job)
    report.publish(rounds.workspace, "job-b")
    text = rounds.storage.read("reports/index.html").decode()
    row = text[text.index("✗ not promoted") :].split("</tr>")[0]
    assert "measured by accuracy" in row
    assert "0.310" not in row
    assert "15.5 points of accuracy" in words.headline(other, rounds.workspace.task)


def test_labels_of_labeling_jobs_stand_beside_those_of_batches(rounds: Rounds) -> None:
    """Before the first model too, and without the words of batches where there was none."""
    storage = rounds.storage
    for job in ("pets-labeling-1", "pets-labeling-2"):
        storage.write_lines(f"{job}/m", [boxes(f"{n}.jpg", TRUE) for n in range(3)])
        publish(storage, Sources(storage.uri(f"{job}/m"), workers=2), layout.report_page(job), title=job)
    storage.write(layout.report_numbers("broken"), b"[1]", "application/json")
    report.publish_history(rounds.workspace)
    alone = storage.read("reports/index.html").decode()
    for job in ("pets-labeling-1", "pets-labeling-2"):
        assert f'href="{job}/index.html"' in alone
    assert "<dd>6 labels<small>12 answers" in alone
    assert "Questions" not in alone
    assert "Round by round" not in alone
    assert "broken" not in alone
    rounds.round("job-a", [], parent=None)
    report.publish(rounds.workspace, "job-a")
    text = storage.read("reports/index.html").decode()
    assert 'href="pets-labeling-2/index.html"' in text
    assert 'href="job-a/index.html"' in text


def test_the_weeks_of_the_model_at_work_are_told(rounds: Rounds) -> None:
    rounds.round("job-2", [])
    report.publish(rounds.workspace, "job-2")
    assert "Live quality" not in rounds.storage.read(layout.HISTORY_PAGE).decode()
    tally = Tally(images=40, right=30, true=40, found=40, true_true=40, found_found=40, true_found=40)
    for batch, images in {"2026-11-01": tally, "2026-11-02": Tally(images=3)}.items():
        night = AuditedBatch(batch=batch, model="job-1", images=900, drawn=40, asked=40, tally=images)
        LiveQuality(batch=batch, threshold=0.5, audited=(night,)).write(rounds.storage, batch)
    report.publish(rounds.workspace, "job-2")
    page = rounds.storage.read(layout.HISTORY_PAGE).decode()
    assert f"{percent(1.0)}<span" in page
    assert f"{percent(0.75)}<span" in page
    assert (
        page.index("2026-W45") < page.index("too little: from 30 audited images on") < page.index("2026-W44")
    )
    assert "Batches that look different" not in page
    moved = Moved(signal="classes", index=0.8, usual=0.1, batches=20, since="2026-11-01")
    Appearance(batch="2026-11-02", model="job-1", images=9, moved=(moved,)).write(
        rounds.storage, "2026-11-02"
    )
    report.publish(rounds.workspace, "job-2")
    page = rounds.storage.read(layout.HISTORY_PAGE).decode()
    assert "which classes it sees (stability index 0.80; of the 20 batches before none" in page
    rounds.put(layout.live_file("2026-11-02"), b"{")  # a damaged record costs the weeks, not the page
    report.publish(rounds.workspace, "job-2")
    assert "Live quality" not in rounds.storage.read(layout.HISTORY_PAGE).decode()
