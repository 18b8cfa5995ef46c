"""Labels as two pandas tables: one row for each image, and one for each answer of a worker.

The manifest is read once and the answers object by object, so that neither is in memory as a whole; the
reference labels are. ``images`` has the columns of ``IMAGES``, ``answers`` those of ``ANSWERS``; a number
that is not known is NaN.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

from include.loop.analysis.answers import MOST_BYTES, Answer, read_answers
from include.loop.analysis.labels import UNLABELLED, Kind, Label, compare, read_line
from include.loop.analysis.sources import Responses, Sources, list_responses
from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.storage import Storage, in_parallel
from include.loop.manifests.labels import metadata_of
from include.loop.manifests.places import Connect, numbered_lines
from include.loop.manifests.survey import Survey, parse_object, source_of, survey

if TYPE_CHECKING:
    from pandas import DataFrame

Progress = Callable[[int, int | None], None]

# ``line`` is the number in the manifest, from 1, which is the object's number plus 1. ``score`` is the
# agreement with the reference label or, without references, that of the workers with each other, 0 to 1;
# ``total`` and ``things`` are what the former is a mean of. ``said`` and ``true`` are names of classes.
IMAGES = (
    "line", "source", "state", "human", "job", "iteration", "boxes", "said", "confidence", "score", "total",
    "things", "other_class", "true", "true_boxes", "answers", "agreement",
)  # fmt: skip
# ``label_score`` and ``true_score`` are the answer's agreement with the label and with the reference.
ANSWERS = ("line", "worker", "seconds", "boxes", "label_score", "true_score")
LABELLED, UNLABELLED_STATE, FAILED, UNREADABLE = "labelled", "unlabelled", "failed", "unreadable"
_TEXTS = {"source", "state", "human", "job", "said", "true", "worker"}
_CHUNK = 10_000
_TOLD = 20  # kinds of problems; more are counted together


@dataclass(frozen=True)
class Tables:
    """``measured`` says what an image's score is: its agreement with a reference label, that of its workers,
    or nothing. ``sources`` have the attributes that were read. ``problems`` count what could not be.
    """

    sources: Sources
    kind: Kind
    measured: Literal["references", "workers"] | None
    images: DataFrame
    answers: DataFrame
    problems: Mapping[str, int]
    reader: Reader  # gives the images of some lines once more

    @property
    def labelled(self) -> DataFrame:
        return self.images[self.images.state == LABELLED]

    @property
    def scored(self) -> DataFrame:
        """The labelled images that have a score."""
        return self.labelled.dropna(subset=["score"])


def read_tables(sources: Sources, connect: Connect, progress: Progress | None = None) -> Tables:
    """Read everything. ConfigurationError where there is no such manifest, or no label to choose in it."""
    sources = choose_attributes(sources, connect)
    reader = Reader(sources, connect)
    images, answers = _Frame(IMAGES), _Frame(ANSWERS)
    kinds: Counter[Kind] = Counter()
    done = 0
    for image in reader.all():
        done += 1
        images.add(image.row())
        for row in image.answer_rows():
            answers.add(row)
        if image.label:
            kinds[image.label.kind] += 1
        if progress:
            progress(done, None)
    if not done:
        raise ConfigurationError(f"{sources.manifest} has no lines")
    table = answers.whole()
    measured: Literal["references", "workers"] | None = (
        "references" if reader.has_references else "workers" if len(table) else None
    )
    kind: Kind = kinds.most_common(1)[0][0] if kinds else "boxes"
    problems = dict(reader.problems)
    return Tables(reader.sources, kind, measured, images.whole(), table, problems, reader)


def choose_attributes(sources: Sources, connect: Connect) -> Sources:
    """The same with the attributes that are read; they are looked for where nobody names them."""
    if sources.label is None:
        found = survey(sources.manifest, numbered_lines(sources.manifest, connect))
        sources = replace(sources, label=_choose(found, sources.reference_label, sources.references))
    if sources.references and sources.reference_label is None:
        found = survey(sources.references, numbered_lines(sources.references, connect))
        sources = replace(sources, reference_label=found.choose(None).name)
    return sources


def _choose(found: Survey, reference_label: str | None, references: str | None) -> str:
    """The reference label may stand in the same lines; it is not the one that is judged then."""
    others = [item.name for item in found.candidates() if item.name != reference_label]
    return found.choose(others[0] if references is None and len(others) == 1 else None).name


@dataclass(frozen=True, slots=True)
class Image:
    """One line of the manifest with all that is known of it; ``label`` is None where there is none, and
    ``state`` says why.
    """

    line: int
    source: str
    state: str
    metadata: Mapping[str, Any]
    label: Label | None
    reference: Label | None
    answers: Sequence[Answer]
    iteration: int | None
    has_references: bool

    def row(self) -> tuple[Any, ...]:
        label, true = self.label, self.reference
        found = _compare(label, true)
        agreement = self._agreement()
        score = (found.score if found else math.nan) if self.has_references else agreement
        return (
            self.line, self.source, self.state, str(self.metadata.get("human-annotated")).lower() == "yes",
            str(self.metadata.get("job-name", "")), math.nan if self.iteration is None else self.iteration,
            len(label.boxes) if label else math.nan, label.said if label else None,
            math.nan if label is None or label.confidence is None else label.confidence, score,
            found.total if found else math.nan, found.things if found else math.nan,
            found.other_class if found else math.nan, true.said if true else None,
            len(true.boxes) if true else math.nan, len(self.answers), agreement,
        )  # fmt: skip

    def answer_rows(self) -> Iterator[tuple[Any, ...]]:
        for answer in self.answers:
            beside, true = _compare(answer.label, self.label), _compare(answer.label, self.reference)
            yield (
                self.line, answer.worker, math.nan if answer.seconds is None else answer.seconds,
                len(answer.label.boxes), beside.score if beside else math.nan,
                true.score if true else math.nan,
            )  # fmt: skip

    def _agreement(self) -> float:
        """The mean over all pairs of workers; NaN where there is no pair."""
        pairs = combinations([answer.label for answer in self.answers], 2)
        scores = [found.score for one, other in pairs if (found := _compare(one, other))]
        return sum(scores) / len(scores) if scores else math.nan


def _compare(label: Label | None, other: Label | None) -> Any:
    try:
        return compare(label, other) if label and other else None
    except BadRecord:
        return None


class Reader:
    """Images one by one. ``sources`` must name the attributes."""

    def __init__(self, sources: Sources, connect: Connect) -> None:
        self.sources, self._connect = sources, connect
        self.problems: Counter[str] = Counter()
        self.has_references = sources.reference_label is not None
        self._beside = self.has_references and sources.references is None
        self._workers: dict[str, str] = {}
        self._references = dict(self._read_references()) if sources.references else {}
        self._storage: Storage | None = connect() if sources.responses else None
        self._responses: Responses = (
            list_responses(self._storage, sources.responses) if self._storage else Responses("")
        )

    def all(self) -> Iterator[Image]:
        """In the order of the manifest; the answers of a few images are read ahead."""
        return in_parallel(self._image, numbered_lines(self.sources.manifest, self._connect))

    def some(self, lines: set[int]) -> Iterator[Image]:
        """Those of these lines."""
        every = numbered_lines(self.sources.manifest, self._connect)
        return in_parallel(self._image, (item for item in every if item[0] in lines))

    def _image(self, item: tuple[int, bytes]) -> Image:
        number, line = item
        attribute = str(self.sources.label)
        metadata: Mapping[str, Any] = {}
        label = reference = loop = None
        source = ""
        state = LABELLED
        try:
            value = parse_object(line)
            source, metadata = source_of(value) or "", metadata_of(value, attribute)
            loop = value["loop"] if isinstance(value.get("loop"), str) else None
            label = read_line(value, attribute)
            if self._beside:
                reference = self._beside_it(value)
        except BadRecord as error:
            if str(error) == UNLABELLED:
                state = UNLABELLED_STATE
            else:
                state = FAILED if "failure-reason" in metadata else UNREADABLE
                self._note(str(error))
        if not self._beside:
            reference = self._references.get(source)
        return Image(
            number, source, state, metadata, label, reference, self._answers(number - 1, loop),
            self._responses.iteration(number - 1), self.has_references,
        )  # fmt: skip

    def _beside_it(self, value: dict[str, Any]) -> Label | None:
        try:
            return read_line(value, str(self.sources.reference_label))
        except BadRecord as error:
            self._note(f"reference: {error}")
            return None

    def _read_references(self) -> Iterator[tuple[str, Label]]:
        place = str(self.sources.references)
        for _, line in numbered_lines(place, self._connect):
            try:
                value = parse_object(line)
                yield source_of(value) or "", read_line(value, str(self.sources.reference_label))
            except BadRecord as error:
                self._note(f"reference: {error}")

    def _answers(self, number: int, loop: str | None) -> list[Answer]:
        location = self._responses.location(number, loop)
        if location is None or self._storage is None:
            return []
        try:
            found, problems = read_answers(self._storage.read(location, most=MOST_BYTES))
        except (BadRecord, FileNotFoundError) as error:
            found, problems = [], [str(error)]
        for problem in problems:
            self._note(f"answer: {problem}")
        # One text for each worker, however many answers.
        return [replace(one, worker=self._workers.setdefault(one.worker, one.worker)) for one in found]

    def _note(self, problem: str) -> None:
        known = problem in self.problems or len(self.problems) < _TOLD
        self.problems[problem if known else "other reasons"] += 1


class _Frame:
    """Rows that become a DataFrame, some thousands at a time: as tuples they take ten times the memory."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self._columns, self._rows, self._frames = columns, [], []  # type: ignore[var-annotated]

    def add(self, row: tuple[Any, ...]) -> None:
        self._rows.append(row)
        if len(self._rows) == _CHUNK:
            self._close()

    def whole(self) -> DataFrame:
        import pandas

        if self._rows or not self._frames:
            self._close()
        return pandas.concat(self._frames, ignore_index=True)

    def _close(self) -> None:
        import pandas

        frame = pandas.DataFrame.from_records(self._rows, columns=self._columns)
        numbers = {name: float for name in self._columns if name not in _TEXTS}
        self._frames.append(frame.astype(numbers))
        self._rows = []
