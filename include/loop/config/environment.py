"""One place to run: account, machines, network, endpoint, reviewers. Reads no file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from include.loop.config.adapter import ImageAdapter
from include.loop.config.fields import Hyperparameters, Name, Stage, Strict, TagName, TagValue, TaskName
from include.loop.config.operations import AirflowSettings, NotifySettings


class TrainingInstances(Strict):
    """The machines that train, and hyperparameters that only this place needs: ``hyperparameters`` for every
    pipeline, ``task_hyperparameters`` for those of a task.

    With ``spot``, ``max_wait_seconds`` (None: twice the runtime) is the longest from request to end.
    ``checkpoints`` keeps them in S3, so that an interrupted job goes on where it was. ``warm_pool_seconds``
    keeps the machines for a next job; SageMaker takes it without spot only.
    """

    instance_type: str = "ml.g4dn.xlarge"
    instance_count: int = Field(default=1, ge=1, le=20)
    volume_gb: int = Field(default=50, ge=1)
    max_runtime_seconds: int = Field(default=86_400, ge=60, le=432_000)
    spot: bool = False
    max_wait_seconds: int | None = Field(default=None, ge=60, le=2_419_200)
    checkpoints: bool = False
    warm_pool_seconds: int = Field(default=0, ge=0, le=3600)
    hyperparameters: dict[Stage, Hyperparameters] = Field(default={})
    task_hyperparameters: dict[TaskName, dict[Stage, Hyperparameters]] = Field(default={})

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.spot and self.warm_pool_seconds:
            raise ValueError("warm_pool_seconds is for machines of one's own: not together with spot")
        if self.max_wait_seconds is not None and not self.spot:
            raise ValueError("max_wait_seconds is for spot: true")
        if self.max_wait_seconds is not None and self.max_wait_seconds < self.max_runtime_seconds:
            raise ValueError("max_wait_seconds must not be below max_runtime_seconds")
        return self


class TransformInstances(Strict):
    """The machines that predict. A job's MaxPayloadInMB follows its largest image, up to ``max_payload_mb``
    (None: 100, the most that SageMaker takes); what is larger is left out, with that reason.
    """

    instance_type: str = "ml.m5.xlarge"
    instance_count: int = Field(default=1, ge=1, le=100)
    max_payload_mb: int | None = Field(default=None, ge=1, le=100)


class NetworkSettings(Strict):
    """The private network and the keys of jobs and endpoints, passed to SageMaker as they are."""

    subnets: tuple[str, ...] = Field(default=(), max_length=16)
    security_groups: tuple[str, ...] = Field(default=(), max_length=5)
    isolation: bool = False
    encrypt_between_containers: bool = False
    kms_key: str | None = None
    volume_kms_key: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.subnets) != bool(self.security_groups):
            raise ValueError("subnets and security_groups go together: give both or neither")
        return self


class DeploymentSettings(Strict):
    """The endpoint, and how traffic moves to a new model. ``alarms`` are CloudWatch alarms that roll it back.

    ``smoke_test_images`` held-out images are sent to a new model before it gets traffic; its answers may
    differ from what evaluation saw by ``tolerance`` (scores, and a detector's box corners as shares of the
    image).
    """

    endpoint: Name | None = None
    instance_type: str = "ml.m5.xlarge"
    instance_count: int = Field(default=1, ge=1, le=100)
    traffic: Literal["all_at_once", "canary", "linear"] = "all_at_once"
    step_percent: int = Field(default=10, ge=1, le=50)
    bake_seconds: int = Field(default=0, ge=0, le=3600)
    keep_old_seconds: int = Field(default=0, ge=0, le=3600)
    alarms: tuple[str, ...] = Field(default=(), max_length=10)
    smoke_test_images: int = Field(default=5, ge=1, le=100)
    tolerance: float = Field(default=0.02, gt=0, le=1)


class ReviewTeamSettings(Strict):
    """Who reviews, and where. Either an existing work team (by ARN) or the name of one to make. With
    ``events_queue``, the URL of an SQS queue that gets the events of the ends of human loops, open questions
    are looked at when one has ended, and no more often than every ``poll_seconds``.
    """

    workteam: Name = "reviewers"
    workteam_arn: str | None = None
    oidc_groups: tuple[str, ...] = Field(default=("reviewers",), min_length=1, max_length=10)
    portal_url: str | None = Field(default=None, pattern=r"^https?://")
    poll_seconds: float = Field(default=60, gt=0)
    events_queue: str | None = Field(default=None, pattern=r"^https?://\S+$")


class LabelingService(Strict):
    """What labeling jobs cost here, in dollars: for each image with a label, by a person or by a model, and
    for each answer of a person. What an hour of a person costs is the pipeline's ``review.dollars_per_hour``.
    Automatic labeling takes ``automatic_images`` without a label or more.
    """

    service_dollars: float = Field(default=0, ge=0)
    answer_dollars: float = Field(default=0, ge=0)
    # Ground Truth's minimum (developer guide, sms-automated-labeling).
    automatic_images: int = Field(default=1_250, ge=1)


class Environment(Strict):
    """One place to run. ``name`` is the file's name, chosen by ``NIGHTLOOP_ENVIRONMENT``; ``tags`` go on all
    jobs, models and endpoints. ``adapter`` says how ``image`` differs from SageMaker's algorithm.
    """

    name: str
    path: Path = Field(repr=False)
    region: str = Field(min_length=1)
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]$")
    pipeline: Name
    role_arn: str = Field(pattern=r"^arn:aws[a-z\-]*:iam::\d{12}:role/.+$")
    algorithm: Literal["local", "sagemaker"]
    image: str | None = None
    adapter: ImageAdapter = ImageAdapter()
    poll_seconds: float = Field(default=60, gt=0)
    tags: dict[TagName, TagValue] = Field(default={}, max_length=50)
    training: TrainingInstances = TrainingInstances()
    transform: TransformInstances = TransformInstances()
    network: NetworkSettings = NetworkSettings()
    deployment: DeploymentSettings | None = (
        None  # None: models are registered and promoted, and served nowhere
    )
    review: ReviewTeamSettings = ReviewTeamSettings()
    labeling: LabelingService = LabelingService()
    airflow: AirflowSettings = AirflowSettings()
    notify: NotifySettings | None = None  # None: nobody is told

    @model_validator(mode="after")
    def _adapter_is_of_an_image(self) -> Self:
        if self.image is None and self.adapter != ImageAdapter():
            raise ValueError("adapter is for an image of your own: name it in `image`, or remove adapter")
        return self

    @model_validator(mode="after")
    def _arn_is_a_work_team(self) -> Self:
        arn = self.review.workteam_arn
        if arn is not None and ":workteam/" not in arn:
            raise ValueError("review.workteam_arn must be the ARN of a work team (arn:…:workteam/…)")
        return self
