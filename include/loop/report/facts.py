"""The facts of all rounds that were told."""

from __future__ import annotations

from include.loop.core import layout
from include.loop.core.errors import BadRecord, Fatal
from include.loop.core.records.facts import Facts
from include.loop.core.storage import in_parallel
from include.loop.workspace import Workspace


def read_all(workspace: Workspace) -> list[Facts]:
    """Those that cannot be read any more are left out."""

    def read(folder: str) -> Facts | None:
        try:
            facts = Facts.find(workspace.storage, folder)
        except (BadRecord, Fatal):
            return None
        # Facts are written again under the name they bear: it has to be their own.
        return facts if facts and facts.training_job == folder and layout.is_training_job(folder) else None

    told = in_parallel(read, workspace.storage.list_folders(layout.REPORTS))
    return [facts for facts in told if facts is not None]
