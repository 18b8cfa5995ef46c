"""The split register: what every image that was ever labelled is, and which split it belongs to for ever.

Takes the labelled images of a shard, reads each of their images once, and gives ``splits/<shard>.jsonl``: one
entry per label, written once. The test sets have entries too, so that nothing is learned that resembles them.
The register alone tells which label of an image is the newest and what may be learned from: a batch costs the
reading of its own images.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from include.loop.core.errors import BadRecord, ConcurrentWrite
from include.loop.core.fingerprints import Fingerprint, read_fingerprint
from include.loop.core.identity import content_hash
from include.loop.core.lookalikes import first_alike
from include.loop.core.records.splits import RESEMBLES, Entry, Picture, Split
from include.loop.core.storage import Storage, dump, in_parallel
from include.loop.dataset.ledger import read_ledger
from include.loop.dataset.split_rules import Placed, SplitRules, settle
from include.loop.tasks.manifest_lines import moment
from include.loop.tasks.values import Labelled
from include.loop.workspace import Workspace

LABEL_CHARS = 20  # a label's hash names it among all labels of a pipeline


@dataclass(frozen=True)
class Candidate:
    """A usable line, and where it is; ``wish`` is the split its manifest gives it, None to let its content
    decide.
    """

    line: Labelled
    wish: Split | None
    manifest: str
    number: int

    @property
    def classes(self) -> list[int]:
        return list(self.line.classes)

    @cached_property
    def label(self) -> str:
        return name_label(self.line.value)


def name_label(value: Mapping[str, Any]) -> str:
    """A manifest line's name among all labels of a pipeline."""
    return content_hash(value, length=LABEL_CHARS)


class SplitRegister:
    """Every entry, by the name of its shard: a batch, ``initial-<hash>`` or ``test-<name>-<hash>``."""

    def __init__(self, workspace: Workspace, shards: Mapping[str, Sequence[Entry]]) -> None:
        self._workspace = workspace
        self._shards: dict[str, tuple[Entry, ...]] = {}
        self._images: dict[str, Entry] = {}  # what each image is, by its SHA-256
        self._readings: dict[tuple[str, str], Entry | Picture] = {}  # by place and ETag
        self._sources: dict[str, str] = {}  # of each image, where it was met first
        self._kept = set(shards)
        for name, entries in shards.items():
            self._add(name, entries)

    def __contains__(self, shard: str) -> bool:
        return shard in self._shards

    def expect(self, pictures: Iterable[Picture]) -> None:
        """Take the word of these for what pictures are: they were found to be the same just now."""
        for picture in pictures:
            self._readings.setdefault((picture.source, picture.etag), picture)

    def entries(self, shard: str) -> tuple[Entry, ...]:
        return self._shards[shard]

    @property
    def retains(self) -> bool:
        """Whether there is a retention set."""
        return any(image.split is Split.RETENTION for image in self._images.values())

    def admit(self, shard: str, candidates: Sequence[Candidate], rules: SplitRules) -> list[Entry | None]:
        """The entries of a shard in the order of its lines: what it has, or what it shall have (``keep``).

        None for a line that the shard does not know: it could not be read when the shard was made.
        """
        if shard not in self._shards:
            self._add(shard, self._make(candidates, rules))
        by_label = {entry.label: entry for entry in self._shards[shard]}
        return [by_label.get(candidate.label) for candidate in candidates]

    def keep(self, shard: str) -> None:
        """Write a shard that is not written yet. ConcurrentWrite when another run was faster."""
        if shard in self._kept:
            return
        body = b"".join(dump(entry.to_value()) + b"\n" for entry in self._shards[shard])
        location = Entry.location(shard)
        if not self._workspace.storage.write_once(location, body):
            raise ConcurrentWrite(f"{self._workspace.storage.uri(location)} was just written; read it again")
        self._kept.add(shard)

    def split(self, entry: Entry) -> Split:
        """The image's split: that of a test set if it is in one, else the one it was given first."""
        return self._images.get(entry.sha256, entry).split

    def newest(self, shards: Iterable[str]) -> dict[str, Entry]:
        """One label per image, the newest of these shards, by SHA-256.

        A place that holds another picture by now has lost the one that its older labels speak of.
        """
        usable = (entry for name in shards for entry in self._shards[name] if entry.sha256)
        by_image: dict[str, Entry] = {}
        by_source: dict[str, Entry] = {}
        for entry in sorted(usable, key=age):
            by_image[entry.sha256] = by_source[entry.source] = entry
        return {
            sha256: entry for sha256, entry in by_image.items() if by_source[entry.source].sha256 == sha256
        }

    def labels_of(self, shards: Iterable[str], images: Container[str]) -> Iterator[Entry]:
        """Every label that these images (by SHA-256) ever got in these shards."""
        for name in shards:
            yield from (entry for entry in self._shards[name] if entry.sha256 in images)

    def learnable(self, entries: Iterable[Entry]) -> list[Entry]:
        """Those that may be learned from. A test set that came later still keeps out what resembles it."""
        trained = [entry for entry in entries if self.split(entry) is Split.TRAIN]
        tests = [image.phash for image in self._images.values() if image.split is Split.TEST]
        near = first_alike([entry.phash for entry in trained], tests)
        return [entry for entry, first in zip(trained, near, strict=True) if first < 0]

    def _add(self, shard: str, entries: Sequence[Entry]) -> None:
        self._shards[shard] = tuple(entries)
        for entry in entries:
            if entry.sha256:
                self._readings[entry.source, entry.etag] = entry
                if entry.sha256 not in self._images or entry.split is Split.TEST:
                    self._images[entry.sha256] = entry
                    self._sources[entry.sha256] = entry.source

    def _make(self, candidates: Sequence[Candidate], rules: SplitRules) -> list[Entry]:
        # An image that a shard lists in two splits measures.
        by_label: dict[str, Candidate] = {}
        for item in sorted(candidates, key=lambda item: (not _measures(item), item.label)):
            by_label.setdefault(item.label, item)
        unique = list(by_label.values())
        readings = list(in_parallel(self._read_image, unique))
        newcomers: dict[str, Placed] = {}
        sources = dict(self._sources)
        for item, reading in zip(unique, readings, strict=True):
            prints = reading.prints
            if prints and (prints.sha256 not in self._images or item.wish is Split.TEST):
                newcomer = Placed(prints.sha256, prints.phash, item.wish, frozenset(item.classes))
                newcomers.setdefault(prints.sha256, newcomer)
                sources.setdefault(prints.sha256, item.line.source)
        known = [_placed(image) for sha256, image in self._images.items() if sha256 not in newcomers]
        settled = settle(newcomers.values(), known, rules)
        entries = []
        for item, reading in zip(unique, readings, strict=True):
            if reading.prints is None:
                split, why = Split.UNUSABLE, reading.problem
            else:
                sha256 = reading.prints.sha256
                placed = settled.get(sha256) or _placed(self._images[sha256])
                split, why = placed.split or Split.UNUSABLE, _why(item, placed, sources)
            entries.append(_entry(item, reading, split, why))
        return entries

    def _read_image(self, candidate: Candidate) -> Reading:
        """Read an image, unless this version of it and its size are known."""
        source, etag = candidate.line.source, candidate.line.value.get("etag")
        known = self._readings.get((source, str(etag)))
        try:
            if known is None or known.size is None:
                reading = Reading(*read_fingerprint(self._workspace.storage, source, etag))
            else:
                reading = Reading(known.etag, Fingerprint(known.sha256, known.phash), known.size)
            check_size(candidate.line, reading.size)
            return reading
        except BadRecord as error:
            return Reading("", problem=str(error))


