"""The page of a round, and the running history beside it.

``publish`` takes a training job, gives ``reports/<job>/facts.json``, ``reports/<job>/index.html`` and, remade
from the facts of all rounds, ``reports/index.html``. A page is one file: its style sheet, figures and
pictures are in it, it asks for nothing and runs nothing. It is made before the approval and again with the
outcome. Everything that comes from outside is escaped by Jinja.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from include.loop.core import layout
from include.loop.core.errors import Fatal
from include.loop.core.records.batch_facts import StandingFacts
from include.loop.core.records.facts import Facts
from include.loop.core.records.trials import Discard
from include.loop.core.storage import MOST_BYTES
from include.loop.live.estimate import LEAST
from include.loop.live.weeks import Live, read_live
from include.loop.models.champion import read_history
from include.loop.report import advice, figures, formats, history, measures, pictures, standings, words
from include.loop.report.facts import read_all
from include.loop.report.gather import gather, has_changed
from include.loop.report.labelings import read_labelings
from include.loop.report.reader import Reader
from include.loop.trials.shards import read_discarded
from include.loop.workspace import Workspace

log = logging.getLogger(__name__)

TEMPLATES = Path(__file__).parent / "templates"
HTML = "text/html; charset=utf-8"
# All that a page needs of a browser, for whoever serves it. The sandbox also stops what no other directive
# does, such as a page that sends its reader elsewhere.
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-same-origin"
)


@dataclass(frozen=True)
class PublishResult:
    """How the round ended, in one sentence too; ``path`` is the page's place below Airflow's address."""

    training_job: str
    outcome: str
    headline: str
    report_uri: str
    history_uri: str
    path: str


def publish(workspace: Workspace, training_job: str) -> PublishResult:
    """Make or refresh the page of a round and the history; where they are.

    A part of the round that is missing is missing from the page, and never an error. Rounds that have ended
    otherwise since they were told (approved, rolled back) are told again.
    """
    told = {facts.training_job: facts for facts in read_all(workspace)}
    champions = list(read_history(workspace, keep=True))
    stale = [job for job, facts in told.items() if has_changed(workspace, facts, champions)]
    for job in dict.fromkeys([*stale, training_job]):
        told[job] = gather(workspace, job, told.values())
        _write_round(workspace, told[job])
    facts = told[training_job]
    _write_history(workspace, told.values(), facts.standings)
    return PublishResult(
        training_job=training_job,
        outcome=facts.outcome.value,
        headline=words.headline(facts, workspace.task),
        report_uri=workspace.storage.uri(layout.report_page(training_job)),
        history_uri=workspace.storage.uri(layout.HISTORY_PAGE),
        path=f"/nightloop/reports/{workspace.pipeline.name}/{training_job}/index.html",
    )


def publish_history(workspace: Workspace) -> None:
    """Make the history alone anew: a labeling job was judged since."""
    told = read_all(workspace)
    newest = max(told, key=lambda facts: facts.judged_at, default=None)
    _write_history(workspace, told, newest.standings if newest else ())


def choice(pipelines: Iterable[tuple[str, bool]], message: str = "") -> str:
    """The page above those of all pipelines, as HTML: their names, and whether each has a report."""
    template = environment().get_template("reports.html.jinja")
    return template.render(pipelines=list(pipelines), message=message)


def _write_history(workspace: Workspace, told: Iterable[Facts], now: Iterable[StandingFacts]) -> None:
    page = _render_history(workspace, history.order(told), now)
    workspace.storage.write(layout.HISTORY_PAGE, page, HTML)


def _write_round(workspace: Workspace, facts: Facts) -> None:
    facts.write(workspace.storage, facts.training_job)
    page = render(workspace, facts).encode()
    workspace.storage.write(layout.report_page(facts.training_job), page, HTML)


def render(workspace: Workspace, facts: Facts) -> str:
    """The page of a round as HTML."""
    task, threshold = workspace.task, facts.evaluation.score_threshold

    def read(image: str) -> bytes:
        return workspace.storage.read(image, most=MOST_BYTES)

    return (
        environment()
        .get_template("round.html.jinja")
        .render(
            **measures.shown(facts, task),
            headline=words.headline(facts, task),
            rules=advice.ordered(facts.verdict.rules if facts.verdict else ()),
            steps=advice.next_steps(facts),
            effort=history.effort(facts),
            drifts=advice.drifts(facts),
            pictures=pictures.draw(workspace, facts.examples, threshold),
            mistakes=pictures.draw(workspace, facts.mistakes, threshold, alone=facts.parent is None),
            cells=[(cell, pictures.thumbnails(read, cell)) for cell in facts.cells],
            standings=[
                (item, pictures.draw(workspace, item.examples, threshold)) for item in facts.standings
            ],
        )
    )


def _render_history(workspace: Workspace, rounds: list[Facts], now: Iterable[StandingFacts]) -> bytes:
    """``now`` is how batches stand now."""
    metric = workspace.task.metric
    alike = history.alike(rounds, metric.key)
    batches, slices = history.batches(rounds), history.slices(alike)
    labelings = read_labelings(workspace, {facts.training_job for facts in rounds})
    words_of = {batch: _discarded(workspace, batch) for batch in read_discarded(workspace)}
    return (
        environment()
        .get_template("history.html.jinja")
        .render(
            pipeline=workspace.pipeline,
            metric=metric,
            others={facts.training_job: facts.evaluation.metric for facts in rounds if facts not in alike},
            rounds=[
                (facts, words.headline(facts, workspace.task), history.effort(facts))
                for facts in reversed(rounds)
            ],
            batches=list(reversed(batches)),
            discarded={batch.batch: words_of.get(batch.batch, {}) for batch, _ in batches},
            standings={item.batch: item for item in now},
            labelings=labelings,
            total=history.total(rounds, metric.key),
            live=_live(workspace),
            least=LEAST,
            slices=slices,
            drawings={
                "history": figures.history(alike, slices, metric) if slices else None,
                "effort": figures.effort([batch for batch, _ in batches]) if batches else None,
            },
        )
        .encode()
    )


def _live(workspace: Workspace) -> Live:
    """Nothing where a record is not what the loop wrote: the page has more to tell."""
    try:
        return read_live(workspace)
    except Fatal as error:
        log.warning("The weeks of live quality are not in the history: %s", error)
        return Live({}, (), (), ())


def _discarded(workspace: Workspace, batch: str) -> dict[str, str]:
    """By whom a batch's labels were discarded, and why; empty where they were not."""
    reader = Reader(workspace.storage, [])
    found = reader.find(Discard, batch)
    if reader.problems:
        return {"by": "", "why": "for a reason that cannot be read"}
    return {"by": found.by, "why": found.why} if found else {}


@cache
def environment() -> Environment:
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
    environment.filters["next"], environment.filters["told"] = standings.what_next, standings.outcome
    environment.tests["doubtful"] = standings.is_doubtful
    environment.tests["training_job"] = layout.is_training_job
    # Ours, and no HTML: the only text besides the figures that goes into a page as it is.
    environment.globals["style_sheet"] = Markup((TEMPLATES / "report.css").read_text("utf-8"))  # noqa: S704
    return environment
