"""The run of labeling jobs as jobs of the background, each bounded, put together for whoever runs them."""

from __future__ import annotations

from collections.abc import Callable

from include.review_server.arns import Arns
from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.labeling.consolidating import Consolidations
from include.review_server.labeling.functions import Functions
from include.review_server.labeling.logs import JobLog
from include.review_server.labeling.machine import Machine, MachineSteps
from include.review_server.labeling.offering import Offering
from include.review_server.labeling.output import Manifests
from include.review_server.labeling.publishing import Publishing
from include.review_server.labeling.running import LabelingRuns
from include.review_server.s3 import ObjectStore


def labeling_steps(
    database: Database,
    clock: Clock,
    arns: Arns,
    store: ObjectStore,
    functions: Functions,
    machine: Machine,
    job_log: JobLog,
    wake: Callable[[], None],
) -> list[Callable[[], bool]]:
    """Each says whether more is waiting. ``wake`` tells all of them that one has changed something."""
    return [
        LabelingRuns(database, clock, arns, job_log, wake).advance,
        Offering(database, clock, arns, functions, wake).offer,
        Consolidations(database, clock, arns, store, functions, wake).consolidate,
        MachineSteps(database, clock, arns, machine, wake).ask,
        Publishing(database, clock, arns, Manifests(database, store), machine, job_log).publish,
    ]
