"""The page of a round, and the running history beside it.

``publish`` takes a training job, gives ``reports/<job>/facts.json``, ``reports/<job>/index.html`` and, remade
from the facts of all rounds, ``reports/index.html``. A page is one file: its style sheet, figures and
pictures are in it, it asks for nothing and runs nothing. It is made before the approval and again with the
outcome. Everything that comes from outside is escaped by Jinja.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from include.loop.config import DATASET_SLICES
from include.loop.core import layout
from include.loop.report import advice, figures, formats, history, pictures, words
from include.loop.report.facts import Facts, read_all, to_json
from include.loop.report.gather import gather, has_changed, read_champions
from include.loop.report.measures import Measure, Slice
from include.loop.report.standings import Standing
from include.loop.workspace import Workspace

TEMPLATES = Path(__file__).parent / "templates"
HTML = "text/html; charset=utf-8"
# All that a page needs of a browser, for whoever serves it. The sandbox also stops what no other directive
# does, such as a page that sends its reader elsewhere.
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-same-origin"
)
# A larger confusion matrix than this cannot be read: the list of mistakes beside it can.
MOST_CLASSES = 15
MISTAKES = 10
# What evaluation puts into the matrix besides classes.
NO_CLASS = frozenset({"background", "missed"})


def publish(workspace: Workspace, training_job: str) -> dict[str, Any]:
    """Make or refresh the page of a round and the history; where they are.

    ``path`` is the page's place below Airflow's address. A part of the round that is missing is missing from
    the page, and never an error. Rounds that have ended otherwise since they were told (approved, rolled
    back) are told again.
    """
    told = {facts.training_job: facts for facts in read_all(workspace)}
    champions = read_champions(workspace)
    stale = [job for job, facts in told.items() if has_changed(workspace, facts, champions)]
    for job in dict.fromkeys([*stale, training_job]):
        told[job] = gather(workspace, job, told.values())
        _write_round(workspace, told[job])
    rounds = history.order(told.values())
    facts = told[training_job]
    page = _render_history(workspace, rounds, facts.standings)
    workspace.storage.write(layout.HISTORY_PAGE, page, HTML)
    return {
        "training_job": training_job,
        "outcome": facts.outcome.value,
        "headline": words.headline(facts),
        "report_uri": workspace.storage.uri(layout.report_page(training_job)),
        "history_uri": workspace.storage.uri(layout.HISTORY_PAGE),
        "path": f"/nightloop/reports/{workspace.pipeline.name}/{training_job}/index.html",
    }


def _write_round(workspace: Workspace, facts: Facts) -> None:
    target, job = workspace.storage, facts.training_job
    target.write(layout.report_facts(job), to_json(facts), "application/json")
    target.write(layout.report_page(job), render(workspace, facts).encode(), HTML)


def render(workspace: Workspace, facts: Facts) -> str:
    """The page of a round as HTML."""
    threshold = facts.evaluation.score_threshold
    measured = [item for item in facts.slices if item.challenger]
    detailed = [(item, item.challenger) for item in facts.slices if item.challenger and _matters(facts, item)]
    return (
        _environment()
        .get_template("round.html.jinja")
        .render(
            facts=facts,
            headline=words.headline(facts),
            rules=advice.ordered(facts.verdict.rules if facts.verdict else ()),
            steps=advice.next_steps(facts),
            effort=history.effort(facts),
            measured=measured,
            detailed=[item for item, _ in detailed],
            drifts=advice.drifts(facts),
            confusions=[
                (item, confusion_rows(challenger), mistakes(challenger))
                for item, challenger in detailed
                if challenger.confusion
            ],
            drawings={
                "slices": figures.slices(measured) if measured else None,
                "classes": [figures.classes(item) for item, challenger in detailed if challenger.classes],
                "reliability": [
                    figures.reliability(item) for item, challenger in detailed if challenger.reliability
                ],
                "drift": figures.drift(facts.earlier, facts.nights)
                if any(night.scores for night in facts.nights)
                else None,
                "training": figures.training(facts.curves.epochs)
                if facts.curves and facts.curves.epochs
                else None,
            },
            pictures=pictures.draw(workspace, facts.examples, threshold),
            standings=[
                (item, pictures.draw(workspace, item.examples, threshold)) for item in facts.standings
            ],
        )
    )


def _matters(facts: Facts, item: Slice) -> bool:
    """Class by class only where it counts: on the test sets, and wherever a rule failed.

    A handful of audits has an interval from 0 to 1 for every class.
    """
    failed = [rule.slice for rule in (facts.verdict.rules if facts.verdict else ()) if not rule.passed]
    return item.judged and (item.name not in DATASET_SLICES or item.name in failed)


def confusion_rows(measure: Measure) -> list[tuple[str, list[tuple[str, int, float]]]]:
    """The confusion matrix by true class: columns with their count and share of the row. None of it when
    there are too many classes to read.
    """
    seen = [*measure.confusion, *(name for row in measure.confusion.values() for name in row)]
    classes = list(dict.fromkeys([*measure.classes, *(name for name in seen if name not in NO_CLASS)]))
    if len(classes) > MOST_CLASSES:
        return []
    rows = []
    for truth in [*classes, "background"]:
        row = measure.confusion.get(truth, {})
        total = max(sum(row.values()), 1)
        rows.append(
            (truth, [(name, row.get(name, 0), row.get(name, 0) / total) for name in [*classes, "missed"]])
        )
    return rows


def mistakes(measure: Measure) -> list[tuple[str, str, int]]:
    """The most frequent confusions: what it was, what it was taken for, how often."""
    wrong = [
        (truth, said, count)
        for truth, row in measure.confusion.items()
        for said, count in row.items()
        if count and truth != said
    ]
    return sorted(wrong, key=lambda item: (-item[2], item[0], item[1]))[:MISTAKES]


def _render_history(workspace: Workspace, rounds: list[Facts], standings: Iterable[Standing]) -> bytes:
    """``standings`` are those of now."""
    nights, slices = history.nights(rounds), history.slices(rounds)
    discarded = {night.batch: _discarded(workspace, night.batch) for night, _ in nights}
    return (
        _environment()
        .get_template("history.html.jinja")
        .render(
            pipeline=workspace.pipeline,
            rounds=[(facts, words.headline(facts), history.effort(facts)) for facts in reversed(rounds)],
            nights=list(reversed(nights)),
            discarded=discarded,
            standings={item.batch: item for item in standings},
            total=history.total(rounds),
            slices=slices,
            drawings={
                "history": figures.history(rounds, slices) if slices else None,
                "effort": figures.effort([night for night, _ in nights]) if nights else None,
            },
        )
        .encode()
    )


def _discarded(workspace: Workspace, batch: str) -> dict[str, str]:
    """By whom a night's labels were discarded, and why; empty where they were not."""
    try:
        found = workspace.storage.find_json(layout.discarded_file(batch))
    except ValueError:
        found = {"why": "for a reason that cannot be read"}
    if not isinstance(found, dict):
        return {}
    return {name: str(found.get(name) or "") for name in ("by", "why")}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in (
        "score", "change", "points", "interval", "percent", "count", "number", "dollars", "duration", "day",
        "short_day", "table_day", "moment", "file_name",
    ):  # fmt: skip
        environment.filters[name] = getattr(formats, name)
    environment.filters["rule_name"], environment.filters["where"] = advice.rule_name, advice.where
    environment.filters["shell"], environment.filters["capital"] = shlex.quote, words.capital
    environment.tests["training_job"] = layout.is_training_job
    # Ours, and no HTML: the only text besides the figures that goes into a page as it is.
    environment.globals["style_sheet"] = Markup((TEMPLATES / "report.css").read_text("utf-8"))  # noqa: S704
    return environment
