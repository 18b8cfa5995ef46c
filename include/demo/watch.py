"""What the demo tells while a DAG run waits: a training job's quality lines, how many images are answered.

Each watch is called with the states of the run's tasks at every look, and says only what is new.
"""

from __future__ import annotations

from include.demo.night import Night
from include.demo.progress import Progress
from include.demo.reviewers import Reviewers


class TrainingWatch:
    """While a training job runs, repeats its quality lines from CloudWatch Logs as they come."""

    def __init__(self, night: Night, progress: Progress) -> None:
        self._night = night
        self._progress = progress
        self._told: dict[str, int] = {}

    def __call__(self, tasks: dict[str, str]) -> None:
        if tasks.get("train") != "deferred" or (job := self._night.running_training()) is None:
            return
        lines = [line for line in self._night.training_lines(job) if "quality_metric" in line]
        for line in lines[self._told.get(job, 0) :]:
            self._progress.say(f"  {line.split('#quality_metric:')[-1].strip()}")
        self._told[job] = len(lines)


class ReviewWatch:
    """While people are asked, counts the answers; sends the reviewers to work at the first question."""

    def __init__(self, night: Night, reviewers: Reviewers, progress: Progress) -> None:
        self._night = night
        self._reviewers = reviewers
        self._progress = progress
        self._said = ""

    def __call__(self, tasks: dict[str, str]) -> None:
        if tasks.get("start_human_loops") not in ("running", "deferred", "success"):
            return
        states = self._night.loop_states()
        if not states:
            return
        self._reviewers.start()
        said = f"  {states['Completed']} of {states.total()} images answered"
        if said != self._said and tasks.get("assemble_manifest") is None:
            self._progress.say(said)
            self._said = said
