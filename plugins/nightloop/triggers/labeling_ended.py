"""The wait for a labeling job: one DescribeLabelingJob an interval, however many images people label."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from include.loop.aws.jobs import is_missing
from include.loop.labeling.progress import Counts, LabelingStatus, Watch, tell
from nightloop.triggers.polling import PollingTrigger

# A labeling job fails by itself after 30 days.
LONGEST_JOB = timedelta(days=31)


class LabelingJobTrigger(PollingTrigger):
    """Waits until a labeling job has ended; logs how far it is whenever that changes.

    When a user clears or marks the waiting task, `on_kill` stops the job: nobody shall go on working for a
    run that is not there any more. What has a label keeps it, and the next try goes on from there.

    :param watch: a `include.loop.labeling.progress.Watch` as a dict.
    """

    slowest = 5.0

    def __init__(self, *, watch: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.watch = Watch.from_dict(watch)
        self.counts = Counts()
        self.status: str | None = None
        self._began: datetime | None = None

    def watched(self) -> dict[str, Any]:
        return {"watch": self.watch.to_dict()}

    def hook(self) -> Any:
        from nightloop.hooks.loop_aws import AugmentedAIHook

        return AugmentedAIHook(self.aws_conn_id, client_type="sagemaker", region_name=self.region_name)

    async def look(self, client: Any) -> bool:
        described = await client.describe_labeling_job(LabelingJobName=self.watch.job)
        self._began = described["CreationTime"]
        counts, status = Counts.of(described), LabelingStatus(described["LabelingJobStatus"])
        if (counts, status) != (self.counts, self.status):
            self.counts, self.status = counts, status
            self.log.info("%s", tell(self.watch, described, datetime.now(UTC)))
        return status.ended

    async def on_kill(self) -> None:
        from botocore.exceptions import ClientError

        job = self.watch.job
        async with await self.hook().get_async_conn() as client:
            try:
                await client.stop_labeling_job(LabelingJobName=job)
                self.log.warning("Stopping %s, because the task was cleared or marked.", job)
            except ClientError as error:
                if not is_missing(error):
                    raise
                self.log.info("%s was not stopped: %s", job, error)  # it ended a moment ago

    def result(self) -> dict[str, Any]:
        return {"watch": self.watch.to_dict(), "status": self.status}

    def deadline(self) -> datetime | None:
        return self._began + LONGEST_JOB if self._began else None
