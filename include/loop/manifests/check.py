"""Whether a pipeline could learn a manifest: every line through its task, and whether the images are there.

Takes a task and numbered lines, gives what would be refused, line by line, with the reason that a dataset
would write down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.storage import Storage, error_code, in_parallel
from include.loop.manifests.survey import TOLD
from include.loop.tasks.protocol import AnyTask


@dataclass
class Checked:
    """Counts of lines, and of the parts of labels (``lost``) that cannot be learned while the rest can.
    ``problems`` are the first lines that are refused; ``twice`` are lines of images that another line has.
    """

    lines: int = 0
    learnable: int = 0
    empty: int = 0
    lost: int = 0
    twice: int = 0
    refused: int = 0
    classes: Counter[int] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def check(task: AnyTask, lines: Iterable[tuple[int, bytes]], images: Storage | None) -> Checked:
    """Read every line; with ``images``, also ask S3 for each image."""
    found, seen = Checked(), set()

    def look(item: tuple[int, Any]) -> tuple[int, Any]:
        number, label = item
        return number, label if isinstance(label, str) or images is None else _missing(images, label) or label

    for number, label in in_parallel(look, _read(task, lines)):
        found.lines += 1
        if isinstance(label, str):
            found.refused += 1
            if len(found.problems) < TOLD:
                found.problems.append(f"line {number}: {label}")
            continue
        found.learnable += 1
        found.empty += not label.classes
        found.lost += len(label.lost)
        found.classes.update(set(label.classes))
        found.twice += label.source in seen
        seen.add(label.source)
    return found


def _read(task: AnyTask, lines: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, Any]]:
    """Each line's label, or why it has none."""
    for number, line in lines:
        try:
            yield number, task.read_line(line)
        except BadRecord as error:
            yield number, str(error)


def _missing(storage: Storage, label: Any) -> str | None:
    try:
        return None if storage.exists(label.source) else f"there is no image {label.source}"
    except ConfigurationError as error:
        return str(error)
    except ClientError as error:
        if error_code(error) not in {"403", "AccessDenied"}:
            raise
        return f"the image {label.source} may not be read: {error_code(error)}"
