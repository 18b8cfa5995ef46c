"""The figure of a training: what its log tells of every epoch.

Takes the epochs with their values by name, gives a drawing with an alternative text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from include.loop.report import formats
from include.loop.report.drawing import PALETTE, drawn, new_figure
from include.loop.tasks.measuring import Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@drawn
def by_epoch(epochs: Sequence[Mapping[str, int | float | None]], metric: Metric) -> tuple[Figure, str]:
    """The validation score by epoch, with that on the training images where it is told, and below it the
    losses: what the log tells of them under any name.
    """
    names = dict.fromkeys(name for epoch in epochs for name in epoch if name != "epoch")
    score = next((name for name in names if name.startswith("validation")), "validation")
    measure = score.removeprefix("validation").strip("_")
    # The training watches a number of its own, which need not be the one that the gate decides by.
    label = metric.label if measure.lower() in {"", metric.label.lower()} else measure.replace("_", " ")
    learned = f"train_{measure}" if f"train_{measure}" in names else None
    losses = [name for name in names if not name.startswith("validation") and name != learned]
    figure, panels = new_figure(3.9 if losses else 2.4, rows=2 if losses else 1)
    above = panels[0] if losses else panels
    if learned:
        _line(above, epochs, learned, "before", "s", "training")
    _line(above, epochs, score, "after", "o", "validation")
    above.set_ylabel(label if learned else f"validation {label}")
    above.set_ylim(0, 1)
    if len(above.lines) > 1:
        above.legend(loc="lower right")
    if losses:
        for place, (name, marker) in enumerate(zip(losses, "sD^v", strict=False)):
            _line(panels[1], epochs, name, f"series-{place + 2}", marker, name.replace("_", " "))
        panels[1].set_ylabel("training loss")
        panels[1].set_ylim(bottom=0)
        if panels[1].lines:
            panels[1].legend(loc="upper right")
    (panels[1] if losses else above).set_xlabel("epoch")
    told = ""
    if known := _told(epochs, score):
        epoch, best = max(known, key=lambda item: item[1])
        told = f"; best validation {label} {formats.score(best)} in epoch {epoch:g}"
    return figure, f"Training over {len(epochs)} epochs{told}."


def _line(
    axes: Axes,
    epochs: Sequence[Mapping[str, int | float | None]],
    name: str,
    role: str,
    marker: str,
    label: str,
) -> None:
    if known := _told(epochs, name):
        x, y = zip(*known, strict=True)
        axes.plot(
            x, y, color=PALETTE[role], marker=marker, markersize=4, linewidth=1.6, label=label, clip_on=False
        )


def _told(epochs: Sequence[Mapping[str, int | float | None]], name: str) -> list[tuple[float, float]]:
    """Epoch (from 1) and value where there is one."""
    pairs = ((epoch.get("epoch"), epoch.get(name)) for epoch in epochs)
    return [(number + 1, value) for number, value in pairs if number is not None and value is not None]
