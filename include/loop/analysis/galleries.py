"""The pictures of an analysis: the worst and the best, the surest, and others by chance of either annotator.

Takes ``Tables``, gives pictures with their boxes as data URIs: what each worker said, what the label says,
what is true. The lines that are shown are read once more, and no picture is kept. A picture that cannot be
read is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from include.loop.analysis import drawing
from include.loop.analysis.tables import Image, Tables
from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.identity import share
from include.loop.core.storage import MOST_BYTES, in_parallel
from include.loop.manifests.places import Connect, is_in_s3
from include.loop.report.pictures import Seen, data_uri, scene_of

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

EXTREMES, SUREST, BY_CHANCE = 6, 5, 5
SIDE = 320  # pixels of the longer side
# A bucket that is gone or not ours included: labels can be judged without their pictures.
_UNREADABLE = (BadRecord, ConfigurationError, OSError, ValueError, BotoCoreError, ClientError)


@dataclass(frozen=True)
class Row:
    """One image in its views."""

    caption: str
    views: tuple[Seen, ...]


def choose(tables: Tables) -> dict[str, list[int]]:
    """The lines of each gallery, by its title; only galleries that have some. What is chosen by chance is not
    shown in another one.
    """
    # Of equal scores the image on which there is more to see comes first.
    seen = tables.scored.assign(seen=tables.scored.boxes + tables.scored.true_boxes.fillna(0))
    worst = seen.sort_values(["score", "seen", "line"], ascending=[True, False, True], kind="stable")
    best = seen.sort_values(["score", "seen", "line"], ascending=[False, False, True], kind="stable")
    sure = tables.labelled.dropna(subset=["confidence"])
    sure = sure.sort_values(["confidence", "line"], ascending=[False, True], kind="stable")
    labelled = tables.labelled
    human = labelled.human.astype(bool)
    highest = [int(line) for line in best.line[: min(EXTREMES, (len(seen) + 1) // 2)]]
    lowest = [line for line in map(int, worst.line[: 2 * EXTREMES]) if line not in highest][:EXTREMES]
    surest = [int(line) for line in sure.line[:SUREST]] if sure.confidence.nunique() > 1 else []
    others = ~labelled.line.isin({*highest, *lowest, *surest})
    found = {
        "Worst": lowest,
        "Best": highest,
        "Surest": surest,
        "By people, chosen by chance": _by_chance(labelled[human & others].line),
        "By machine, chosen by chance": _by_chance(labelled[~human & others].line),
    }
    return {title: lines for title, lines in found.items() if lines}


def draw(tables: Tables, connect: Connect) -> tuple[dict[str, list[Row]], int]:
    """The galleries that have a picture which can be shown, and how many pictures cannot be."""
    chosen = choose(tables)
    lines = {line for each in chosen.values() for line in each}
    rows: dict[int, Row] = {}
    scores = tables.images[tables.images.line.isin(lines)].set_index("line")

    def look(image: Image) -> tuple[int, Row | None]:
        return image.line, _row(image, connect, scores.score.get(image.line))

    for line, row in in_parallel(look, tables.reader.some(lines)):
        if row:
            rows[line] = row
    found = {title: [rows[line] for line in each if line in rows] for title, each in chosen.items()}
    return {title: each for title, each in found.items() if each}, len(lines) - len(rows)


def read_scene(source: str, connect: Connect, side: int) -> Picture | None:
    """The picture of a line, with this longer side; None where it is in no bucket or cannot be read."""
    if not is_in_s3(source):
        return None
    try:
        return scene_of(connect().read(source, most=MOST_BYTES), side)
    except _UNREADABLE:
        return None


def _row(image: Image, connect: Connect, score: float | None) -> Row | None:
    scene = read_scene(image.source, connect, SIDE)
    if scene is None or image.label is None:
        return None
    name = image.source.rpartition("/")[2]
    views = [Seen(told, data_uri(picture), f"{name}: {told}") for told, picture in _views(image, scene)]
    parts = [f"line {image.line}, {name}"]
    if score is not None and score == score:
        parts.append(f"score {score:.3f}")
    if image.label.confidence is not None:
        parts.append(f"confidence {image.label.confidence:.2f}")
    return Row("; ".join(parts), tuple(views))


def _views(image: Image, scene: Picture) -> Iterator[tuple[str, Picture]]:
    if image.answers:
        told = f"{len(image.answers)} workers"
        yield told, drawing.with_answers(scene, [answer.label for answer in image.answers])
    if image.label:
        yield "label", drawing.with_label(scene, image.label)
    if image.reference:
        yield "reference", drawing.with_reference(scene, image.reference)


def _by_chance(lines: Iterator[float]) -> list[int]:
    return sorted((int(line) for line in lines), key=lambda line: share("gallery", line))[:BY_CHANCE]
