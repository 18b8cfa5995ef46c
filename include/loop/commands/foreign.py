"""What lies where a command wants an augmented manifest, and is none: told, with the command that takes it.

A file of another format is often lines of JSON or of text, so that it would be counted line by line.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from include.loop.commands.base import anywhere
from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.exchange.sources import open_source
from include.loop.exchange.survey import find_formats
from include.loop.manifests.places import is_in_s3, open_place
from include.loop.manifests.survey import parse_object, source_of

RECORDS = (".rec", ".lst")
_GLANCE = 1 << 20  # bytes, in which the first line of a manifest ends


def check_is_manifest(place: str) -> None:
    """ConfigurationError for a folder, for a file of another format, and where nothing is. A manifest with a
    first line that is broken is one.
    """
    folder = place.endswith("/") if is_in_s3(place) else Path(place).is_dir()
    if not folder and _begins_as_manifest(place):
        return
    formats = _formats(place)
    if formats and "ground-truth" not in formats:
        shown = "`data show` tells of its records, and " if place.endswith(RECORDS) else ""
        raise ConfigurationError(
            f"{place} is no augmented manifest: it reads as {' or '.join(formats)}. {shown}`data import "
            f"{place} --as TARGET` makes manifests of it"
        )
    if folder:
        raise ConfigurationError(f"{place} is a folder, and a manifest is one file: name it")


def _begins_as_manifest(place: str) -> bool:
    with closing(open_place(place, anywhere)) as file:
        line = file.read(_GLANCE).lstrip().partition(b"\n")[0]
    try:
        return not line or source_of(parse_object(line)) is not None
    except BadRecord:
        return False


def _formats(place: str) -> list[str]:
    try:
        with open_source(place, anywhere()) as files:
            return find_formats(files)
    except ConfigurationError:
        return []
