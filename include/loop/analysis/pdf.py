"""All pictures on paper, sorted by score or by confidence: a title page, then five by five.

Takes ``Tables``, writes a PDF page by page. Where there are more images than ``MOST_IMAGES``, as many are
taken at even distances from the best to the worst, and the title page says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from include.loop.analysis import drawing
from include.loop.analysis.galleries import read_scene
from include.loop.analysis.summary import Summary
from include.loop.analysis.tables import Image, Progress, Tables
from include.loop.core.errors import ConfigurationError
from include.loop.core.storage import in_parallel
from include.loop.manifests.places import Connect

if TYPE_CHECKING:
    from pandas import DataFrame

SIDE = 5  # pictures beside and below each other
PER_PAGE = SIDE * SIDE
MOST_IMAGES = 1_000  # matplotlib keeps all pictures until the file is closed
_PIXELS = 220  # of a picture's longer side
_PAPER = (11.69, 8.27)  # A4 in inches
# The column of each order, and its name on paper.
ORDERS = {"mIoU": ("score", "score"), "confidence": ("confidence", "confidence")}


def write_pdf(
    tables: Tables,
    summary: Summary,
    order: str,
    file: IO[bytes],
    connect: Connect,
    progress: Progress | None = None,
) -> int:
    """Write the PDF to an open file; how many images are in it. ``order`` is one of ``ORDERS``.
    ConfigurationError where no image has such a number.
    """
    import matplotlib
    from matplotlib.backends.backend_pdf import PdfPages

    column, name = ORDERS[order]
    found = tables.labelled.dropna(subset=[column])
    if not len(found):
        raise ConfigurationError(
            f"{summary.manifest}: no image has a {name}, so that none can be sorted by it"
            + ("; --references names reference labels" if column == "score" else "")
        )
    found = found.sort_values([column, "line"], ascending=[False, True], kind="stable")
    chosen = found.iloc[np.unique(np.linspace(0, len(found) - 1, min(len(found), MOST_IMAGES)).astype(int))]
    done = 0
    # "$" in a file's name is a dollar, and no formula.
    with matplotlib.rc_context({"text.parse_math": False, "font.size": 7}), PdfPages(file) as pages:
        pages.savefig(_title(summary, name, found, len(chosen)))
        # The lines are read once more, in the order of the manifest, and kept without their pictures.
        images = {image.line: image for image in tables.reader.some({int(line) for line in chosen.line})}
        rows = iter(zip(chosen.line, chosen[column], strict=True))
        while part := list(islice(rows, PER_PAGE)):
            values = {int(line): float(value) for line, value in part}
            numbers = f"{done + 1:,} to {done + len(part):,} of {len(chosen):,}"
            pages.savefig(_page(values, images, connect, f"{name} {{}}: images {numbers}"))
            done += len(part)
            if progress:
                progress(done, len(chosen))
    return done


def _title(summary: Summary, name: str, found: DataFrame, shown: int) -> Any:
    column = found["score" if name == "score" else "confidence"]
    figure = _figure()
    lines = [f"by {name}, from {column.max():.3f} to {column.min():.3f}", f"{len(found):,} images"]
    if shown < len(found):
        lines.append(f"of which {shown:,} are shown, at even distances")
    if name == "score" and summary.measure:
        lines.append(summary.measure)
    lines += ["", "label: blue; reference: orange"]
    figure.text(0.5, 0.62, f"Labels of {_printed(summary.title, 60)}", ha="center", fontsize=22)
    figure.text(0.5, 0.58, "\n".join(lines), ha="center", va="top", fontsize=12)
    return figure


def _page(values: Mapping[int, float], images: Mapping[int, Image], connect: Connect, title: str) -> Any:
    figure = _figure()
    room = {"left": 0.02, "right": 0.98, "bottom": 0.02, "top": 0.91, "wspace": 0.05, "hspace": 0.2}
    axes: Sequence[Any] = figure.subplots(SIDE, SIDE, gridspec_kw=room).ravel()
    for one in axes:
        one.axis("off")

    def look(line: int) -> Any:
        image = images.get(line)
        scene = read_scene(image.source, connect, _PIXELS) if image else None
        if image is None or scene is None or image.label is None:
            return None
        return drawing.with_both(scene, image.label, image.reference)

    for one, (line, value), picture in zip(axes, values.items(), in_parallel(look, values), strict=False):
        image = images.get(line)
        one.set_title(f"{value:.3f}  {_printed(image.source.rpartition('/')[2] if image else '', 18)}")
        if picture is None:
            one.text(0.5, 0.5, "no picture", ha="center", va="center")
        else:
            one.imshow(np.asarray(picture))
    span = list(values.values())
    figure.suptitle(title.format(f"{span[0]:.3f} to {span[-1]:.3f}"), fontsize=11)
    return figure


def _figure() -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=_PAPER, dpi=100)


def _printed(text: str, most: int) -> str:
    """On one line that fits."""
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= most else text[: most - 1] + "…"
