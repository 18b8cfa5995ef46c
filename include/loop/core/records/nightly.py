"""What a batch leaves on its way: pinned images, predictions, questions, claims on their bytes, labels."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import Field

from include.loop.core import layout
from include.loop.core.records.base import Line, Part, Record


class PinnedImage(Part):
    """One version of one image: S3 URI, ETag without quotes, size in bytes."""

    uri: str
    etag: str
    size: int


class RejectedObject(Part):
    """An object below the batch's prefix that cannot be an image, and why."""

    uri: str
    reason: str


class PinnedModel(Part):
    """The model that predicts on a batch: that of its day, also when there is a newer one."""

    training_job: str
    model_data: str


class BatchPart(Part):
    """Some of the objects of a batch, in the order of their keys: the location of their table, how many are
    images and how many are not, and the URIs of the first and the last image (empty without one).
    """

    location: str
    images: int
    rejected: int = 0
    first: str = ""
    last: str = ""


class Batch(Record):
    """The images of a date, listed once. ``prefix`` is the S3 URI that all images start with; ``backfill``
    says that a backfill ran it, so that a person decides about what is learned from it. Version 1 had
    ``images`` and ``rejected`` in itself, and no parts.
    """

    LOCATION = staticmethod(layout.batch_file)
    VERSION: ClassVar[int] = 2

    batch: str
    prefix: str
    parts: tuple[BatchPart, ...] = ()
    champion: PinnedModel | None = None
    backfill: bool = False  # the first batches do not say
    images: tuple[PinnedImage, ...] = ()
    rejected: tuple[RejectedObject, ...] = ()

    @property
    def image_count(self) -> int:
        return len(self.images) + sum(part.images for part in self.parts)

    @property
    def rejected_count(self) -> int:
        return len(self.rejected) + sum(part.rejected for part in self.parts)


class Epochs(Record):
    """The runs that forced a date anew, in order: the first one's batch is ``<date>.1``."""

    LOCATION = staticmethod(layout.epochs_file)
    VERSION: ClassVar[int] = 2

    runs: tuple[str, ...] = ()

    @classmethod
    def from_value(cls, value: Any) -> Self:
        """Version 1 was the bare list."""
        return super().from_value({"runs": value} if isinstance(value, list) else value)


class Predictions(Record):
    """How many images of a batch have an output, and how many have none; which ones is in the tables of its
    ``parts``. Version 1 had none of these, and all ``outputs`` in itself, with the images that are
    ``missing`` and why some were ``refused``.
    """

    LOCATION = staticmethod(layout.predictions_file)
    VERSION: ClassVar[int] = 2

    champion: str | None
    parts: int = 0
    predicted: int = 0
    unpredicted: int = 0
    jobs: tuple[str, ...] = ()
    outputs: dict[str, str] = Field(default={})
    missing: tuple[str, ...] = ()
    refused: dict[str, str] = Field(default={})  # the first batches sent everything

    @classmethod
    def upgrade(cls, value: dict[str, Any], version: int) -> dict[str, Any]:
        if version < 2:
            counts = {"predicted": "outputs", "unpredicted": "missing"}
            value |= {name: len(value.get(those, ())) for name, those in counts.items()}
        return value


class Question(Line):
    """One image and the loop that asks about it; ``input`` is the loop's InputContent, width and height are
    pixels. The first questions do not know the ``sha256`` of the image. ``prelabels`` says whose answer
    people began with, ``training-job/NAME`` or ``endpoint/NAME``; None where they began with nothing, and in
    questions of earlier versions.
    """

    LOCATION = staticmethod(layout.questions_file)

    loop: str
    image: str
    etag: str
    width: int
    height: int
    input: dict[str, Any]
    sha256: str | None = None
    prelabels: str | None = None


class EndpointPrelabels(Part):
    """What an endpoint that is not the pipeline's answered for a batch without a champion: of how many images
    it gave an answer, how many are ``missing``, and the most frequent reasons with their numbers.
    """

    endpoint: str
    images: int
    missing: int = 0
    reasons: tuple[tuple[str, int], ...] = ()


class QuestionsHeader(Record):
    """The commit mark of a batch's questions: how many, of which images nobody can be asked and why, by
    set-aside batch the loops that ask about its images again, and what a named endpoint said beforehand.
    """

    LOCATION = staticmethod(layout.questions_header)

    flow_definition_arn: str
    asked: int
    unreadable: dict[str, str] = Field(default={})
    again: dict[str, tuple[str, ...]] = Field(default={})
    prelabels: EndpointPrelabels | None = None


class Started(Record):
    """When asking began, and until when answers are waited for; times are ISO 8601 in UTC."""

    LOCATION = staticmethod(layout.started_file)

    flow_definition_arn: str
    asked: int
    started_at: str
    created_after: str
    deadline: str


class _Reasons(Record):
    """Version 1 was the reasons alone."""

    VERSION: ClassVar[int] = 2

    reasons: dict[str, str]

    @classmethod
    def upgrade(cls, value: dict[str, Any], version: int) -> dict[str, Any]:
        return {"reasons": value} if version < 2 else value


class RefusedQuestions(_Reasons):
    """By loop, why the review plane will never take a question."""

    LOCATION = staticmethod(layout.refused_file)


class RefusedImages(_Reasons):
    """By image, why it is not sent to a transform job: no job can predict it."""

    LOCATION = staticmethod(layout.transform_refused)


class Claim(Record):
    """The question that holds some bytes: its batch, its image in the version that is asked about, its loop;
    ``at`` is when it was claimed (UTC), ``ended`` why it is let go.
    """

    LOCATION = staticmethod(layout.content_file)

    batch: str
    image: str
    etag: str
    loop: str
    at: str
    ended: str | None = None

    @property
    def told(self) -> str:
        return f"same bytes as {self.image}, asked in batch {self.batch} ({self.loop})"


class AskedAgain(Record):
    """Which batch has asked about images of a set-aside batch again, and by which loops."""

    LOCATION = staticmethod(layout.again_file)

    batch: str
    loops: tuple[str, ...]


class AnswerTimes(Part):
    """What a batch's answers took, as sums over those whose seconds were measured, of images that a model had
    seen: how many, of x (the objects that it had shown to people) and y (seconds), and of their products.
    """

    answers: int = 0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    xy: float = 0.0
    yy: float = 0.0


class LabelSummary(Record):
    """The commit mark of a batch's labels, with their counts. ``copies`` are further images with the bytes of
    a labelled one; ``open_loops`` are left to a later batch, ``late_loops`` (batch and loop) taken from
    earlier ones. Earlier versions took "no majority" for "nothing there", and asked about every copy.
    """

    LOCATION = staticmethod(layout.summary_file)

    batch: str
    labels: int
    asked: int = 0
    copies: int = 0
    negatives: int = 0
    disagreed: int = 0
    answers: int = 0
    quarantined: int = 0
    reviewer_seconds: float = 0.0
    times: AnswerTimes = AnswerTimes()  # earlier versions did not know them
    open_loops: tuple[str, ...] = ()
    late_loops: tuple[tuple[str, str], ...] = ()


class Quarantined(Line):
    """One record that became no label: where it was met (batch, predict, ask, answer) and why; ``said`` is
    what each worker answered, where they disagree.
    """

    LOCATION = staticmethod(layout.quarantine_file)

    stage: str
    image: str
    reason: str
    batch: str
    loop: str | None = None
    worker: str | None = None
    said: dict[str, list[str]] | None = None
