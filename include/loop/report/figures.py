"""The report's figures: small, calm, each with one thing to say.

Takes facts, gives drawings with an alternative text that says the same in words. Roles have colours and
shapes (before: grey squares, after: blue circles), so that neither is needed alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from include.loop.core.records.batch_facts import BatchFacts
from include.loop.core.records.facts import Facts, RoundOutcome, SliceFacts
from include.loop.report import formats
from include.loop.report.drawing import PALETTE, drawn, new_figure
from include.loop.tasks.measuring import Metric, Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "osD^vP"
# More classes than this in one figure cannot be read; those that changed most are drawn, the table has all.
MOST_CLASSES = 20


@drawn
def slices(items: Sequence[SliceFacts], metric: Metric) -> tuple[Figure, str]:
    """The score of both models on every slice, with intervals."""
    rows = [
        (item.name, item.champion and (item.before, item.champion.low, item.champion.high),
         (item.after, item.challenger.low, item.challenger.high))
        for item in items
    ]  # fmt: skip
    told = "; ".join(
        f"{item.name}: before {formats.score(item.before)}, after {formats.score(item.after)}"
        if item.champion
        else f"{item.name}: {formats.score(item.after)}"
        for item in items
    )
    return _dots(rows, metric.key, f"{metric.key} by slice. {told}.")


@drawn
def classes(item: SliceFacts, metric: Metric) -> tuple[Figure, str]:
    """The score by class on one slice, both models, with intervals."""
    before = item.champion.classes if item.champion else {}
    after = item.challenger.classes
    names = list(after)
    if len(names) > MOST_CLASSES:
        moved = {
            name: abs((after[name].score or 0) - (before[name].score or 0)) if name in before else 0.0
            for name in names
        }
        names = sorted(sorted(names, key=lambda name: -moved[name])[:MOST_CLASSES], key=names.index)
    rows: list[tuple[str, Any, Any]] = []
    for name in names:
        old, new = before.get(name), after[name]
        rows.append((name, old and (old.score, old.low, old.high), (new.score, new.low, new.high)))
    told = "; ".join(
        f"{name} {formats.score(old[0]) + ' to ' if old else ''}{formats.score(new[0])}"
        for name, old, new in rows
    )
    alt = f"{metric.class_title} by class on {item.name}: {told}."
    return _dots(rows, f"{metric.class_key} on {_short(item.name)}", alt)


@drawn
def reliability(item: SliceFacts, words: Words) -> tuple[Figure, str]:
    """How often predictions of a score are right: on the diagonal, scores can be taken at their word."""
    figure, axes = new_figure(3.6)
    axes.plot([0, 1], [0, 1], color=PALETTE["muted"], linewidth=1, linestyle=(0, (4, 3)))
    told = []
    most = max(
        (bin.count for model in (item.champion, item.challenger) if model for bin in model.reliability),
        default=1,
    )
    for role, marker, model in (("before", "s", item.champion), ("after", "o", item.challenger)):
        bins = [
            (bin.mean_score, bin.precision, bin.count)
            for bin in (model.reliability if model else ())
            if bin.count and bin.mean_score is not None and bin.precision is not None
        ]
        if model is None or not bins:
            continue
        means, rights, counts = zip(*bins, strict=True)
        axes.plot(means, rights, color=PALETTE[role], linewidth=1.6, zorder=3, clip_on=False)
        # The area is the number of predictions: a far-off point with few of them weighs little.
        areas = [10 + 70 * count / most for count in counts]
        axes.scatter(
            means, rights, s=areas, color=PALETTE[role], marker=marker, label=role, zorder=4, clip_on=False
        )
        when = f"{role} " if item.champion else ""
        told.append(f"calibration error {when}{formats.score(model.calibration_error)}")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")
    axes.set_xlabel(words.score_axis)
    axes.set_ylabel("share that is right")
    if len(told) > 1:
        axes.legend(loc="upper left")
    return figure, f"Reliability of scores on {item.name}: {', '.join(told)}."


@drawn
def drift(earlier: Sequence[BatchFacts], batches: Sequence[BatchFacts]) -> tuple[Figure, str]:
    """The best scores of every batch: median, half of the images, nine tenths of the images."""
    both = [(batch, role) for part, role in ((earlier, "before"), (batches, "after")) for batch in part]
    shown = [(batch, batch.scores, role) for batch, role in both if batch.scores]
    figure, axes = new_figure(2.9)
    told = []
    for place, (batch, scores, role) in enumerate(shown):
        lowest, low, median, high, highest = scores.quantiles
        axes.plot([place, place], [lowest, highest], color=PALETTE[role], linewidth=1.5)
        axes.plot([place, place], [low, high], color=PALETTE[role], linewidth=7, solid_capstyle="butt")
        axes.plot([place], [median], color=PALETTE["ink"], marker="_", markersize=13, markeredgewidth=2.2)
        told.append(f"{formats.short_day(batch.batch)} {median:.2f}")
    _batches_axis(axes, [formats.short_day(batch.batch) for batch, _, _ in shown])
    axes.set_ylim(0, 1)
    axes.set_ylabel("best score of an image")
    return figure, f"Median of the images' best scores by batch: {', '.join(told)}."


@drawn
def history(rounds: Sequence[Facts], slices: Sequence[str], metric: Metric) -> tuple[Figure, str]:
    """The score of the model at work after every round, by slice; crosses are challengers not promoted."""
    names = slices[: len(MARKERS)]
    figure, axes = new_figure(3.6)
    told = []
    for index, name in enumerate(names):
        color = PALETTE[f"series-{index + 1}"]
        line, crosses = [], []
        for place, facts in enumerate(rounds):
            item = facts.slice(name)
            if item is None:
                continue
            promoted = facts.outcome is RoundOutcome.PROMOTED
            at_work = item.after if promoted else item.before
            if at_work is not None:
                line.append((place, at_work))
            if not promoted and item.after is not None:
                crosses.append((place, item.after))
        if line:
            x, y = zip(*line, strict=True)
            axes.plot(
                x, y, color=color, marker=MARKERS[index], markersize=5, linewidth=1.8, label=_short(name),
                zorder=3,
            )  # fmt: skip
            told.append(f"{name} from {y[0]:.3f} to {y[-1]:.3f}")
        if crosses:
            x, y = zip(*crosses, strict=True)
            axes.scatter(x, y, color=color, marker="x", s=34, linewidths=1.6, zorder=2)
    _batches_axis(axes, [_round_name(facts) for facts in rounds])
    axes.set_ylim(0, 1)
    axes.set_ylabel(f"{metric.key} of the model at work")
    if told:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3)
    return figure, f"{metric.key} of the model at work over {len(rounds)} rounds: {'; '.join(told)}."


@drawn
def effort(batches: Sequence[BatchFacts]) -> tuple[Figure, str]:
    """Reviewers' time by batch."""
    figure, axes = new_figure(2.4)
    seconds = [batch.reviewer_seconds for batch in batches]
    names = [formats.short_day(batch.batch) for batch in batches]
    unit, name = (60, "minutes") if max(seconds, default=0) >= 120 else (1, "seconds")
    axes.bar(
        range(len(batches)), [value / unit for value in seconds], width=0.6, color=PALETTE["after"], zorder=2
    )
    _batches_axis(axes, names)
    axes.set_ylabel(f"reviewers' {name}")
    told = ", ".join(f"{name} {formats.duration(value)}" for name, value in zip(names, seconds, strict=True))
    return figure, f"Reviewers' time by batch: {told}."


