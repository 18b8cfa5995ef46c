"""What an import brought, in words for a terminal or a log."""

from __future__ import annotations

from collections.abc import Iterator

from include.loop.core import layout
from include.loop.core.records.imports import Import, ImportProblem
from include.loop.exchange.import_notes import Notes
from include.loop.report.page import environment
from include.loop.workspace import Workspace

TOLD = 5  # of each kind of problem

KINDS = {
    "refused": "images and records that are not used",
    "dropped": "labels left out of images that are used",
    "mended": "labels that were changed",
    "doubtful": "images that are used, and should be looked at",
}


def tell(
    workspace: Workspace,
    record: Import,
    notes: Notes,
    *,
    changed: bool,
    planned: bool,
    trains_itself: bool = False,
) -> list[str]:
    """The lines of the report; ``planned`` when nothing was to be written, ``changed`` False when all of it
    was there already, ``trains_itself`` where nobody has to start the training that learns it.
    """
    lines = [
        _headline(record, changed=changed, planned=planned),
        f"  images      {record.images:,} ({record.copied:,} copied, {record.referenced:,} referenced in S3)"
        + (f"; {record.negatives:,} show nothing" if record.negatives else ""),
        "  labels      " + ", ".join(f"{name} {count:,}" for name, count in record.labels.items()),
        "  splits      " + ", ".join(f"{name} {count:,}" for name, count in record.splits.items()),
    ]
    renamed = [f"{theirs} → {mine}" for theirs, mine in record.classes.items() if theirs != mine]
    if renamed:
        lines.append(f"  renamed     {', '.join(renamed)}")
    if record.left_out:
        counts = ", ".join(f"{name} {count:,}" for name, count in record.left_out.items())
        lines.append(f"  left out    labels of other classes, as asked: {counts}")
    if record.marks:
        counts = ", ".join(f"{name} {count:,}" for name, count in record.marks.items())
        lines.append(f"  marked      {counts} (kept; learned and measured like all others)")
    if record.other_splits:
        counts = ", ".join(f"{name} {count:,}" for name, count in record.other_splits.items())
        lines.append(f"  not taken   images of other splits: {counts} (--as test:NAME imports test images)")
    lines += _problems(workspace, record, planned)
    lines += _near_duplicates(record)
    lines += _notes(record, notes)
    lines += [f"  {name:11} {uri}" for name, uri in record.manifests.items()]
    if not planned:
        lines.append(f"  on record   {workspace.storage.uri(layout.import_file(record.name))}")
        lines += _next(workspace, record, notes, trains_itself)
    return lines


def page(workspace: Workspace, record: Import, notes: Notes) -> bytes:
    """The same as a page of its own, beside the reports of the rounds: Airflow links to it."""
    shown = (
        environment()
        .get_template("import.html.jinja")
        .render(
            title=f"{workspace.pipeline.name}: {record.name}",
            told="\n".join(tell(workspace, record, notes, changed=True, planned=False)),
            history=workspace.storage.exists(layout.HISTORY_PAGE),
        )
    )
    return shown.encode()


def _headline(record: Import, *, changed: bool, planned: bool) -> str:
    what = f"{record.source} as {record.format} into {record.target}"
    if not changed:
        # Seconds are enough to be read.
        return f"{record.name} is there since {record.at[:19]}: {what}. Nothing is to be written."
    if planned:
        return f"{record.name} would be: {what}. Nothing was written."
    return f"{record.name}: {what}"


def _problems(workspace: Workspace, record: Import, planned: bool) -> Iterator[str]:
    for kind, count in record.problems.items():
        yield f"  {kind:11} {count:,} {KINDS.get(kind, 'labels')}"
        first = [item for item in record.first_problems if item.kind == kind][:TOLD]
        yield from (f"    {item.where}: {item.reason}" for item in first)
        if count > len(first):
            yield f"    and {count - len(first):,} more"
    if record.problems and not planned:
        yield f"  all of them {workspace.storage.uri(ImportProblem.location(record.name))}"


def _near_duplicates(record: Import) -> Iterator[str]:
    if not record.near_duplicates:
        return
    yield (
        f"  look alike  {record.near_duplicates:,} pairs across splits; a dataset never learns from one of "
        "them and measures with the other"
    )
    for pair in record.first_near_duplicates[:TOLD]:
        yield f"    {pair.name} ({pair.split}) and {pair.like} ({pair.other_split})"


def _notes(record: Import, notes: Notes) -> Iterator[str]:
    if notes.labelled:
        counts = " (of two labels the newer counts)" if record.target == "labels" else ""
        yield f"  known       {notes.labelled:,} of the images are labelled already{counts}"
    if notes.newer:
        batches = ", ".join(f"{batch} ({count:,})" for batch, count in list(notes.newer.items())[:TOLD])
        more = f" and {len(notes.newer) - TOLD:,} more" if len(notes.newer) > TOLD else ""
        yield (
            f"  WARNING     {notes.outdated:,} of the images have newer labels, which count instead: "
            f"{batches}{more}. `discard-labels BATCH` leaves those out"
        )
    yield from (f"  WARNING     {warning}" for warning in notes.warnings)


def _next(workspace: Workspace, record: Import, notes: Notes, trains_itself: bool) -> list[str]:
    name = workspace.pipeline.name
    if notes.discarded:
        return [
            f"No model learns from it: {record.name} was discarded, which "
            f"{workspace.storage.uri(layout.discarded_file(record.name))} says. Importing it again does not "
            "undo that; deleting this object does."
        ]
    if record.target == "labels" and notes.outdated == record.images:
        return ["Nothing of it will be learned as things are: all of its images have newer labels."]
    if trains_itself:
        return []
    if record.target == "initial":
        return [
            "Next: train the first model from it (Airflow shows a new pipeline file within a minute):",
            *_start(f"initial_training__{name}"),
        ]
    if record.target == "labels":
        return [
            f"Next: the DAG incremental_training__{name} learns it in its next round, as batch "
            f"{record.name}; python -m include.loop discard-labels {record.name} --why … keeps it from that. "
            "A round at once:",
            *_start(f"incremental_training__{name}"),
        ]
    return ["Next: every evaluation measures with it from now on."]


def _start(dag: str) -> list[str]:
    """A DAG that is paused, as all are at first, would leave its run waiting without a word."""
    return [f"  airflow dags unpause {dag}", f"  airflow dags trigger {dag}"]
