"""The facts of all rounds that were told."""

from __future__ import annotations

from include.loop.core import copies, layout
from include.loop.core.errors import BadRecord, Fatal
from include.loop.core.records.facts import Facts
from include.loop.workspace import Workspace


def read_all(workspace: Workspace) -> list[Facts]:
    """Those that cannot be read any more are left out."""
    storage, told = workspace.storage, []
    listed = (item for item in storage.list(layout.REPORTS) if layout.is_facts(item.uri))
    for item, body in copies.read_all(storage, listed, layout.copy_file("facts"), keep=True):
        try:
            facts = Facts.of_bytes(storage, item.uri, body)
        except (BadRecord, Fatal):
            continue
        # Facts are written again under the name they bear: it has to be their own.
        job = layout.folder_of(item.uri)
        if facts.training_job == job and layout.is_training_job(job):
            told.append(facts)
    return told
