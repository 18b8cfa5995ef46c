"""What a type of task (object detection, image classification, …) has to say, so that a model of it can be
kept learning.

A task is made for one pipeline: it knows its classes and the name of its label attribute. Stages reach it as
``workspace.task`` and know no other name of it. The measuring half is in measuring.py.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from include import recordio
from include.loop.core.errors import BadRecord
from include.loop.core.records.calibration import Calibration
from include.loop.core.storage import Storage
from include.loop.tasks.algorithm import Algorithm
from include.loop.tasks.manifest_lines import parse_line
from include.loop.tasks.measuring import MeasuringTask
from include.loop.tasks.replies import Reader, Reply, as_documented, size_at, size_in
from include.loop.tasks.values import A, Agreement, L, Origin, P, RejectedAnswer, ReviewersDisagree

# Of one output. A hundred detections take ten thousand bytes.
MOST_OUTPUT_BYTES = 16 << 20


class Task(MeasuringTask[P, L], Protocol[P, L, A]):
    """P is what a model says of an image, L a labelled image, A one worker's answer."""

    classes: tuple[str, ...]
    label_attribute: str
    readers: Mapping[str, Reader] = {}  # of replies that are not SageMaker's, by the name of adapter.output
    reader: Reader | None = None  # the one that the environment names

    @property
    @abstractmethod
    def algorithm(self) -> Algorithm:
        """What trains and serves models of this task."""

    @abstractmethod
    def read_prediction(self, body: bytes) -> P:
        """What a model of SageMaker's algorithm says: one ``.out`` object, or an endpoint's reply. BadRecord
        when it is not what the algorithm documents.
        """

    def read_foreign(self, body: bytes, ids: Mapping[int, int]) -> P:
        """The answer of a model that is not the pipeline's, as ``read_prediction`` gives it. ``ids`` has our
        class for each of its that is wanted; empty: its classes are ours, in the same order. A task whose
        answers name no classes takes no other ones.
        """
        return self.read_prediction(body)

    def read_reply(self, body: bytes, image: str, picture: bytes) -> P:
        """The reply of an endpoint of ours to a picture, whose name is ``image``. BadRecord when it is
        unusable.
        """
        return self._read(body, image, lambda: size_in(picture))

    def read_output(self, storage: Storage, location: str, image: str) -> P:
        """The prediction at a location of the image with that URI. BadRecord when it is unusable,
        FileNotFoundError when it is gone.
        """
        try:
            body = storage.read(location, most=MOST_OUTPUT_BYTES)
        except BadRecord as error:
            raise BadRecord(f"no prediction: unreadable output ({error})") from None
        return self._read(body, image, lambda: size_at(storage, image))

    def _read(self, body: bytes, image: str, look: Callable[[], tuple[int, int]]) -> P:
        if self.reader is not None:
            body = as_documented(self.reader, Reply(body, image, self.classes, look))
        return self.read_prediction(body)

    def calibrated(self, prediction: P, by: Calibration) -> P:
        """The same prediction with calibrated scores, best first."""
        return prediction

    @abstractmethod
    def question(self, prediction: P | None, size: tuple[int, int], threshold: float) -> dict[str, Any]:
        """What the worker template is told: the ``labels`` to choose from, and as ``initialValue`` what a
        person begins with, made of what the model says with a score of ``threshold`` or more. ``size`` is the
        image's width and height; without a prediction a person begins with nothing.
        """

    @abstractmethod
    def read_answers(
        self, body: bytes, loop: str, size: tuple[int, int] | None
    ) -> tuple[list[A], list[RejectedAnswer]]:
        """The answers in A2I's output.json, one per worker, and those that cannot be used. BadRecord when the
        file as a whole is unusable. ``size`` is the image's width and height, None where nobody knows it.
        """

    @abstractmethod
    def write_labels(
        self, asked: Sequence[tuple[Sequence[A], Origin]]
    ) -> list[dict[str, Any] | ReviewersDisagree]:
        """The manifest line that the answers of each image agree on (one answer at least), as Ground Truth
        would write it, with the loop, the batch and the ETag beside it; ReviewersDisagree where they agree on
        none. The images are all that are settled together, in the order of their ids: a task may learn from
        all of them how much a worker's word counts.

        The bytes of the lines depend on the answers only, and not on the order of an image's.
        """

    @abstractmethod
    def is_negative(self, line: dict[str, Any]) -> bool:
        """Whether a line of ``write_labels`` says that there is nothing on the image."""

    @abstractmethod
    def read_value(self, value: Any) -> L:
        """A manifest line that is parsed already, ours or anybody's. BadRecord (of its kinds Unlearnable and
        ClassMapMismatch) says what keeps it from being learned.
        """

    def read_line(self, line: bytes) -> L:
        """The same for a line as it stands in the file."""
        return self.read_value(parse_line(line))

    @abstractmethod
    def read_record(
        self, label: recordio.Label, source: str, size: tuple[int, int], ids: Sequence[int]
    ) -> dict[str, Any]:
        """The manifest line of an image that came in a RecordIO file: ``size`` is its width and height, and
        ``ids`` has our class for each of the file's. BadRecord when the label is of another kind or class.
        """

    @abstractmethod
    def write_record(self, label: L) -> recordio.Label:
        """What the header of a RecordIO record says of a labelled image."""

    @abstractmethod
    def write_coco(self, label: L) -> list[dict[str, Any]]:
        """COCO's annotations of a labelled image, without their ids: what can be learned of it.
        ConfigurationError for a task whose labels are none.
        """

    @abstractmethod
    def describe(self, line: dict[str, Any]) -> list[dict[str, Any]]:
        """What a learned line labels, thing by thing: its class's name as ``label``, and where it is."""

    @abstractmethod
    def compare_labels(self, first: L, second: L) -> Agreement:
        """How far two labels of one image agree."""

    @abstractmethod
    def difficulty(self, label: L, prediction: P, threshold: float) -> float:
        """How far a model is from the label, 0 (it says just that, with certainty) to 1. What it says with a
        lower score than ``threshold`` is not held against it.
        """

    def suspicion(self, label: L, prediction: P, threshold: float) -> float:
        """How much speaks for it that the label is wrong, and not the model: the more, the sooner a person
        should look. A task that cannot tell the two apart goes by how far they are from each other.
        """
        return self.difficulty(label, prediction, threshold)


AnyTask = Task[Any, Any, Any]
