"""evaluations/<job>/outputs-<hash>.json: what a model has predicted for one list of images."""

from __future__ import annotations

from typing import ClassVar

from include.loop.core import layout
from include.loop.core.records.base import Location, Part, Record
from include.loop.core.storage import Storage


class OutputRow(Part):
    """One image, as it was when it was predicted, and where its ``.out`` lies; without one ``why`` says why,
    where that was found out.
    """

    image: str
    etag: str
    out: str | None = None
    why: str | None = None


class EvaluationOutputs(Record):
    """``job`` is the transform job, with its seconds over so many images; None where none was needed."""

    LOCATION: ClassVar[Location] = staticmethod(layout.outputs_file)

    job: str | None = None
    seconds: float | None = None
    images: int = 0
    outputs: tuple[OutputRow, ...]

    @classmethod
    def read_all(cls, storage: Storage, training_job: str) -> list[EvaluationOutputs]:
        """Of all evaluations that this model took part in."""
        listed = storage.list(layout.outputs_files(training_job))
        return [item for place in listed if (item := cls.find_at(storage, place.uri))]


def outputs_by_image(storage: Storage, training_job: str) -> dict[tuple[str, str], str | None]:
    """Every output of this model's evaluations, by image URI and ETag; None where its job failed on it."""
    rows = (row for record in EvaluationOutputs.read_all(storage, training_job) for row in record.outputs)
    return {(row.image, row.etag): row.out for row in rows}


def reasons_by_image(storage: Storage, training_job: str) -> dict[tuple[str, str], str]:
    """Why images of this model's evaluations have no output, by URI and ETag, where that was found out."""
    rows = (row for record in EvaluationOutputs.read_all(storage, training_job) for row in record.outputs)
    return {(row.image, row.etag): row.why for row in rows if row.why is not None}
