"""The manner in which the report draws: inline SVG that is readable in light, in dark, on paper and unseen.

Takes matplotlib ``Figure`` objects, gives SVG elements with an alternative text. Nothing of pyplot and its
global state is used. Every colour stands for a role and becomes a CSS variable of the page, so that one
drawing serves both themes; the palette is told apart by the colour-blind.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")

# Role: its colour by day. The style sheet has the same names, and their colours by night.
PALETTE = {
    "ink": "#1f2a33",
    "muted": "#5b6873",
    "grid": "#d9dfe4",
    "before": "#8a949d",
    "after": "#1d6f94",
    "wrong": "#b5472a",
    "series-1": "#1d6f95",
    "series-2": "#a8720a",
    "series-3": "#6c4f9e",
    "series-4": "#2f7d62",
    "series-5": "#b5472b",
    "series-6": "#5b6874",
}
WIDTH = 4.9  # inches of 72 units: about the width of a phone, so that text keeps its size there


@dataclass(frozen=True)
class Drawing:
    """``svg`` is safe to put into the page; ``alt`` says in words what it shows."""

    svg: Markup
    alt: str


def drawn(draw: Callable[P, tuple[Figure, str]]) -> Callable[P, Drawing]:
    """Make a drawing of what a function draws and says, in the report's style."""

    @wraps(draw)
    def make(*args: P.args, **kwargs: P.kwargs) -> Drawing:
        import matplotlib

        with matplotlib.rc_context(_style()), warnings.catch_warnings():
            # Text is measured in matplotlib's font and shown in the reader's, which may know more letters.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            figure, alt = draw(*args, **kwargs)
            stream = io.StringIO()
            # A salt of its own, so that what one figure defines is not what another refers to.
            matplotlib.rcParams["svg.hashsalt"] = alt
            figure.savefig(stream, format="svg", metadata={"Date": None})
        return Drawing(_inline(stream.getvalue(), alt), alt)

    return make


def new_figure(height: float, rows: int = 1) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots(rows, 1, sharex=rows > 1)
    for one in axes if rows > 1 else [axes]:
        one.grid(visible=True, color=PALETTE["grid"], linewidth=0.8)
        one.set_axisbelow(True)
        for side in ("top", "right"):
            one.spines[side].set_visible(False)
    return figure, axes


def _style() -> Any:
    ink, muted = PALETTE["ink"], PALETTE["muted"]
    return {
        "svg.fonttype": "none",  # text stays text: it can be searched, and takes the page's font
        "text.parse_math": False,  # "$" in a class name is a dollar
        "font.size": 10.5,
        "axes.labelsize": 10.5,
        "xtick.labelsize": 10,
        "ytick.labelsize": 10,
        "legend.fontsize": 10,
        "legend.frameon": False,
        "legend.labelcolor": ink,
        "text.color": ink,
        "axes.labelcolor": ink,
        "axes.edgecolor": muted,
        "xtick.color": muted,
        "ytick.color": muted,
        "xtick.labelcolor": ink,
        "ytick.labelcolor": ink,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
    }


def _inline(svg: str, alt: str) -> Markup:
    """An SVG document as an element of the page: one image to a screen reader, its colours the page's."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Its own style sheet would apply to the whole page, its ids would be those of the next figure, too.
    svg = re.sub(r"<defs>\s*<style[^>]*>[^<]*</style>\s*</defs>", "", svg)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    for role, color in PALETTE.items():
        svg = svg.replace(color, f"var(--{role})")
    size = re.search(r'viewBox="[^"]*"', svg)
    tag = f'<svg {size[0] if size else ""} role="img" aria-label="{escape(alt)}">'
    return Markup(re.sub(r"<svg[^>]*>", lambda _: tag, svg, count=1))  # noqa: S704 -- matplotlib escapes text
