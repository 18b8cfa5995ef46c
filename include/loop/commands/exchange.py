"""``data import`` and ``data export``: labels come in from other tools, and go out to them."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from include.loop.commands.base import add_pipeline, workspace_of
from include.loop.commands.hints import with_commands_runnable
from include.loop.commands.progress import Progress
from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.exchange.classes import read_class_list
from include.loop.exchange.exporting import export, tell_export
from include.loop.exchange.formats import format_names
from include.loop.exchange.import_text import tell
from include.loop.exchange.importing import Request, import_data
from include.loop.exchange.known_items import Choice
from include.loop.exchange.targets import TARGETS
from include.loop.lineage.text import printable
from include.loop.workspace import Workspace

OURS = "pipeline"  # for --classes: the numbers are those of the pipeline's own list
_MOST_LIST_BYTES = 1 << 20


def add(commands: Any) -> None:
    _add_import(commands)
    _add_export(commands)


def _add_import(commands: Any) -> None:
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


def _add_export(commands: Any) -> None:
    parser = commands.add_parser(
        "export",
        help="hand labels out to another tool",
        description="Writes labels of a pipeline, with their pictures, in a format of other tools. The "
        "folder appears under its name when all of it is there. What the format cannot hold is told.",
    )
    add_pipeline(parser)
    parser.add_argument(
        "--to", dest="format", required=True, choices=format_names(), metavar="FORMAT", help=_formats()
    )
    parser.add_argument(
        "--out", required=True, metavar="PLACE", help="a folder that is not there yet, or s3://bucket/prefix/"
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--dataset", metavar="ID", help="the labels of a dataset, with its splits")
    what.add_argument("--batch", metavar="BATCH", help="the labels of a batch or an import")
    what.add_argument(
        "--all",
        action="store_true",
        help="the newest label of every image: of all batches that nobody discarded, the first model's and "
        "the test sets'",
    )
    parser.add_argument(
        "--no-images", action="store_true", help="write labels only, where the format can do without pictures"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object, with every problem, instead of the report"
    )
    parser.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> int:
    workspace = workspace_of(options)
    progress = Progress()
    choice = Choice(dataset=options.dataset, batch=options.batch)
    try:
        found = export(
            workspace, choice, options.format, options.out, not options.no_images, progress=progress
        )
    except KeyboardInterrupt:
        progress.end()
        print("Stopped: nothing was exported.", file=sys.stderr)
        return 130
    progress.end()
    if options.json:
        print(json.dumps(asdict(found), indent=2, ensure_ascii=False))
        return 0
    print("\n".join(map(printable, tell_export(found))))
    return 0


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
    told = tell(workspace, found.record, found.notes, changed=found.changed, planned=options.dry_run)
    print("\n".join(with_commands_runnable(printable(line)) for line in told))
    return 0


def _class_list(workspace: Workspace, place: str | None) -> tuple[str, ...]:
    if place is None:
        return ()
    if place == OURS:
        return tuple(workspace.pipeline.classes)
    try:
        if place.startswith("s3://"):
            body = workspace.storage.read(place, most=_MOST_LIST_BYTES)
        else:
            with Path(place).open("rb") as file:
                body = file.read(_MOST_LIST_BYTES)
    except (OSError, BadRecord) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"--classes: {place} cannot be read: {why}") from None
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
