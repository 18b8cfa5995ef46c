"""What a batch says of the model that was at work on it: its audited images, judged by people's labels, and
how its images look to the model.

Nothing here is the only copy of anything: it is summed up from labels, predictions and triage.
"""

from __future__ import annotations

from pydantic import Field

from include.loop.core import layout
from include.loop.core.records.base import Part, Record


class Tally(Part):
    """Sums over audited images that have a label: how many ``images``, and how many of them are ``right`` as
    a whole; the things that are ``true`` by the label, of these the ``found`` ones, and all that the model
    ``said`` at work; then the sums of their squares and products, which say how unlike the images are.
    """

    images: int = 0
    right: int = 0
    true: int = 0
    found: int = 0
    said: int = 0
    true_true: int = 0
    found_found: int = 0
    said_said: int = 0
    true_found: int = 0
    said_found: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(**{name: getattr(self, name) + getattr(other, name) for name in type(self).model_fields})


class AuditedBatch(Part):
    """The audits of one batch, as far as one shard of labels has them. ``model`` is the training job of the
    champion that predicted; of its ``images`` with a prediction so many were ``drawn`` by lot that can be
    asked about, each with the chance ``share`` (None where triage did not note it), and of these so many were
    ``asked``. Of a batch whose answers came late, ``images``, ``drawn`` and ``asked`` are in the record of
    its own shard alone, and 0 elsewhere.
    """

    batch: str
    model: str
    images: int = 0
    drawn: int = 0
    asked: int = 0
    share: float | None = None
    tally: Tally = Tally()


class LiveQuality(Record):
    """What the labels of one shard say of the models at work, by batch: its own, and earlier ones whose
    answers came late. ``threshold`` is the score that counted.
    """

    LOCATION = staticmethod(layout.live_file)

    batch: str
    threshold: float
    audited: tuple[AuditedBatch, ...] = Field(default=())


class Moved(Part):
    """One ``signal`` of a batch that has moved from the batches before it: how far (``index``, a population
    stability index less what chance alone gives), how far the farthest of ``batches`` before was from the
    others (``usual``), and the batch ``since`` which it has moved without a break.
    """

    signal: str
    index: float
    usual: float
    batches: int
    since: str


class Appearance(Record):
    """How a batch looks to ``model``, the champion that predicted: counts of images by what the ``signals``
    tell of them, and which of them have ``moved``. ``scores``: by the best score, in ten equal bins from 0 to
    1. ``classes``: by the class of the best score, and last those on which nothing is said. ``objects``: by
    how many answers people are shown, 0 to 9 and more.
    """

    LOCATION = staticmethod(layout.appearance_file)

    batch: str
    model: str
    images: int
    signals: dict[str, tuple[int, ...]] = Field(default={})
    moved: tuple[Moved, ...] = ()
