"""The lines of a manifest as candidates of the split register.

Takes any manifest, gives its usable lines, and of the others where they are and why they cannot be used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from include.loop.core.errors import BadRecord, Incompatible
from include.loop.core.records.dataset import RejectedLine
from include.loop.core.records.splits import Split
from include.loop.dataset.split_register import Candidate, name_label
from include.loop.strategies import AUDIT
from include.loop.tasks.manifest_lines import parse_line
from include.loop.tasks.values import ClassMapMismatch
from include.loop.workspace import Workspace


def read_candidates(
    workspace: Workspace, location: str, rejected: list[RejectedLine], wish: Split | None = None
) -> Iterator[Candidate]:
    """The usable lines of a manifest; the others are noted with their reason, and so are the boxes that are
    left out of usable ones. Audits never train.

    Incompatible for a line of another list of classes: then the whole manifest cannot be trusted.
    """
    return candidates_of(workspace, location, workspace.storage.numbered_lines(location), rejected, wish)


def candidates_of(
    workspace: Workspace,
    location: str,
    lines: Iterable[tuple[int, bytes]],
    rejected: list[RejectedLine],
    wish: Split | None = None,
) -> Iterator[Candidate]:
    """The same of some numbered lines of a manifest that were read already."""
    pipeline = workspace.pipeline
    for number, raw in lines:
        label = None
        try:
            value = parse_line(raw)
            label = name_label(value)
            line = workspace.task.read_value(value)
        except ClassMapMismatch as error:
            raise Incompatible(
                f"{workspace.storage.uri(location)}, line {number}: {error} ({pipeline.path}). "
                "One manifest, one list of classes: correct the line, or give it a pipeline of its own."
            ) from None
        except BadRecord as error:
            rejected.append(rejection(workspace, location, number, str(error), label=label))
        else:
            rejected.extend(
                rejection(workspace, location, number, box.reason, box=str(box.number)) for box in line.lost
            )
            audit = line.value.get("reason") == AUDIT and wish in {None, Split.TRAIN}
            yield Candidate(line, Split.AUDIT if audit else wish, location, number)


def rejection(
    workspace: Workspace, location: str, number: int, reason: str, **more: str | None
) -> RejectedLine:
    """A line that is not used; ``more`` are the record's own fields."""
    manifest = workspace.storage.uri(location)
    return RejectedLine(manifest=manifest, line=str(number), reason=reason, **more)


def told(rejected: Sequence[RejectedLine]) -> str:
    """How many lines, and boxes of other lines, cannot be used; and the first of them."""
    boxes = sum(item.box is not None for item in rejected)
    counts = ((len(rejected) - boxes, "lines"), (boxes, "boxes"))
    what = " and ".join(f"{count} {name}" for count, name in counts if count)
    first = rejected[0]
    return f"{what} cannot be used, the first: {first.manifest}, line {first.line}: {first.reason}"
