"""How good the model at work is, from its audited images: recall, precision, accuracy, each with an interval.

Takes the audits of some batches, gives ``Quality``. An audited image is drawn by a throw of the dice that
knows nothing of the model, so each stands for as many images as there are for one draw (Horvitz and Thompson
1952), and a share of sums over them is right on average however doubtful images are chosen beside them. Its
variance is that of a ratio under such draws, linearised by image (Särndal, Swensson and Wretman, Model
Assisted Survey Sampling, 1992, 5.5 and 3.2): the objects of one image count together, and every night is in
the sample, so that nights that differ add nothing. The interval is Wilson's with the effective number that
this variance says, and Student's t: at no or few mistakes the usual one would be far too short. How often it
holds is measured by ``python -m benchmarks.live``. Pure.

mAP is none of these: it is no share of sums over images, and of a few dozen images its own value is biased.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from include.loop.core.identity import batch_date
from include.loop.core.records.live import AuditedBatch, Tally
from include.loop.tasks.measuring import Outcomes

CONFIDENCE = 0.95
# Of fewer audited images nothing is said but how many there are.
LEAST = 30


@dataclass(frozen=True)
class Share:
    """A share from 0 to 1 and the bounds of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Quality:
    """How good the ``models`` at work were on so many ``batches`` with audits: ``audited`` images of
    ``asked`` ones, out of ``images``. A share is None with fewer than ``LEAST`` audited images, and where
    there is nothing to take it of.
    """

    batches: int
    images: int
    asked: int
    audited: int
    models: tuple[str, ...]
    recall: Share | None
    precision: Share | None
    accuracy: Share | None


def tally(outcomes: Outcomes) -> Tally:
    """The sums over some images."""
    true, found, said = outcomes.true, outcomes.found, outcomes.said
    return Tally(
        images=len(true),
        right=int(outcomes.right.sum()),
        true=int(true.sum()),
        found=int(found.sum()),
        said=int(said.sum()),
        true_true=int(true @ true),
        found_found=int(found @ found),
        said_said=int(said @ said),
        true_found=int(true @ found),
        said_found=int(said @ found),
    )


def weeks(audited: Iterable[AuditedBatch]) -> dict[str, Quality]:
    """Quality by ISO week of the batches' dates, ``2026-W45``, the oldest first; weeks with audits only."""
    by_week: dict[str, list[AuditedBatch]] = {}
    for item in (one for one in merged(audited) if one.drawn):
        year, week, _ = batch_date(item.batch).isocalendar()
        by_week.setdefault(f"{year}-W{week:02}", []).append(item)
    return {week: estimate(by_week[week]) for week in sorted(by_week)}


def merged(audited: Iterable[AuditedBatch]) -> list[AuditedBatch]:
    """Each batch once, with what several shards of labels say of it, in order."""
    found: dict[str, AuditedBatch] = {}
    for item in audited:
        if item.batch in found:
            first = found[item.batch]
            item = item.model_copy(
                update={
                    "images": first.images + item.images,
                    "drawn": first.drawn + item.drawn,
                    "asked": first.asked + item.asked,
                    "share": item.share if first.share is None else first.share,
                    "tally": first.tally + item.tally,
                }
            )
        found[item.batch] = item
    return [found[batch] for batch in sorted(found)]


def estimate(audited: Iterable[AuditedBatch]) -> Quality:
    """Of batches that are there once each."""
    told = [item for item in audited if item.drawn]  # the labels of the others are discarded
    answered = [item for item in told if item.tally.images]
    count = sum(item.tally.images for item in answered)

    def share(x: str, y: str, xx: str, xy: str, yy: str) -> Share | None:
        sums = [[getattr(item.tally, name) for name in (x, y, xx, xy, yy)] for item in answered]
        return _ratio(sums, [chance(item) for item in answered], count) if count >= LEAST else None

    return Quality(
        batches=len(told),
        images=sum(item.images for item in told),
        asked=sum(item.asked for item in told),
        audited=count,
        models=tuple(sorted({item.model for item in told})),
        recall=share("true", "found", "true_true", "true_found", "found_found"),
        precision=share("said", "found", "said_said", "said_found", "found_found"),
        accuracy=share("images", "right", "images", "right", "right"),
    )


def chance(item: AuditedBatch) -> float:
    """The chance that an image of the batch was drawn and has a label: what nobody was asked about (the cap
    cuts at random), and what has no label, is taken for missing by chance.
    """
    # A share of 0, of which nothing is drawn, was set after the dice were thrown.
    drawn = item.share or item.drawn / item.images
    return min(drawn * item.tally.images / item.drawn, 1.0)


def _ratio(sums: Sequence[Sequence[int]], chances: Sequence[float], images: int) -> Share | None:
    """Of so many audited ``images``: y by x and its interval, from the sums of x, y, xx, xy and yy of every
    batch. None where there is nothing of x.
    """
    drawn = [1.0 / chance for chance in chances]
    whole = sum(w * x for w, (x, *_) in zip(drawn, sums, strict=True))
    if not whole:
        return None
    value = sum(w * y for w, (_, y, *_) in zip(drawn, sums, strict=True)) / whole
    spread = sum(
        w * w * (1 - 1 / w) * (yy - 2 * value * xy + value * value * xx)
        for w, (_, _, xx, xy, yy) in zip(drawn, sums, strict=True)
    )
    variance = max(spread, 0.0) / whole**2 * images / (images - 1)
    things, squares = sum(x for x, *_ in sums), sum(xx for _, _, xx, *_ in sums)
    # Nothing varies where all is right or all is wrong: there each image counts once, as if its objects were
    # always found or missed together.
    plain = value * (1 - value)
    number = min(plain / variance, things) if variance > 0 else things * things / squares
    return Share(value, *_wilson(value, number, images - 1))


def _wilson(value: float, number: float, freedom: int) -> tuple[float, float]:
    """Wilson's interval of a share of so many, with Student's t for the normal quantile."""
    from scipy.special import stdtrit

    t = float(stdtrit(freedom, (1 + CONFIDENCE) / 2))
    centre = value + t * t / (2 * number)
    half = t * math.sqrt(value * (1 - value) / number + t * t / (4 * number * number))
    scale = 1 + t * t / number
    return max((centre - half) / scale, 0.0), min((centre + half) / scale, 1.0)
