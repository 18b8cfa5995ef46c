"""``data show | count | attributes``: what a person asks of an augmented manifest."""

from __future__ import annotations

import argparse
import json
from contextlib import closing
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from include.loop.commands.base import add_manifest, anywhere, count, print_first
from include.loop.commands.foreign import RECORDS, check_is_manifest
from include.loop.core.errors import ConfigurationError
from include.loop.lineage.text import printable
from include.loop.manifests.places import numbered_lines, open_place
from include.loop.manifests.survey import Attribute, Survey, survey
from include.recordio import RecordIOError
from include.recordio import survey as records

PREVIEWS = dict(zip(RECORDS, (records.preview, records.preview_list), strict=True))


def add(commands: Any) -> None:
    parser = add_manifest(
        commands,
        "show",
        _show,
        help="the first lines of a manifest, or records of a .rec or .lst",
        description="Prints the first lines of a manifest as they are; of a RecordIO file or its list, what "
        "the first records say.",
    )
    parser.add_argument("--limit", type=count, default=2, metavar="N", help="how many (default: 2)")
    counts = add_manifest(
        commands,
        "count",
        _count,
        help="how many lines, labels, and things of each class",
        description="Counts lines that are not blank, and for each label attribute the images with a label, "
        "without one, those that failed, those that show nothing, and what there is of each class.",
    )
    attributes = add_manifest(
        commands,
        "attributes",
        _attributes,
        help="which attribute is the label",
        description="Names the source and every attribute that has metadata, with its type and in how many "
        "lines it is. Where several could be the label, it says so and chooses none.",
    )
    for parser in (counts, attributes):
        parser.add_argument(
            "--label", metavar="ATTRIBUTE", help="look at this one too, though it has no metadata"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")


def _show(options: argparse.Namespace) -> int:
    if not options.manifest.endswith(RECORDS):
        check_is_manifest(options.manifest)
    if preview := PREVIEWS.get(PurePosixPath(options.manifest).suffix):
        with closing(open_place(options.manifest, anywhere)) as stream:
            try:
                for text in preview(stream, options.limit):
                    print(printable(text))
            except RecordIOError as error:
                raise ConfigurationError(f"{options.manifest}: {error}") from None
        return 0
    for number, line in islice(numbered_lines(options.manifest, anywhere), options.limit):
        print(f"line {number}\n{printable(line.decode(errors='replace').strip())}\n")
    return 0


def _count(options: argparse.Namespace) -> int:
    found = _survey(options)
    if options.json:
        labels = {item.name: _counts(found, item) for item in found.attributes.values()}
        _print_json(found, broken=found.broken, labels=labels)
        return 0
    print(f"{found.lines:,} lines")
    for item in found.attributes.values():
        _print_counts(found, item)
    print_first(found.problems, found.broken)
    return 0


def _attributes(options: argparse.Namespace) -> int:
    found = _survey(options)
    candidates = [item.name for item in found.candidates()]
    label = candidates[0] if len(candidates) == 1 else None
    source = next(iter(found.sources), None)
    if options.json:
        attributes = [_described(found, item) for item in found.attributes.values()]
        names = [source, label] if source and label else None
        _print_json(found, sources=dict(found.sources), attributes=attributes, attribute_names=names)
        return 0
    for name, number in found.sources.items():
        print(f"{name:24} the source, in {found.share(number)}")
    for item in found.attributes.values():
        kind = ", ".join(sorted(item.types)) or "no type"
        newest = f", newest of {item.newest}" if item.newest else ""
        print(printable(f"{item.name:24} {kind}, in {found.share(item.lines)}{newest}"))
    if source and label:
        print(printable(f'AttributeNames: ["{source}", "{label}"]'))
    elif candidates:
        print(printable(f"Several could be the label: {', '.join(candidates)}. Name one with --label."))
    else:
        print(printable(f"None is a label: {found.told_attributes()}."))
    print_first(found.problems, found.broken)
    return 0


def _survey(options: argparse.Namespace) -> Survey:
    check_is_manifest(options.manifest)
    return survey(options.manifest, numbered_lines(options.manifest, anywhere), options.label)


def _counts(found: Survey, item: Attribute) -> dict[str, Any]:
    unreadable = item.unreadable.total()
    return {
        "labelled": item.labelled,
        "unlabelled": found.lines - found.broken - item.labelled - item.failed - unreadable,
        "failed": item.failed,
        "unreadable": unreadable,
        "empty": item.empty,
        "most": item.most,
        "classes": {
            str(index): {
                "names": sorted(item.names.get(index, ())),
                "count": item.things[index],
                "images": item.images[index],
            }
            for index in sorted(item.things)
        },
    }


def _print_counts(found: Survey, item: Attribute) -> None:
    counts = _counts(found, item)
    kinds = ("labelled", "unlabelled", "failed", "unreadable")
    told = ", ".join(f"{counts[kind]:,} {kind}" for kind in kinds if counts[kind] or kind == "labelled")
    print(printable(f"{item.name}: {told}"))
    for reason, number in item.unreadable.most_common():
        print(printable(f"  unreadable: {reason} ({number:,})"))
    for index, one in counts["classes"].items():
        names = "/".join(one["names"])
        print(printable(f"  class {index:4} {names:24} {one['count']:,} in {one['images']:,} images"))
    if item.labelled:
        print(f"  {item.empty:,} images show nothing; the fullest shows {item.most:,}")


def _described(found: Survey, item: Attribute) -> dict[str, Any]:
    return {
        "name": item.name,
        "types": sorted(item.types),
        "lines": item.lines,
        "in_all_lines": item.lines == found.lines,
        "newest": item.newest or None,
        "can_be_the_label": item.can_be_learned,
    }


def _print_json(found: Survey, **more: Any) -> None:
    value = {"manifest": found.place, "lines": found.lines, **more}
    print(json.dumps(value, indent=2, ensure_ascii=False))
