"""What a night costs after a year of them: processor time, memory and requests, by the nights before it.

    python -m benchmarks.year --sizes 30 90 365

The nights are fabricated (fabricated_year.py says what they have left), the one after them goes through the
loop's own steps, and growth.py measures these: those of the night, of the training that follows it, and of
what is told: ``report`` is the round's page, ``history`` that of all rounds, ``look_again`` asks whether more
is to be learned, ``lineage`` goes to the newest label of the champion, ``lineage_end`` through all of its
ancestors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import fabricated_night, growth
from benchmarks.fabricated_night import CHALLENGER, Night
from benchmarks.fabricated_year import begin, open_year
from include.loop.core.errors import NotSetUp
from include.loop.dataset.build import find_untried
from include.loop.evaluation.gate import judge
from include.loop.lineage.provenance import find_line
from include.loop.report import publish, publish_history
from include.loop.trials.shards import read_lineage


def main(arguments: Sequence[str] | None = None) -> list[growth.Row]:
    year = growth.Subject(
        module="benchmarks.year",
        what="nights",
        sizes=(30, 90, 365),
        steps=STEPS,
        begin=_begin,
        open=open_year,
    )
    return growth.run(year, __doc__.splitlines()[0], arguments)


def _begin(folder: Path, nights: int) -> None:
    begin(folder, nights, growth.tell)


def _judge(night: Night) -> object:
    return judge(night.workspace, CHALLENGER).promote


def _report(night: Night) -> object:
    return publish(night.workspace, CHALLENGER).outcome


def _history(night: Night) -> object:
    publish_history(night.workspace)
    return True


def _look_again(night: Night) -> object:
    return find_untried(night.workspace).labels


def _lineage(night: Night) -> object:
    return _find(night, 1)


def _lineage_end(night: Night) -> object:
    try:
        return _find(night, 1_000_000_000)
    except NotSetUp as error:
        return str(error)


def _find(night: Night, line: int) -> object:
    champion = read_lineage(night.workspace).champion
    assert champion is not None
    label, _ = find_line(night.workspace, champion.dataset_id, "cat", line)
    return label["batch"]


STEPS: dict[str, Callable[[Night], object]] = fabricated_night.STEPS | {
    "judge": _judge,
    "report": _report,
    "history": _history,
    "look_again": _look_again,
    "lineage": _lineage,
    "lineage_end": _lineage_end,
}


if __name__ == "__main__":
    growth.end_with_parent()
    main()
