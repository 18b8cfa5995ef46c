"""Which jobs wait because something that they need did not answer; the others go on."""

from __future__ import annotations

import logging
import time

log = logging.getLogger(__name__)

_LONGEST_SECONDS = 64.0


class Patience:
    """Waits of 2, 4, 8 … seconds for each job. In memory only: a server that starts tries at once."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._waits: dict[int, tuple[int, float]] = {}

    def is_over(self, job_id: int) -> bool:
        """Whether the job may be tried (again)."""
        return time.monotonic() >= self._waits.get(job_id, (0, 0.0))[1]

    def failed(self, job_id: int, job_name: str, error: Exception) -> None:
        """It failed for now. Told each time, as the waits are long soon."""
        attempts = self._waits.get(job_id, (0, 0.0))[0] + 1
        wait = min(2.0 ** min(attempts, 10), _LONGEST_SECONDS)
        self._waits[job_id] = attempts, time.monotonic() + wait
        why = str(error) or type(error).__name__
        log.warning(
            "labeling job %s: %s failed, will try again in %.0f s: %s", job_name, self._what, wait, why
        )

    def attempts(self, job_id: int) -> int:
        """How often it has failed in a row, with this process."""
        return self._waits.get(job_id, (0, 0.0))[0]

    def worked(self, job_id: int) -> None:
        self._waits.pop(job_id, None)
