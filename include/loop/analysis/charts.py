"""The figures of an analysis, in the manner of the report: inline SVG with a text that says the same.

Takes a ``Summary`` and ``Tables``, gives drawings. People are blue circles, the machine orange squares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from include.loop.analysis.statistics import BINS
from include.loop.analysis.summary import Summary
from include.loop.analysis.tables import Tables
from include.loop.core.identity import share
from include.loop.report.drawing import PALETTE, Drawing, drawn, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WHO = {"human": ("by people", "series-1", "o"), "machine": ("by machine", "series-2", "s")}
# Points of one figure: more take megabytes of SVG, and hide each other.
MOST_POINTS = 2_000
MOST_BARS = 40


def draw(summary: Summary, tables: Tables) -> dict[str, Drawing]:
    """Those for which there is something to draw, by name."""
    found: dict[str, Drawing] = {}
    if summary.measure and summary.groups["all"].images:
        # One bar, or a flat line, says no more than the number above it.
        if sum(map(bool, map(sum, zip(*summary.histograms.values(), strict=True)))) > 1:
            found["histogram"] = histogram(summary)
        if summary.told_line:
            found["confidence"] = confidence(summary, tables)
        if summary.told_surest:
            found["surest"] = surest(summary)
    if len(summary.by_boxes) > 1:
        found["boxes"] = boxes(summary)
        found["by_boxes"] = by_boxes(summary)
    if summary.human and summary.machine:
        found["costs"] = costs(summary)
    return found


@drawn
def histogram(summary: Summary) -> tuple[Figure, str]:
    """Images by score, people's and the machine's on each other."""
    figure, axes = new_figure(2.9)
    edges = np.linspace(0, 1, BINS + 1)
    below = np.zeros(BINS)
    told = []
    for who, (name, color, _) in WHO.items():
        counts = np.array(summary.histograms[who])
        if counts.any():
            axes.bar(
                edges[:-1], counts, width=1 / BINS, bottom=below, align="edge", color=PALETTE[color],
                edgecolor=PALETTE["grid"], linewidth=0.5, label=f"{name} ({counts.sum():,})", zorder=2,
            )  # fmt: skip
            below += counts
            low = int(counts[: BINS // 2].sum())
            told.append(f"{counts.sum():,} {name}, {low:,} of them below a half")
    axes.set_xlim(0, 1)
    axes.set_xlabel(_measure(summary))
    axes.set_ylabel("images")
    axes.legend(loc="upper left")
    return figure, f"Images by {_measure(summary)}: {'; '.join(told)}."


@drawn
def confidence(summary: Summary, tables: Tables) -> tuple[Figure, str]:
    """Each image's confidence and score, and the line of least squares."""
    figure, axes = new_figure(3.4)
    scored = tables.scored.dropna(subset=["confidence"])
    if len(scored) > MOST_POINTS:  # chosen by chance that is the same every time
        scored = scored[scored.line.map(lambda line: share("point", int(line))) < MOST_POINTS / len(scored)]
    human = scored.human.astype(bool)
    for part, (name, color, marker) in zip((human, ~human), WHO.values(), strict=True):
        if part.any():
            axes.scatter(
                scored[part].confidence, scored[part].score, s=12, marker=marker, alpha=0.6, linewidths=0,
                color=PALETTE[color], label=name, zorder=3,
            )  # fmt: skip
    line = summary.told_line
    assert line is not None  # noqa: S101 -- drawn for a line only
    ends = np.array([scored.confidence.min(), scored.confidence.max()])
    axes.plot(ends, line.start + line.slope * ends, color=PALETTE["ink"], linewidth=1.5, zorder=4)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("confidence of the image")
    axes.set_ylabel(_measure(summary))
    axes.legend(loc="lower right")
    return figure, (
        f"Confidence and score of {len(scored):,} images; score = {line.start:.3f} + {line.slope:.3f} × "
        f"confidence, r = {line.r:.2f}."
    )


@drawn
def surest(summary: Summary) -> tuple[Figure, str]:
    """The mean score of the surest part of the images."""
    figure, axes = new_figure(2.6)
    shares = [100 * item.share for item in summary.surest]
    means = [item.mean for item in summary.surest]
    axes.plot(shares, means, color=PALETTE["series-1"], marker="o", markersize=5, linewidth=1.8, zorder=3)
    axes.set_xticks(shares, [f"{value:.0f} %" for value in shares])
    axes.set_ylim(0, 1)
    axes.set_xlabel("surest part of the images")
    axes.set_ylabel("mean score")
    told = ", ".join(f"{value:.0f} %: {mean:.3f}" for value, mean in zip(shares, means, strict=True))
    return figure, f"Mean score of the surest images: {told}."


@drawn
def boxes(summary: Summary) -> tuple[Figure, str]:
    """Images by the number of their boxes."""
    figure, axes = new_figure(2.4)
    shown = summary.by_boxes[:MOST_BARS]
    axes.bar(
        [item.boxes for item in shown], [item.images for item in shown], color=PALETTE["series-1"], zorder=2
    )
    _whole_numbers(axes)
    axes.set_xlabel("boxes on an image")
    axes.set_ylabel("images")
    told = ", ".join(f"{item.boxes}: {item.images:,}" for item in shown)
    return figure, f"Images by number of boxes: {told}."


@drawn
def by_boxes(summary: Summary) -> tuple[Figure, str]:
    """Mean score and mean confidence of images with so many boxes."""
    figure, axes = new_figure(2.6)
    shown = summary.by_boxes[:MOST_BARS]
    told = []
    for name, color, marker in (("mean", "series-1", "o"), ("confidence", "series-3", "D")):
        points = [(item.boxes, value) for item in shown if (value := getattr(item, name)) is not None]
        if points:
            label = "mean score" if name == "mean" else "mean confidence"
            x, y = zip(*points, strict=True)
            axes.plot(x, y, color=PALETTE[color], marker=marker, markersize=5, linewidth=1.5, label=label)
            told.append(f"{label} {', '.join(f'{a}: {b:.2f}' for a, b in points)}")
    axes.set_ylim(0, 1.03)
    _whole_numbers(axes)
    axes.set_xlabel("boxes on an image")
    if told:
        axes.legend(loc="best")
    return figure, f"By number of boxes: {'; '.join(told) or 'nothing is known'}."


@drawn
def costs(summary: Summary) -> tuple[Figure, str]:
    """What people and the machine have cost."""
    values = {"people": summary.costs.people, "machine": summary.costs.machine}
    figure, axes = new_figure(1.4)
    axes.barh(range(2), list(values.values()), color=PALETTE["series-1"], height=0.6, zorder=2)
    axes.set_yticks(range(2), list(values))
    axes.set_ylim(1.5, -0.5)
    axes.set_xlabel("dollars")
    axes.grid(visible=False, axis="y")
    return figure, f"Dollars: {', '.join(f'{name} {value:,.2f}' for name, value in values.items())}."


def _whole_numbers(axes: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _measure(summary: Summary) -> str:
    return summary.measure or "score"
