"""ROC and precision-recall curves of both models, all classes together and class by class.

Takes a slice that has curves, gives drawings; nothing of one that has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.loop.core.records.facts import SliceFacts
from include.loop.core.records.metrics import Curve, ModelScores, Point
from include.loop.report import formats
from include.loop.report.drawing import PALETTE, WIDTH, Drawing, drawn, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 3


@dataclass(frozen=True)
class Kind:
    """``area`` is the name of the area below it, with the classes' numbers; ``x`` and ``y`` are its axes."""

    title: str
    area: str
    x: str
    y: str

    def points(self, curve: Curve) -> tuple[Point, ...]:
        return curve.roc if self is ROC else curve.pr


ROC = Kind("ROC curve", "AUROC", "false positive rate", "true positive rate")
PR = Kind("Precision-recall curve", "AUPRC", "recall", "precision")


def together(item: SliceFacts) -> Iterator[Drawing]:
    """Both curves of all classes together."""
    if any(_curves(item, "")):
        yield from (_together(item, kind) for kind in (ROC, PR))


def by_class(item: SliceFacts) -> Iterator[Drawing]:
    """Both curves of each class, small."""
    if names := [curve.name for curve in item.challenger.curves if curve.name]:
        yield from (_by_class(item, names, kind) for kind in (ROC, PR))


@drawn
def _together(item: SliceFacts, kind: Kind) -> tuple[Figure, str]:
    figure, axes = new_figure(3.6)
    told = []
    for (role, style), (model, curve) in zip(_ROLES, _both(item, ""), strict=True):
        if model and curve:
            area = formats.score(model.more.get(f"micro {kind.area}"))
            told.append(f"{role} {area}" if item.champion else area)
            _draw(axes, kind, curve, role, style, told[-1])
    _finish(axes, kind)
    axes.set_xlabel(kind.x)
    axes.set_ylabel(kind.y)
    axes.legend(loc="lower right" if kind is ROC else "lower left")
    return figure, (
        f"{kind.title} of all classes together on {item.name}; area below it (micro {kind.area}): "
        f"{', '.join(told)}."
    )


@drawn
def _by_class(item: SliceFacts, names: list[str], kind: Kind) -> tuple[Figure, str]:
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(WIDTH, 0.4 + rows * (WIDTH / columns + 0.25)), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    told = []
    for axes, name in zip(grid, names, strict=False):
        areas = []
        for (role, style), (model, curve) in zip(_ROLES, _both(item, name), strict=True):
            if model and curve:
                _draw(axes, kind, curve, role, style, role)
                areas.append(formats.score(model.classes[name].more.get(kind.area)))
        _finish(axes, kind)
        axes.set_title(f"{_short(name)}\n{' → '.join(areas)}", fontsize=9)
        told.append(f"{name} {' to '.join(areas)}")
    for axes in grid[len(names) :]:
        axes.set_visible(False)
    figure.supxlabel(kind.x, fontsize=10)
    figure.supylabel(kind.y, fontsize=10)
    return figure, f"{kind.title} by class on {item.name}; {kind.area}: {'; '.join(told)}."


_ROLES = (("before", (0, (4, 2))), ("after", "solid"))  # a dashed line is told apart without its colour


def _both(item: SliceFacts, name: str) -> Iterator[tuple[ModelScores | None, Curve | None]]:
    """Champion and challenger, each with its curve of this name."""
    return zip((item.champion, item.challenger), _curves(item, name), strict=True)


def _curves(item: SliceFacts, name: str) -> list[Curve | None]:
    models = (item.champion, item.challenger)
    return [
        next((curve for curve in model.curves if curve.name == name), None) if model else None
        for model in models
    ]


def _draw(axes: Any, kind: Kind, curve: Curve, role: str, style: Any, label: str) -> None:
    x, y = zip(*kind.points(curve), strict=True)
    # Precision between two points is not on the straight line between them.
    steps = "default" if kind is ROC else "steps-pre"
    axes.plot(
        x, y, drawstyle=steps, color=PALETTE[role], linestyle=style, linewidth=1.8, label=label,
        clip_on=False, zorder=3,
    )  # fmt: skip


def _finish(axes: Any, kind: Kind) -> None:
    if kind is ROC:
        axes.plot([0, 1], [0, 1], color=PALETTE["muted"], linewidth=1, linestyle=(0, (1, 3)))
    axes.grid(visible=True, color=PALETTE["grid"], linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _short(name: str, most: int = 16) -> str:
    name = " ".join(name.split())
    return name if len(name) <= most else name[: most - 1] + "…"
