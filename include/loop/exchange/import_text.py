"""What an import brought, in words for a terminal or a log."""

from __future__ import annotations

import html
from collections.abc import Iterator

from include.loop.core import layout
from include.loop.core.records.imports import Import, ImportProblem
from include.loop.workspace import Workspace

TOLD = 5  # of each kind of problem

KINDS = {
    "refused": "images and records that are not used",
    "dropped": "labels left out of images that are used",
    "mended": "labels that were changed",
}


def tell(workspace: Workspace, record: Import, *, changed: bool, planned: bool) -> list[str]:
    """The lines of the report; ``planned`` when nothing was written, ``changed`` False when all of it was
    there already.
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
    if record.other_splits:
        counts = ", ".join(f"{name} {count:,}" for name, count in record.other_splits.items())
        lines.append(f"  not taken   images of other splits: {counts} (--as test:NAME imports test images)")
    lines += _problems(workspace, record, planned)
    lines += _near_duplicates(record)
    lines += [f"  {name:11} {uri}" for name, uri in record.manifests.items()]
    if not planned:
        lines.append(f"  on record   {workspace.storage.uri(layout.import_file(record.name))}")
        lines.append(_next(workspace, record))
    return lines


def page(workspace: Workspace, record: Import) -> bytes:
    """The same as a page of its own, beside the reports of the rounds: Airflow links to it."""
    told = html.escape("\n".join(tell(workspace, record, changed=True, planned=False)))
    style = "body{font:16px/1.6 system-ui,sans-serif;margin:3rem;color-scheme:light dark}"
    style += "pre{white-space:pre-wrap}"
    title = html.escape(f"{workspace.pipeline.name}: {record.name}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{style}</style>'
        f'<h1>{title}</h1><pre>{told}</pre><p><a href="../index.html">All reports</a></html>'
    ).encode()


def _headline(record: Import, *, changed: bool, planned: bool) -> str:
    what = f"{record.source} as {record.format} into {record.target}"
    if planned:
        return f"{record.name} would be: {what}. Nothing was written."
    return f"{record.name}: {what}" if changed else f"{record.name} is there since {record.at}: {what}"


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


def _next(workspace: Workspace, record: Import) -> str:
    name = workspace.pipeline.name
    if record.target == "initial":
        return f"Next: the DAG initial_training__{name} trains the first model from it."
    if record.target == "labels":
        return (
            f"Next: the DAG incremental_training__{name} learns it in its next round, as batch "
            f"{record.name}; python -m include.loop discard-labels {record.name} --why … keeps it from that."
        )
    return "Next: every evaluation measures with it from now on."
