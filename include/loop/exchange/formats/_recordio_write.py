"""Items as RecordIO files, three for each split, and their classes beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from include import recordio
from include.loop.core.errors import BadRecord
from include.loop.exchange.formats import WriteOptions
from include.loop.exchange.items import Box, Item, Problem
from include.pictures import PictureError, read_size
from include.recordio.class_names import CLASSES_FILE


def write(items: Iterable[Item], folder: Path, options: WriteOptions) -> Iterator[Problem]:
    """One file for each split, and classes.txt."""
    _write_classes(folder / CLASSES_FILE, options.classes)
    yield from _write(items, options, lambda item: folder / (item.split or "train"))


def write_one(items: Iterable[Item], stem: Path, options: WriteOptions) -> Iterator[Problem]:
    """One file of all items, ``<stem>.rec``, whatever their split; beside it its lists and
    ``<stem>.classes.txt``.
    """
    _write_classes(Path(f"{stem}.{CLASSES_FILE}"), options.classes)
    yield from _write(items, options, lambda _: stem)


def _write_classes(path: Path, classes: Sequence[str]) -> None:
    try:
        path.write_bytes(recordio.format_class_names(classes))
    except recordio.RecordError as error:
        raise BadRecord(str(error)) from None


def _write(
    items: Iterable[Item], options: WriteOptions, stem_of: Callable[[Item], Path]
) -> Iterator[Problem]:
    unheld: Counter[str] = Counter()
    with ExitStack() as stack:
        parts: dict[Path, _Part] = {}
        for item in items:
            stem = stem_of(item)
            if stem not in parts:
                parts[stem] = _Part(stem, stack)
            try:
                body = item.read()
                label = _label(item, item.size or read_size(body), options)
                parts[stem].add(item.name, label, body)
            except (BadRecord, FileNotFoundError, PictureError, recordio.RecordError) as error:
                yield Problem(item.name, str(error), "unheld")
                continue
            unheld.update(mark for box in item.boxes or () for mark in box.marks)
            unheld.update("confidence" for one in item.classes or () if one.confidence is not None)
            unheld.update("absence of a class" for one in item.classes or () if not one.present)
    for mark, count in sorted(unheld.items()):
        yield Problem(f"{count} labels", f"a record cannot hold their {mark}", "unheld")


class _Part:
    """One ``.rec`` with its ``.idx`` and ``.lst``."""

    def __init__(self, stem: Path, stack: ExitStack) -> None:
        paths = [stem.with_name(f"{stem.name}.{ending}") for ending in ("rec", "idx", "lst")]
        rec, index, self._list = (stack.enter_context(path.open("wb")) for path in paths)
        self._writer = recordio.Writer(rec, index)

    def add(self, name: str, label: recordio.Label, image: bytes) -> None:
        index = self._writer.records
        line = recordio.format_line(recordio.ListLine(index, label, name))
        self._writer.add(recordio.Record(index, label, image))
        self._list.write(line.encode())


def _label(item: Item, size: tuple[int, int], options: WriteOptions) -> recordio.Label:
    """RecordError says what a record cannot hold."""
    indices = {name: index for index, name in enumerate(options.classes)}
    if item.boxes is not None:
        if not item.boxes:
            # MXNet refuses a label of fewer than seven numbers: one object at least.
            raise recordio.RecordError(
                "there is nothing on the image, and SageMaker's object detection cannot read such a record; "
                "train from an augmented manifest to learn from it"
            )
        return recordio.write_objects(_object(box, size, indices) for box in item.boxes)
    present = [_index(one.label, indices) for one in item.classes or () if one.present]
    if item.classes is None:
        raise recordio.RecordError("the image has no label")
    if options.many_classes:
        return recordio.write_classes(present, len(indices))
    if len(present) != 1:
        raise recordio.RecordError(f"the image is of {len(present)} classes, and a record here has one")
    return float(present[0])


def _object(box: Box, size: tuple[int, int], indices: dict[str, int]) -> recordio.Object:
    width, height = size
    corners = box.left, box.top, box.left + box.width, box.top + box.height
    xmin, ymin, xmax, ymax = (
        min(max(corner / side, 0.0), 1.0) for corner, side in zip(corners, (width, height) * 2, strict=True)
    )
    return recordio.Object(_index(box.label, indices), xmin, ymin, xmax, ymax)


def _index(name: str, indices: dict[str, int]) -> int:
    if name not in indices:
        raise recordio.RecordError(f"the class {name!r} is none of those that are written")
    return indices[name]
