"""Ground Truth's output manifests: JSON Lines, one image each, with labels and their history.

Reads an ``output.manifest`` of a labeling job, chained or not, an augmented manifest of this loop, or a
folder with one manifest for each split. Images lie in S3 where the lines say, or among the files that
somebody names; then they are found by the end of their key. Writes one manifest for each split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from include.loop.core.errors import BadRecord
from include.loop.core.identity import content_hash
from include.loop.core.storage import MOST_BYTES, dump, split_lines
from include.loop.exchange.files import Files, check_name
from include.loop.exchange.formats import Format, ReadOptions, WriteOptions
from include.loop.exchange.items import Item, Problem
from include.loop.exchange.manifest_items import Kind, kind_of_value, read_labels, to_value
from include.loop.tasks.manifest_lines import MAX_LINE_CHARS, parse_line, read_source

_ENDING = ".manifest"
_JOB_OUTPUT = "manifests/output/output.manifest"  # beside it lie manifests of the job's steps
_SPLITS = ("train", "validation", "test")
_CHUNK = 1 << 20
_METADATA = "-metadata"


def looks_like(files: Files) -> bool:
    return bool(_manifests(files, ReadOptions()))


def classes(files: Files, options: ReadOptions) -> list[str] | None:
    """A manifest has names beside its labels, line by line, and no list of them."""
    return None


def read(files: Files, options: ReadOptions) -> Iterator[Item | Problem]:
    manifests = _manifests(files, options)
    if not manifests:
        raise BadRecord(f"{files.place} has no file that ends with {_ENDING}")
    attribute = _attribute(files, manifests, options.label)
    return _items(files, options, manifests, attribute)


def write(items: Iterable[Item], folder: Path, options: WriteOptions) -> Iterator[Problem]:
    with ExitStack() as stack:
        written: dict[str, IO[bytes]] = {}
        for item in items:
            if item.uri is None:
                yield Problem(item.name, "lies in no S3 bucket, and a manifest names images there", "unheld")
                continue
            kind: Kind = (
                "boxes" if item.boxes is not None else "many_classes" if options.many_classes else "classes"
            )
            metadata = {"human-annotated": "yes", "job-name": "nightloop-export"}
            try:
                value = to_value(item, item.uri, options.label, kind, options.classes, metadata)
                line = dump(value)
                if len(line.decode()) > MAX_LINE_CHARS:
                    raise BadRecord(f"its line would have more than {MAX_LINE_CHARS:,} characters")
            except BadRecord as error:
                yield Problem(item.name, str(error), "unheld")
                continue
            if item.boxes is not None and item.classes is not None:
                yield Problem(item.name, "its classes: one manifest has one label attribute", "unheld")
            name = item.split or "output"
            if name not in written:
                written[name] = stack.enter_context(open(folder / f"{name}{_ENDING}", "xb"))
            written[name].write(line + b"\n")


FORMAT = Format(
    title="Ground Truth manifest",
    holds=frozenset({"boxes", "classes", "many_classes"}),
    looks_like=looks_like,
    classes=classes,
    read=read,
    write=write,
    writes_images=False,
    notes=(
        "images are named by their S3 URIs; they are not copied",
        "splits are files: train.manifest, validation.manifest, test.manifest",
    ),
)


def _manifests(files: Files, options: ReadOptions) -> list[str]:
    names = [name for name in files.names() if name.endswith(_ENDING)]
    outputs = [name for name in names if f"/{name}".endswith(f"/{_JOB_OUTPUT}")]
    wanted = [name for name in outputs or names if not options.sets or _stem(name) in options.sets]
    if options.sets and names and not wanted:
        there = ", ".join(sorted({_stem(name) for name in outputs or names}))
        raise BadRecord(
            f"{files.place}: no manifest is called {' or '.join(options.sets)}; there are {there}"
        )
    return wanted


def _stem(name: str) -> str:
    return PurePosixPath(name).name.removesuffix(_ENDING)


def _lines(files: Files, name: str) -> Iterator[tuple[int, bytes]]:
    with files.open(name) as stream:
        lines = enumerate(split_lines(iter(partial(stream.read, _CHUNK), b"")), start=1)
        yield from ((number, line) for number, line in lines if line.strip())


def _attribute(files: Files, manifests: Sequence[str], wanted: str | None) -> str:
    """The label attribute: the one that is asked for, or the only one there is."""
    found: Counter[str] = Counter()
    for name in manifests:
        for _, line in _lines(files, name):
            try:
                value = parse_line(line)
            except BadRecord:
                continue  # told when its line is read
            found.update(_attributes(value))
    if wanted is not None:
        if wanted not in found:
            there = ", ".join(sorted(found)) or "none with boxes or classes"
            raise BadRecord(f"{files.place}: no line has a label {wanted!r}; there are {there}")
        return wanted
    if len(found) == 1:
        return next(iter(found))
    if not found:
        raise BadRecord(
            f"{files.place}: no line has a label with boxes or classes (NAME, and NAME{_METADATA} beside it)"
        )
    told = ", ".join(f"{name} ({count} lines)" for name, count in sorted(found.items()))
    raise BadRecord(f"{files.place} has several labels: {told}. Say which to read: --label NAME")


def _attributes(value: Any) -> Iterator[str]:
    for name in value if isinstance(value, dict) else ():
        label, metadata = name.removesuffix(_METADATA), value[name]
        if (
            label != name
            and label in value
            and isinstance(metadata, dict)
            and kind_of_value(value[label], metadata)
        ):
            yield label


def _items(
    files: Files, options: ReadOptions, manifests: Sequence[str], attribute: str
) -> Iterator[Item | Problem]:
    find = _Finder(options.images) if options.images else None
    for name in manifests:
        split = _stem(name) if _stem(name) in _SPLITS else None
        for number, line in _lines(files, name):
            where = f"{name}:{number}"
            try:
                value = parse_line(line)
                source = read_source(value)
                labels, problems = read_labels(value, attribute, options.classes)
                key = source.split("/", 3)[3]
                reader, uri = find(key) if find else (partial(_not_here, source), source)
            except BadRecord as error:
                yield Problem(where, str(error))
                continue
            for problem in problems:
                yield Problem(f"{where}, {problem.where}", problem.reason, problem.kind)
            if problems and not labels["boxes"]:
                yield Problem(where, f"none of its {len(problems)} boxes can be used")
                continue
            yield Item(name=_name(key), read=reader, uri=uri, split=split, **labels)


class _Finder:
    """Pictures among other files, by the longest end of a key that one of them has for a name."""

    def __init__(self, images: Files) -> None:
        self._images, self._names = images, frozenset(images.names())

    def __call__(self, key: str) -> tuple[Any, str | None]:
        parts = key.split("/")
        for start in range(len(parts)):
            if (name := "/".join(parts[start:])) in self._names:
                return partial(self._images.read, name, MOST_BYTES), self._images.uri(name)
        raise BadRecord(f"no image {key!r:.100} in {self._images.place}")


def _not_here(source: str) -> bytes:
    raise BadRecord(f"the image lies at {source}")


def _name(key: str) -> str:
    """A key as the name of an item; a key is not a path, and what could not be one gets another name."""
    try:
        return check_name(key)
    except BadRecord:
        return f"{content_hash(key)}{PurePosixPath(key).suffix[:8]}"