@dataclass(frozen=True)
class Reading:
    """What reading an image gave: its fingerprint and its width and height, or the problem."""

    etag: str
    prints: Fingerprint | None = None
    size: tuple[int, int] | None = None
    problem: str = ""


def open_register(workspace: Workspace, keep: bool = False) -> SplitRegister:
    """The register as S3 has it; ``keep`` as ``read_ledger`` takes it."""
    return SplitRegister(workspace, read_ledger(workspace.storage, keep))


def known_etags(storage: Storage) -> dict[str, str]:
    """By label, the ETag of the picture that its split was settled for."""
    return {entry.label: entry.etag for some in read_ledger(storage).values() for entry in some}


def age(entry: Entry) -> tuple[datetime, str]:
    """Newer labels are greater; between two of the same moment their hashes decide, the same way ever."""
    return moment(entry.created), entry.label


def check_size(line: Labelled, size: tuple[int, int] | None) -> None:
    """BadRecord when a label was drawn on a picture of another shape than the stored one.

    Another resolution of the same picture does no harm: boxes are learned and compared as shares of its size.
    """
    labelled = line.size
    if size is None or labelled is None or labelled == size:
        return
    why = ""
    if labelled == size[::-1]:
        why = (
            ": it was labelled as its EXIF orientation turns it, and boxes count from the corner of the "
            "stored pixels. Store the image turned, or label it again"
        )
    elif _same_shape(labelled, size):
        return
    raise BadRecord(
        f"image_size says {labelled[0]} x {labelled[1]}, but the stored image has {size[0]} x {size[1]} "
        f"pixels{why}"
    )


def _same_shape(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether one size is the other made larger or smaller, and rounded to whole pixels."""
    small, large = sorted((one, other))
    scale = max(large) / max(small)
    return all(abs(a * scale - b) <= scale for a, b in zip(small, large, strict=True))


def _placed(entry: Entry) -> Placed:
    return Placed(entry.sha256, entry.phash, entry.split, frozenset(entry.classes))


def _measures(candidate: Candidate) -> bool:
    return candidate.wish is not None and candidate.wish.held_out


def _why(candidate: Candidate, placed: Placed, sources: Mapping[str, str]) -> str:
    if placed.like:
        return f"{RESEMBLES}{sources[placed.like]}"
    if sources[placed.sha256] != candidate.line.source:
        return f"same content as {sources[placed.sha256]}"
    return "given" if placed.split is candidate.wish else "by hash"


def _entry(candidate: Candidate, reading: Reading, split: Split, why: str) -> Entry:
    line, loop = candidate.line, candidate.line.value.get("loop")
    return Entry(
        source=line.source,
        etag=reading.etag,
        sha256=reading.prints.sha256 if reading.prints else "",
        phash=reading.prints.phash if reading.prints else None,
        split=split,
        why=why,
        created=line.created,
        label=candidate.label,
        classes=tuple(candidate.classes),
        loop=loop if isinstance(loop, str) else None,
        width=reading.size[0] if reading.size else None,
        height=reading.size[1] if reading.size else None,
    )
