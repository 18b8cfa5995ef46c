"""``data import``: labels of another tool become a pipeline's."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from include.loop.commands.base import add_pipeline, workspace_of
from include.loop.core.errors import ConfigurationError
from include.loop.exchange.classes import read_class_list
from include.loop.exchange.formats import format_names
from include.loop.exchange.import_text import tell
from include.loop.exchange.importing import Request, import_data
from include.loop.exchange.targets import TARGETS
from include.loop.lineage.text import printable
from include.loop.workspace import Workspace

OURS = "pipeline"  # for --classes: the numbers are those of the pipeline's own list
_MOST_LIST_BYTES = 1 << 20
_SECONDS = 2  # between two words about how far it is


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "import",
        help="take in labels of another tool",
        description="Reads labels and pictures of another tool and makes them labels of a pipeline. Classes "
        "are matched by name. Pictures that lie in S3 stay there; others are copied below the pipeline's "
        "folder, once. Manifests are written when all else is done: an import that is interrupted leaves "
        "nothing half, and is finished by repeating it.",
    )
    parser.add_argument(
        "source", metavar="SOURCE", help="a folder, a .zip, .tar or .tar.gz, one file, or any of them in S3"
    )
    add_pipeline(parser)
    parser.add_argument(
        "--as",
        dest="target",
        required=True,
        metavar="TARGET",
        help=f"what they become ({TARGETS}): the first model's labels, a batch that the next training "
        "learns, or the test set of this name",
    )
    parser.add_argument(
        "--format", choices=format_names(), metavar="FORMAT", help=f"default: as it looks; {_formats()}"
    )
    parser.add_argument(
        "--images", metavar="WHERE", help="where the pictures are, when they are not in SOURCE"
    )
    parser.add_argument("--label", metavar="NAME", help="the label attribute of a manifest that has several")
    parser.add_argument(
        "--classes",
        metavar="FILE",
        help="names of class numbers where the source has numbers only: one on each line, or N:name; "
        f"`{OURS}` for the pipeline's own",
    )
    parser.add_argument(
        "--sets",
        type=_listed,
        default=(),
        metavar="A,B",
        help="the parts of the source to read; default: all",
    )
    parser.add_argument(
        "--map",
        type=_renamed,
        action="append",
        default=[],
        metavar="THEIRS=OURS",
        help="the pipeline's class for a class of the source; may be given again",
    )
    parser.add_argument(
        "--drop-others", action="store_true", help="leave out labels of classes that the pipeline has not"
    )
    parser.add_argument(
        "--replace", action="store_true", help="write over other manifests that lie where these belong"
    )
    parser.add_argument("--dry-run", action="store_true", help="read everything, write nothing, and tell")
    parser.add_argument("--json", action="store_true", help="print the record instead of the report")
    parser.set_defaults(run=_import)


def _import(options: argparse.Namespace) -> int:
    workspace = workspace_of(options)
    request = Request(
        source=options.source,
        target=options.target,
        format=options.format,
        images=options.images,
        label=options.label,
        classes=_class_list(workspace, options.classes),
        sets=options.sets,
        renamed=dict(options.map),
        drop_others=options.drop_others,
        replace=options.replace,
    )
    progress = Progress()
    try:
        found = import_data(workspace, request, keep=not options.dry_run, progress=progress)
    except KeyboardInterrupt:
        progress.end()
        print("Stopped: nothing was imported. Repeat the command to go on.", file=sys.stderr)
        return 130
    progress.end()
    if options.json:
        print(found.record.model_dump_json(indent=2))
        return 0
    told = tell(workspace, found.record, changed=found.changed, planned=options.dry_run)
    print("\n".join(map(printable, told)))
    return 0


class Progress:
    """How far a long step is, on standard error: on one line of a terminal, now and then in a log."""

    def __init__(self) -> None:
        self._shows = sys.stderr.isatty()
        self._last = time.monotonic()
        self._open = False

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last < (_SECONDS if self._shows else 30 * _SECONDS):
            return
        self._last, self._open = now, self._shows
        end = "\r" if self._shows else "\n"
        print(f"{done:,} of {total:,} images", end=end, file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._open:
            print(file=sys.stderr)
            self._open = False


def _class_list(workspace: Workspace, place: str | None) -> tuple[str, ...]:
    if place is None:
        return ()
    if place == OURS:
        return tuple(workspace.pipeline.classes)
    if place.startswith("s3://"):
        body = workspace.storage.read(place, most=_MOST_LIST_BYTES)
    else:
        try:
            with Path(place).open("rb") as file:
                body = file.read(_MOST_LIST_BYTES)
        except OSError as error:
            raise ConfigurationError(f"--classes: {place} cannot be read: {error.strerror}") from None
    try:
        return tuple(read_class_list(body.decode("utf-8-sig"), place))
    except UnicodeDecodeError:
        raise ConfigurationError(f"--classes: {place} is not UTF-8") from None


def _formats() -> str:
    return ", ".join(format_names())


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _renamed(text: str) -> tuple[str, str]:
    theirs, sign, ours = text.partition("=")
    if not sign or not theirs or not ours:
        raise argparse.ArgumentTypeError(f"must be THEIRS=OURS, not {text!r}")
    return theirs, ours
