"""The colours and the letters with which tasks draw on pictures: told apart by the colour-blind."""

from __future__ import annotations

from typing import Any

RIGHT, WRONG, LABEL, DARK = "#4cb2e1", "#f2803f", "#ffffff", "#14202a"
TEXT_SIZE = 19  # half of it is left where two pictures stand side by side
MOST_LETTERS = 24


def short(text: str) -> str:
    """On one line, and no longer than there is room for."""
    text = " ".join(text.split())
    return text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1] + "…"


def font() -> Any:
    """matplotlib's DejaVu Sans: it knows most alphabets that class names are written in."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", TEXT_SIZE)
