"""The ledger of sides: what every image that was ever labelled is, and on which side it stands for ever.

Takes the labelled images of a shard, reads each of their images once, and gives ``splits/<shard>.jsonl``: one
entry per label, written once. The test sets have entries too, so that nothing is learned that resembles them.
The ledger alone tells which label of an image is the newest and what may be learned from: a night costs the
reading of its own images. Knows fingerprints, sides, manifest and storage.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from include.loop.core import layout
from include.loop.core.errors import BadRecord, ConcurrentWrite
from include.loop.core.identity import content_hash
from include.loop.core.storage import dump, in_parallel
from include.loop.dataset.fingerprints import Fingerprint, alike, read_fingerprint
from include.loop.dataset.split_rules import Placed, Rules, Side, settle
from include.loop.tasks.detection.manifest import LabelledImage, moment
from include.loop.workspace import Workspace

LABEL_CHARS = 20  # a label's hash names it among all labels of a pipeline


@dataclass(frozen=True, slots=True)
class Entry:
    """One label of one image. ``label`` is a hash of the manifest line; ``classes`` has one number per box;
    ``why`` tells how the image got its side, or why it cannot be used (then it has no ``sha256``). Entries of
    older versions have no ``width`` and ``height``, which are the image's own.
    """

    source: str
    etag: str
    sha256: str
    phash: str | None
    side: Side
    why: str
    created: str
    label: str
    classes: tuple[int, ...]
    loop: str | None = None
    width: int | None = None
    height: int | None = None

    @property
    def age(self) -> tuple[datetime, str]:
        """Newer labels are greater; between two of the same moment their hashes decide, the same way ever."""
        return moment(self.created), self.label

    @property
    def size(self) -> tuple[int, int] | None:
        return (self.width, self.height) if self.width and self.height else None

    @property
    def resembles(self) -> bool:
        """Whether a likeness decided about the image's side."""
        return self.why.startswith(RESEMBLES)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Entry:
        return cls(**value | {"side": Side(value["side"]), "classes": tuple(value["classes"])})


RESEMBLES = "near-duplicate of "


@dataclass(frozen=True)
class Candidate:
    """A usable line, and where it is; ``wish`` is the side its manifest gives it, None to let its content
    decide.
    """

    line: LabelledImage
    wish: Side | None
    manifest: str
    number: int

    @property
    def classes(self) -> list[int]:
        return [box.class_id for box in self.line.boxes]

    @property
    def label(self) -> str:
        return content_hash(self.line.value, length=LABEL_CHARS)


