"""``data check | split``: whether a pipeline can learn a manifest, and its division into two."""

from __future__ import annotations

import argparse
from typing import Any

from include.loop.commands.base import add_manifest, add_pipeline, anywhere, print_first, share, workspace_of
from include.loop.commands.foreign import check_is_manifest
from include.loop.core.errors import ConfigurationError
from include.loop.lineage.text import printable
from include.loop.manifests import splits
from include.loop.manifests.check import check
from include.loop.manifests.places import drafts, is_other, numbered_lines, with_suffix
from include.loop.manifests.splits import PARTS, Choice, Rule
from include.loop.manifests.survey import survey
from include.loop.tasks import task_of

# Of the unlike reasons why lines are left out, so many are told.
REASONS = 10


def add(commands: Any) -> None:
    _add_check(commands)
    _add_split(commands)


def _add_check(commands: Any) -> None:
    parser = add_manifest(
        commands,
        "check",
        _check,
        help="whether a pipeline can learn a manifest",
        description="Reads every line as the pipeline would: what would be refused, and why. Exit status 1 "
        "when anything would be.",
    )
    add_pipeline(parser)
    parser.add_argument("--label", metavar="ATTRIBUTE", help="default: the pipeline's label_attribute")
    parser.add_argument("--no-images", action="store_true", help="do not ask S3 whether the images are there")


def _add_split(commands: Any) -> None:
    parser = add_manifest(
        commands,
        "split",
        _split,
        help="divide a manifest into train and validation",
        description="Writes two manifests, NAME-train and NAME-validation, with the lines as they are. Lines "
        "without a label are in neither, and are counted. The same command gives the same two.",
    )
    parser.add_argument(
        "--share", type=share, default=0.2, help="of the images for validation (default: 0.2)"
    )
    parser.add_argument(
        "--by",
        choices=[rule.value for rule in (Rule.HASH, Rule.SHUFFLE, Rule.CLASS)],
        help="hash (default): by each image's URI, so that lines added later move no old one; shuffle: at "
        "random, by --seed; class: the same within each class, so that rare ones are in both",
    )
    parser.add_argument(
        "--group", metavar="FIELD", help="keep images with the same value of it (a camera, a day) together"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the chance (default: 0)")
    parser.add_argument("--label", metavar="ATTRIBUTE", help="the label; default: the only one there is")
    parser.add_argument(
        "--out", metavar="FOLDER", help="a folder or S3 prefix for both; default: beside the manifest"
    )
    parser.add_argument("--replace", action="store_true", help="write over other manifests that lie there")


def _check(options: argparse.Namespace) -> int:
    check_is_manifest(options.manifest)
    workspace = workspace_of(options)
    pipeline = workspace.pipeline
    if options.label:
        pipeline = pipeline.model_copy(update={"label_attribute": options.label})
    images = None if options.no_images else workspace.storage
    found = check(task_of(pipeline), numbered_lines(options.manifest, lambda: workspace.storage), images)
    print(f"{found.lines:,} lines: {found.learnable:,} can be learned, {found.refused:,} would be refused")
    for index in sorted(found.classes):
        print(printable(f"  {pipeline.classes[index]:24} in {found.classes[index]:,} images"))
    print(f"  {found.empty:,} images show nothing")
    if found.lost:
        print(f"  {found.lost:,} parts of labels cannot be learned; the rest of their lines can")
    if found.twice:
        print(f"  {found.twice:,} lines are of an image that an earlier line has")
    print_first(found.problems, found.refused)
    if found.refused and not found.learnable and not options.label:
        print(
            f"The pipeline's label_attribute is {pipeline.label_attribute}. `data attributes` says what the "
            "manifest has; --label tries another."
        )
    return 1 if found.refused or not found.lines else 0


def _split(options: argparse.Namespace) -> int:
    if options.group and options.by:
        raise ConfigurationError("--group is a rule of its own: leave out --by")
    place = options.manifest
    check_is_manifest(place)
    label = survey(place, numbered_lines(place, anywhere), options.label).choose(options.label).name
    rule = Rule.GROUP if options.group else Rule(options.by or Rule.HASH)
    choice = Choice(label, rule, options.share, options.seed, options.group or "")
    places = [with_suffix(place, part, options.out) for part in PARTS]
    decided = splits.decide(numbered_lines(place, anywhere), choice)
    with drafts(places, anywhere) as files:
        parted = splits.write(numbered_lines(place, anywhere), choice, decided, files)
        for file, written in zip(files, places, strict=True):
            if not options.replace and is_other(file, written, anywhere):
                raise ConfigurationError(
                    f"{written} is there already, with other lines: perhaps of another division. --replace "
                    "writes over both, --out names another folder"
                )
    for part, written in zip(PARTS, places, strict=True):
        print(f"{written}: {parted.parts[part]:,} lines, of which {parted.empty[part]:,} show nothing")
    if parted.left_out:
        print(f"left out: {parted.left_out.total():,} lines")
        for reason, number in parted.left_out.most_common(REASONS):
            print(printable(f"  {reason} ({number:,})"))
    return 0
