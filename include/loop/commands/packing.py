"""``data pack``: labels of another tool as a RecordIO file for SageMaker."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from include.loop.commands.base import anywhere
from include.loop.core.errors import ConfigurationError
from include.loop.exchange.classes import read_class_list
from include.loop.exchange.formats import ReadOptions, format_names
from include.loop.exchange.packing import Packed, pack_items, pack_list
from include.loop.exchange.sources import open_source
from include.loop.exchange.survey import choose_format
from include.loop.lineage.text import printable
from include.recordio import Kind

_MOST_LIST_BYTES = 1 << 20
_SECONDS = 2  # between two words about how far it is
_THINGS = {Kind.OBJECTS: "objects", Kind.ONE_CLASS: "one class each", Kind.CLASSES: "any number of classes"}


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "pack",
        help="make a RecordIO file of labels",
        description="Packs the images and labels of a list (.lst), or of any format that can be imported, "
        "into one .rec for SageMaker, with .idx beside it. Images are packed as they are, never encoded "
        "anew: the same files make the same bytes. Nothing is written unless all of it is.",
    )
    parser.add_argument(
        "source", metavar="SOURCE", help="a .lst, or a folder, archive or file as `data import` takes it"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.rec", help="the file to write")
    parser.add_argument(
        "--images", metavar="WHERE", help="where the images are; default: in SOURCE, or beside the list"
    )
    parser.add_argument("--format", choices=format_names(), metavar="FORMAT", help="default: as SOURCE looks")
    parser.add_argument(
        "--sets", type=_listed, default=(), metavar="A,B", help="the parts of SOURCE to pack; default: all"
    )
    parser.add_argument(
        "--classes",
        type=Path,
        metavar="FILE",
        help="the order of the class ids, one name on each line; default: SOURCE's, or the alphabet's",
    )
    parser.set_defaults(run=_pack)


def _pack(options: argparse.Namespace) -> int:
    progress = _Progress()
    try:
        packed = _packed(options, progress)
    except KeyboardInterrupt:
        print("Stopped: nothing was written.", file=sys.stderr)
        return 130
    finally:
        progress.end()
    print("\n".join(map(printable, _told(packed, options.out))))
    return 0


def _packed(options: argparse.Namespace, progress: _Progress) -> Packed:
    storage = anywhere()
    with ExitStack() as stack:
        images = stack.enter_context(open_source(options.images, storage)) if options.images else None
        if options.source.endswith(".lst"):
            source = Path(options.source)
            if not source.is_file():
                raise ConfigurationError(f"there is no list {source}")
            images = images or stack.enter_context(open_source(str(source.parent), storage))
            return pack_list(source, images, options.out, progress)
        files = stack.enter_context(open_source(options.source, storage))
        _, format = choose_format(files, options.format)
        read = ReadOptions(images, classes=_class_list(options.classes), sets=options.sets)
        return pack_items(files, format, read, options.out, progress)


def _told(packed: Packed, out: Path) -> list[str]:
    found = packed.survey
    kinds = ", ".join(_THINGS[kind] for kind in found.kinds)
    lines = [f"{out}: {found.records:,} records of {kinds}"]
    for index, count in sorted(found.classes.items()):
        name = packed.classes[index] if index < len(packed.classes) else ""
        lines.append(f"  class {index:<4} {name:24} {count:,}".rstrip())
    if found.empty:
        lines.append(f"  {found.empty:,} with nothing on them, which SageMaker's algorithm cannot read")
    if Kind.OBJECTS in found.kinds:
        lines.append(f"  label_width has to be {found.widest} or more")
    lines += [f"{count:,} {kind}" for kind, count in sorted(packed.counts.items())]
    lines += [f"  {item.where}: {item.reason}" for item in packed.problems]
    if (more := packed.counts.total() - len(packed.problems)) > 0:
        lines.append(f"  and {more:,} more")
    return lines


class _Progress:
    """How far a long step is, on standard error, on one line of a terminal."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _SECONDS
        self._told = False

    def __call__(self, count: int) -> None:
        if (now := time.monotonic()) >= self._next and sys.stderr.isatty():
            self._next, self._told = now + _SECONDS, True
            print(f"\r{count:,} images", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._told:
            print(file=sys.stderr)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(",") if part)


def _class_list(path: Path | None) -> tuple[str, ...]:
    if path is None:
        return ()
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_LIST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--classes {path}: {error}") from None
    return tuple(read_class_list(text, str(path)))