def _dots(rows: Sequence[tuple[str, Any, Any]], label: str, alt: str) -> tuple[Figure, str]:
    """One row per name: a square before, a circle after, lines for the intervals."""
    figure, axes = new_figure(0.75 + 0.36 * max(len(rows), 2))
    for place, (_, before, after) in enumerate(rows):
        for role, marker, shift, estimate in (("before", "s", -0.16, before), ("after", "o", 0.16, after)):
            if not estimate or estimate[0] is None:
                continue
            value, low, high = estimate
            y = place + shift
            if low is not None and high is not None:
                axes.plot([low, high], [y, y], color=PALETTE[role], linewidth=1.6, zorder=2, clip_on=False)
            axes.plot([value], [y], color=PALETTE[role], marker=marker, markersize=6, linestyle="none",
                      label=role, zorder=3, clip_on=False)  # fmt: skip
    axes.set_yticks(range(len(rows)), [_short(name) for name, _, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_xlabel(label)
    axes.grid(visible=False, axis="y")
    handles = {text: handle for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)}
    if len(handles) > 1:
        axes.legend(
            handles.values(), handles.keys(), loc="lower right", bbox_to_anchor=(1, 1), ncols=2,
            borderaxespad=0.1,
        )  # fmt: skip
    return figure, alt


def _batches_axis(axes: Axes, names: Sequence[str]) -> None:
    """Names below, as many as there is room for, and always the last."""
    step = max(1, -(-len(names) // 6))
    places = [place for place in range(len(names)) if (len(names) - 1 - place) % step == 0]
    axes.set_xticks(places, [_short(names[place]) for place in places])
    axes.set_xlim(-0.6, max(len(names) - 0.4, 0.6))
    axes.grid(visible=False, axis="x")


def _round_name(facts: Facts) -> str:
    return formats.short_day(facts.batches[-1].batch) if facts.batches else "first"


def _short(name: str, most: int = 18) -> str:
    name = " ".join(name.split())  # a name of many lines would leave no room for the figure
    return name if len(name) <= most else name[: most - 1] + "…"
