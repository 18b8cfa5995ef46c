"""What the demo tells of a training while it runs."""

from __future__ import annotations

from typing import Any

import pytest

from include.demo.log_followers import TrainingFollower
from include.demo.progress import Progress
from include.demo.samples import SAMPLES


class Jobs:
    """Of a batch what a follower asks for: the running job, and its log so far."""

    def __init__(self) -> None:
        self.running: str | None = None
        self.lines: list[str] = []

    def running_training(self) -> str | None:
        return self.running

    def training_lines(self, job: str) -> list[str]:
        return list(self.lines)


@pytest.mark.parametrize("waiting", ["running", "deferred"])
def test_each_epoch_is_told_once_however_the_task_waits_for_the_job(
    waiting: str, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs: Any = Jobs()
    follower = TrainingFollower(SAMPLES["digits"], jobs, Progress(1))
    follower({"train": waiting})  # the job is not there yet
    jobs.running = "train-1"
    for epoch in range(3):
        line = f"#quality_metric: host=algo-1, epoch={epoch}, validation mAP <score>=(0.{epoch}00000)"
        jobs.lines.append(line)
        follower({"train": "success" if epoch == 2 else waiting})
    follower({"train": "success", "evaluate": "running"})
    told = [line.split("epoch ")[1] for line in capsys.readouterr().out.splitlines()]
    assert told == [f"{number + 1}: mAP 0.{number}00 on the validation images" for number in range(3)]
