"""What is known of a batch's images already, for strategies that compare it with what the model says.

Takes the manifest that ``triage.references`` names, gives the classes of those of its images that belong to
the batch. The manifest is read once, line by line: it may be of a whole collection.
"""

from __future__ import annotations

from collections.abc import Set

from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.tasks.manifest_lines import parse_line, read_source
from include.loop.workspace import Workspace


def read_references(workspace: Workspace, location: str, images: Set[str]) -> dict[str, frozenset[int] | str]:
    """By image, the classes that it is known to be of, or why its line does not say it. An image without a
    line is not there; of several lines the last one counts, as the one that was added last.

    ConfigurationError when there is no such manifest. A line that cannot be read at all names no image: it
    costs nobody else's reference.
    """
    try:
        lines = workspace.storage.read_raw_lines(location)
    except FileNotFoundError as error:
        raise ConfigurationError(f"{workspace.pipeline.path}: triage.references: {error}") from None
    known: dict[str, frozenset[int] | str] = {}
    for line in lines:
        try:
            value = parse_line(line)
            source = read_source(value)
        except BadRecord:
            continue
        if source not in images:
            continue
        try:
            known[source] = frozenset(workspace.task.read_value(value).classes)
        except BadRecord as error:
            known[source] = f"no reference label: {error}"
    return known