class Ledger:
    """Every entry, by the name of its split: a batch, ``initial-<hash>`` or ``test-<name>-<hash>``."""

    def __init__(self, workspace: Workspace, splits: Mapping[str, Sequence[Entry]]) -> None:
        self._workspace = workspace
        self._splits: dict[str, tuple[Entry, ...]] = {}
        self._images: dict[str, Placed] = {}
        self._looks: dict[tuple[str, str], Look] = {}
        self._sources: dict[str, str] = {}  # of each image, where it was met first
        self._kept = set(splits)
        for name, entries in splits.items():
            self._add(name, entries)

    def entries(self, split: str) -> tuple[Entry, ...]:
        return self._splits[split]

    @property
    def remembers(self) -> bool:
        """Whether there is a memory set."""
        return any(image.side is Side.MEMORY for image in self._images.values())

    def admit(self, split: str, candidates: Sequence[Candidate], rules: Rules) -> list[Entry | None]:
        """The entries of a split in the order of its lines: what it has, or what it shall have (``keep``).

        None for a line that the split does not know: it could not be read when the split was made.
        """
        if split not in self._splits:
            self._add(split, self._make(candidates, rules))
        by_label = {entry.label: entry for entry in self._splits[split]}
        return [by_label.get(candidate.label) for candidate in candidates]

    def keep(self, split: str) -> None:
        """Write a split that is not written yet. ConcurrentWrite when another run was faster."""
        if split in self._kept:
            return
        body = b"".join(dump(asdict(entry)) + b"\n" for entry in self._splits[split])
        location = layout.split_file(split)
        if not self._workspace.storage.write_once(location, body):
            raise ConcurrentWrite(f"{self._workspace.storage.uri(location)} was just written; read it again")
        self._kept.add(split)

    def side(self, entry: Entry) -> Side:
        """Where the image stands: with a test set if it is in one, else where it was put first."""
        placed = self._images.get(entry.sha256)
        return placed.side if placed and placed.side else entry.side

    def newest(self, splits: Iterable[str]) -> dict[str, Entry]:
        """One label per image, the newest of these splits, by SHA-256.

        A place that holds another picture by now has lost the one that its older labels speak of.
        """
        usable = (entry for name in splits for entry in self._splits[name] if entry.sha256)
        by_image: dict[str, Entry] = {}
        by_source: dict[str, Entry] = {}
        for entry in sorted(usable, key=lambda entry: entry.age):
            by_image[entry.sha256] = by_source[entry.source] = entry
        return {
            sha256: entry for sha256, entry in by_image.items() if by_source[entry.source].sha256 == sha256
        }

    def labels_of(self, splits: Iterable[str], images: Container[str]) -> Iterator[Entry]:
        """Every label that these images (by SHA-256) ever got in these splits."""
        for name in splits:
            yield from (entry for entry in self._splits[name] if entry.sha256 in images)

    def learnable(self, entries: Iterable[Entry]) -> list[Entry]:
        """Those that may be learned from. A test set that came later still keeps out what resembles it."""
        trained = [entry for entry in entries if self.side(entry) is Side.TRAIN]
        tests = [image.phash for image in self._images.values() if image.side is Side.TEST]
        near = {one for one, _ in alike([entry.phash for entry in trained], tests)}
        return [entry for index, entry in enumerate(trained) if index not in near]

    def _add(self, split: str, entries: Sequence[Entry]) -> None:
        self._splits[split] = tuple(entries)
        for entry in entries:
            if entry.sha256:
                prints = Fingerprint(entry.sha256, entry.phash)
                self._looks[entry.source, entry.etag] = Look(entry.etag, prints, entry.size)
                if entry.sha256 not in self._images or entry.side is Side.TEST:
                    classes = frozenset(entry.classes)
                    self._images[entry.sha256] = Placed(entry.sha256, entry.phash, entry.side, classes)
                    self._sources[entry.sha256] = entry.source

    def _make(self, candidates: Sequence[Candidate], rules: Rules) -> list[Entry]:
        # An image that a shard lists on two sides measures.
        by_label: dict[str, Candidate] = {}
        for item in sorted(candidates, key=lambda item: (not _measures(item), item.label)):
            by_label.setdefault(item.label, item)
        unique = list(by_label.values())
        looks = list(in_parallel(self._look_at, unique))
        newcomers: dict[str, Placed] = {}
        sources = dict(self._sources)
        for item, look in zip(unique, looks, strict=True):
            prints = look.prints
            if prints and (prints.sha256 not in self._images or item.wish is Side.TEST):
                newcomer = Placed(prints.sha256, prints.phash, item.wish, frozenset(item.classes))
                newcomers.setdefault(prints.sha256, newcomer)
                sources.setdefault(prints.sha256, item.line.source)
        known = [image for sha256, image in self._images.items() if sha256 not in newcomers]
        settled = settle(newcomers.values(), known, rules)
        entries = []
        for item, look in zip(unique, looks, strict=True):
            if look.prints is None:
                side, why = Side.UNUSABLE, look.problem
            else:
                placed = settled.get(look.prints.sha256) or self._images[look.prints.sha256]
                side, why = placed.side or Side.UNUSABLE, _why(item, placed, sources)
            entries.append(_entry(item, look, side, why))
        return entries

    def _look_at(self, candidate: Candidate) -> Look:
        """Read an image, unless this version of it and its size are known."""
        source, etag = candidate.line.source, candidate.line.value.get("etag")
        look = self._looks.get((source, str(etag)))
        try:
            if look is None or look.size is None:
                look = Look(*read_fingerprint(self._workspace.storage, source, etag))
            _check_size(candidate.line, look.size)
            return look
        except BadRecord as error:
            return Look("", problem=str(error))


@dataclass(frozen=True)
class Look:
    """What reading an image gave: its fingerprint and its width and height, or the problem."""

    etag: str
    prints: Fingerprint | None = None
    size: tuple[int, int] | None = None
    problem: str = ""


def open_ledger(workspace: Workspace) -> Ledger:
    """The ledger as S3 has it."""
    names = [layout.named_after(item.uri) for item in workspace.storage.list(layout.SPLITS)]
    return Ledger(workspace, dict(in_parallel(lambda name: (name, _read(workspace, name)), names)))


def _read(workspace: Workspace, split: str) -> list[Entry]:
    return [Entry.from_dict(value) for value in workspace.storage.read_lines(layout.split_file(split))]


def _check_size(line: LabelledImage, size: tuple[int, int] | None) -> None:
    """BadRecord when a label was drawn on a picture of another shape than the stored one.

    Another resolution of the same picture does no harm: boxes are learned and compared as shares of its size.
    """
    labelled = line.width, line.height
    if size is None or labelled == size:
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


def _measures(candidate: Candidate) -> bool:
    return candidate.wish is not None and candidate.wish.held_out


def _why(candidate: Candidate, placed: Placed, sources: Mapping[str, str]) -> str:
    if placed.like:
        return f"{RESEMBLES}{sources[placed.like]}"
    if sources[placed.sha256] != candidate.line.source:
        return f"same content as {sources[placed.sha256]}"
    return "given" if placed.side is candidate.wish else "by hash"


def _entry(candidate: Candidate, look: Look, side: Side, why: str) -> Entry:
    line, loop = candidate.line, candidate.line.value.get("loop")
    return Entry(
        source=line.source,
        etag=look.etag,
        sha256=look.prints.sha256 if look.prints else "",
        phash=look.prints.phash if look.prints else None,
        side=side,
        why=why,
        created=line.created,
        label=candidate.label,
        classes=tuple(candidate.classes),
        loop=loop if isinstance(loop, str) else None,
        width=look.size[0] if look.size else None,
        height=look.size[1] if look.size else None,
    )
