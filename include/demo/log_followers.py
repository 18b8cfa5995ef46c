"""What the demo tells while a DAG run waits: a training job's quality lines, how many images are answered.

Each follower is called with the states of the run's tasks at every look, and says only what is new.
"""

from __future__ import annotations

from include.demo.batch import Batch
from include.demo.progress import Progress
from include.demo.reviewers import Reviewers
from include.demo.samples import DemoSample


class TrainingFollower:
    """While a training job runs, tells each epoch's quality from its lines in CloudWatch Logs."""

    def __init__(self, sample: DemoSample, batch: Batch, progress: Progress) -> None:
        self._sample = sample
        self._batch = batch
        self._progress = progress
        self._job: str | None = None
        self._told = 0

    def __call__(self, tasks: dict[str, str]) -> None:
        running = tasks.get("train") in ("running", "deferred")
        if running and self._job is None:
            self._job = self._batch.running_training()
        if self._job is None:
            return
        lines = self._batch.training_lines(self._job)
        epochs = [found for line in lines if (found := self._sample.epoch.search(line))]
        for found in epochs[self._told :]:
            epoch, score = int(found["epoch"]) + 1, float(found["score"])
            self._progress.say(
                f"  epoch {epoch}: {self._sample.quality} {score:.3f} on the validation images"
            )
        self._told = len(epochs)
        if not running:  # the last lines came with the job's end, and have been told now
            self._job, self._told = None, 0


class ReviewFollower:
    """While people are asked, counts the answers; sends the reviewers to work at the first question."""

    def __init__(self, batch: Batch, reviewers: Reviewers, progress: Progress) -> None:
        self._batch = batch
        self._reviewers = reviewers
        self._progress = progress
        self._said = ""

    def __call__(self, tasks: dict[str, str]) -> None:
        if tasks.get("start_human_loops") not in ("running", "deferred", "success"):
            return
        states = self._batch.loop_states()
        if not states:
            return
        self._reviewers.start()
        said = f"  {states['Completed']} of {states.total()} images answered"
        if said != self._said and tasks.get("assemble_manifest") is None:
            self._progress.say(said)
            self._said = said
