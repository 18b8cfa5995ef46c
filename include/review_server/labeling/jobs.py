"""A labeling job as the steps of its run see it: a value read once from its row, without a session.

Whatever asks S3, a function or a training job holds no transaction meanwhile; it is given this.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

from include.review_server.arns import Arns
from include.review_server.db.models import LabelingJob
from include.review_server.labeling.layout import Layout
from include.review_server.labeling.task_types import TASK_TYPES, TaskType

# MaxConcurrentTaskCount when the request has none.
_CONCURRENT = 1000


@dataclass(frozen=True)
class JobView:
    """What a job was asked to do, and where it stands.

    ``request`` is the CreateLabelingJob request. ``task_type`` is None for custom tasks. ``categories`` are
    names, the index being the class id. ``iteration`` is the number of the latest batch, 0 before the first.
    """

    id: int
    name: str
    arn: str
    request: dict[str, Any]
    task_type: TaskType | None
    label_attribute: str
    categories: tuple[str, ...]
    iteration: int
    objects: int
    human_labeled: int
    machine_labeled: int
    output: Layout
    reference_code: str

    @classmethod
    def of(cls, job: LabelingJob, arns: Arns) -> JobView:
        return cls(
            id=job.id,
            name=job.name,
            arn=arns.labeling_job(job.name),
            request=json.loads(job.request),
            task_type=TASK_TYPES.get(job.task_type or ""),
            label_attribute=job.label_attribute,
            categories=tuple(json.loads(job.categories)),
            iteration=job.iteration,
            objects=job.objects,
            human_labeled=job.human_labeled,
            machine_labeled=job.machine_labeled,
            output=Layout.of(job.output_path, job.name),
            reference_code=job.reference_code,
        )

    @property
    def metadata_name(self) -> str:
        """The job as ``job-name`` in a label's metadata: AWS writes the name in lower case."""
        return f"labeling-job/{self.name.lower()}"

    @property
    def role_arn(self) -> str:
        return str(self.request["RoleArn"])

    @property
    def pre_arn(self) -> str | None:
        """The pre-annotation function, built in or the requester's own."""
        return self._human.get("PreHumanTaskLambdaArn")

    @property
    def acs_arn(self) -> str | None:
        """The annotation consolidation function."""
        config = self._human.get("AnnotationConsolidationConfig") or {}
        return config.get("AnnotationConsolidationLambdaArn")

    @property
    def kms_key_id(self) -> str | None:
        return self.request["OutputConfig"].get("KmsKeyId") or None

    @property
    def is_automated(self) -> bool:
        """Whether a model labels along with people."""
        return bool(self.request.get("LabelingJobAlgorithmsConfig"))

    @property
    def batch_size(self) -> int:
        """How many objects may be out with people at once."""
        return int(self._human.get("MaxConcurrentTaskCount") or _CONCURRENT)

    @property
    def still_allowed(self) -> int:
        """How many more objects people may label until a stopping condition holds.

        Not more go out, so that nobody's work begins in vain: a batch ends the job when it is done.
        """
        conditions = self.request.get("StoppingConditions") or {}
        allowed = self.objects
        if most := conditions.get("MaxHumanLabeledObjectCount"):
            allowed = min(allowed, most - self.human_labeled)
        if percent := conditions.get("MaxPercentageOfInputDatasetLabeled"):
            wanted = ceil(self.objects * Fraction(percent, 100))
            allowed = min(allowed, wanted - self.human_labeled - self.machine_labeled)
        return max(allowed, 0)

    @property
    def _human(self) -> dict[str, Any]:
        config: dict[str, Any] = self.request["HumanTaskConfig"]
        return config
