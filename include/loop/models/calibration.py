"""How a trained model's scores are to be read, wherever the loop asks how sure it is."""

from __future__ import annotations

import logging

from include.loop.core.records.calibration import Calibration
from include.loop.core.records.metrics import MetricsParts
from include.loop.workspace import Workspace

log = logging.getLogger(__name__)


def find_calibration(workspace: Workspace, training_job: str) -> Calibration | None:
    """What the model's evaluation found. None, so that its scores stay as they are, of a model that an
    earlier version evaluated, or nobody, and where the record cannot be read: no night stops for that.
    """
    found = MetricsParts.find(workspace.storage, training_job)
    if found.calibration is None:
        for problem in found.problems:
            log.warning("the scores of %s stay as they are: %s", training_job, problem)
    return found.calibration
