"""From which confidence on a model's labels are good enough, with how sure that is.

Takes a model's predictions on the validation sample, which people have labelled, and gives a ``Threshold``.
AWS takes the confidence at which the measured quality reaches the target. A few lucky images reach any
target, so here the lower end of an interval has to: exact (Clopper and Pearson) for the share of labels that
agree, a percentile bootstrap over images for the mean IoU.

Looking at many confidences and taking the best would be a lucky draw again. So the looks are ordered before
a label is looked at, by how many images they accept: from a quarter and from half of the sample on, one
twentieth more at a time, until the first look that fails (fixed-sequence testing, the two starts sharing the
5 %; Angelopoulos and others, "Learn then Test", 2021). With 95 % confidence no
threshold in use is below the target. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import lgamma, log, log1p

import numpy as np

_RISK = 0.05
_STARTS = (0.25, 0.5)
_STEP = 0.05
_RESAMPLES, _AT_ONCE = 2_000, 100
# A bootstrap of fewer images knows too little of the rare bad one.
_LEAST_IMAGES = 30

Floats = np.ndarray


@dataclass(frozen=True)
class Threshold:
    """``confidence`` from which labels are taken; None when no look had the evidence, so that people go on.

    ``quality`` is what was measured on the ``images`` of the validation sample that reach it, ``low`` the
    lower end of its one-sided interval; without a threshold they tell of the look that came nearest.
    """

    confidence: float | None
    target: float
    quality: float | None
    low: float | None
    images: int
    sample: int

    @property
    def sentence(self) -> str:
        """For the job's log."""
        if self.quality is None:
            return (
                f"the validation sample of {self.sample} is too small for any threshold, or the model finds "
                "nothing in most of it: people go on"
            )
        measured = (
            f"{self.quality:.3f} on the {self.images} of {self.sample} validation images that reach it, with "
            f"95 % confidence at least {self.low:.3f} (one-sided, over all looks)"
        )
        if self.confidence is None:
            return f"no threshold: the nearest had {measured}; {self.target:g} is wanted, so people go on"
        return f"confidence {self.confidence:.4f}: {measured}; {self.target:g} is wanted"


def of_classes(
    confidences: Sequence[float] | Floats, agrees: Sequence[bool] | Floats, target: float
) -> Threshold:
    """For images with one class each: ``agrees`` is whether the model says what people say."""
    right = np.asarray(agrees, float)

    def judge(chosen: Floats, risk: float) -> tuple[float, float]:
        count, good = len(chosen), int(right[chosen].sum())
        return good / count, lowest_share(good, count, risk)

    # With every one of them right, fewer cannot show the target.
    least = int(np.ceil(np.log(_RISK / len(_STARTS)) / np.log(target)))
    return _search(np.asarray(confidences, float), target, least, judge)


def of_boxes(
    confidences: Sequence[float] | Floats, overlaps: Floats, counts: Floats, target: float
) -> Threshold:
    """For images with boxes. ``overlaps`` and ``counts`` are (images, classes): the sum of the IoUs of a
    class's boxes, predicted and missed, and how many these are. The mean is one over boxes for each class,
    then one over classes, as documented.
    """

    def judge(chosen: Floats, risk: float) -> tuple[float, float]:
        sums, numbers = overlaps[chosen], counts[chosen]
        # Always the same chance: the same predictions give the same threshold after a kill.
        chance, even = np.random.default_rng(0), np.full(len(chosen), 1 / len(chosen))
        means = []
        for _ in range(0, _RESAMPLES, _AT_ONCE):
            weights = chance.multinomial(len(chosen), even, size=_AT_ONCE)
            means.append(_mean_iou(weights @ sums, weights @ numbers))
        (mean,) = _mean_iou(sums.sum(0)[None], numbers.sum(0)[None])
        return float(mean), float(np.quantile(np.concatenate(means), risk))

    return _search(np.asarray(confidences, float), target, _LEAST_IMAGES, judge)


def lowest_share(good: int, count: int, risk: float) -> float:
    """The lower end of the exact one-sided interval (Clopper and Pearson): the share at which ``good`` or
    more of ``count`` come about with the probability ``risk``.
    """
    if good == 0:
        return 0.0
    numbers = np.arange(good, count + 1)
    ways = np.array([lgamma(count + 1) - lgamma(k + 1) - lgamma(count - k + 1) for k in numbers])
    low, high = 0.0, 1.0
    for _ in range(60):
        share = (low + high) / 2
        tail = np.exp(ways + numbers * log(share) + (count - numbers) * log1p(-share)).sum()
        low, high = (share, high) if tail < risk else (low, share)
    return low


def _search(
    confidences: Floats, target: float, least: int, judge: Callable[[Floats, float], tuple[float, float]]
) -> Threshold:
    """The look that accepts the most images among those that the sequences reach."""
    sample = len(confidences)
    order = np.argsort(-confidences, kind="stable")
    found = Threshold(None, target, None, None, 0, sample)
    for start in _STARTS:
        for look in np.arange(start, 1 + _STEP / 2, _STEP):
            count = round(sample * look)
            if count < least:
                continue
            confidence = float(confidences[order[count - 1]])
            if confidence <= 0:
                break  # a model that knows nothing of an image does not label it, however good the others
            # Images that are equally sure are accepted together, whatever their order.
            chosen = np.flatnonzero(confidences >= confidence)
            quality, low = judge(chosen, _RISK / len(_STARTS))
            passed = low >= target
            taken = Threshold(confidence if passed else None, target, quality, low, len(chosen), sample)
            if _better(taken, found):
                found = taken
            if not passed:
                break
    return found


def _better(new: Threshold, old: Threshold) -> bool:
    if (new.confidence is None) != (old.confidence is None):
        return new.confidence is not None
    if new.confidence is not None:
        return new.images > old.images
    return old.low is None or (new.low or 0.0) > old.low


def _mean_iou(sums: Floats, counts: Floats) -> Floats:
    """(n, classes) to (n,): over the boxes of each class, then over the classes that have one; 1 where no
    image has any box and none was predicted.
    """
    there = counts > 0
    means = np.divide(sums, counts, out=np.zeros(sums.shape), where=there)
    classes = there.sum(1)
    return np.where(classes > 0, means.sum(1) / np.maximum(classes, 1), 1.0)
