"""Figures are text and lines in the page's colours, with their meaning said in words."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import matplotlib
import pytest

from include.loop.core.records.batch_facts import BatchFacts
from include.loop.core.records.facts import Facts, RoundOutcome
from include.loop.report import figures, training
from include.loop.report.batches import make_scores
from include.loop.report.drawing import PALETTE, Drawing
from include.loop.tasks.detection.measuring import METRIC, WORDS
from tests.loop.report.rounds import as_slice


def check(drawing: Drawing) -> ElementTree.Element:
    """An SVG element without a document around it, in no colour but the page's."""
    svg = str(drawing.svg)
    assert "#1f2a33" not in svg
    assert "var(--ink)" in svg
    assert "<script" not in svg
    root = ElementTree.fromstring(svg.replace("<svg ", '<svg xmlns:xlink="x" ', 1))  # noqa: S314 -- ours
    assert root.get("aria-label") == drawing.alt
    assert root.get("role") == "img"
    return root


def test_slices_are_drawn_with_and_without_a_champion() -> None:
    root = check(figures.slices([as_slice("day", 0.8, 0.82), as_slice("night", 0.6, None)], METRIC))
    words = " ".join(root.itertext())
    assert "before" in words
    assert "night" in words
    drawing = figures.slices([as_slice("day", 0.8, None)], METRIC)
    check(drawing)
    assert "day: 0.800" in drawing.alt


def test_names_from_outside_are_text_and_no_formula() -> None:
    drawing = figures.classes(as_slice("day", 0.8, 0.7, classes=("$x_1$", "<b>&", "a" * 60, "猫")), METRIC)
    words = " ".join(check(drawing).itertext())
    assert "$x_1$" in words
    assert "<b>&" in words
    assert "a" * 17 + "…" in words
    assert "猫" in words


def test_of_many_classes_those_that_moved_most_are_drawn() -> None:
    names = tuple(f"class-{n:02}" for n in range(60))
    words = " ".join(check(figures.classes(as_slice("day", 0.8, 0.7, classes=names), METRIC)).itertext())
    assert sum(name in words for name in names) == figures.MOST_CLASSES


def test_every_figure_can_be_drawn_from_little() -> None:
    batches = [BatchFacts(batch="2026-11-01", scores=make_scores([0.5])), BatchFacts(batch="2026-11-02")]
    facts = Facts(
        pipeline="pets",
        training_job="job",
        outcome=RoundOutcome.REJECTED,
        slices=(as_slice("day", 0.8, None),),
    )
    check(figures.drift([], batches))
    check(figures.effort(batches))
    check(training.by_epoch([{"epoch": 0}, {"epoch": 1, "validation_map": 0.5, "smooth_l1": 0.2}], METRIC))
    check(figures.history([facts], ["day", "night"], METRIC))
    check(figures.reliability(as_slice("day", 0.8, 0.7), WORDS))


def test_a_long_history_keeps_its_axis_readable() -> None:
    days = [BatchFacts(batch=f"2026-{month:02}-{day:02}") for month in (10, 11) for day in range(1, 29)]
    rounds = [
        Facts(
            pipeline="pets",
            training_job=f"job-{n}",
            outcome=RoundOutcome.PROMOTED,
            batches=(batch,),
            slices=(as_slice("day", 0.8, 0.7),),
        )
        for n, batch in enumerate(days)
    ]
    labels = [
        text
        for text in check(figures.history(rounds, ["day"], METRIC)).itertext()
        if "Nov" in text or "Oct" in text
    ]
    assert "28 Nov" in labels
    assert len(labels) <= 7


def test_drawing_leaves_matplotlib_as_it_was() -> None:
    before = dict(matplotlib.rcParams)
    figures.slices([as_slice("day", 0.8, 0.7)], METRIC)
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("role", PALETTE)
def test_the_style_sheet_knows_every_colour_by_day_and_by_night(role: str) -> None:
    from include.loop.report.page import TEMPLATES

    sheet = (TEMPLATES / "report.css").read_text()
    assert sheet.count(f"--{role}:") == 3  # light, dark and paper
