"""The object-detection algorithm as SageMaker offers it: its image, its models, and its limits.

Takes an environment; gives the training image's URI (looked up with the SageMaker SDK, or the environment's
own) and a SageMaker model per trained artifact. Knows errors, config and network only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from include.loop.aws.request_options import given, tags, vpc
from include.loop.config import Environment
from include.loop.core.errors import ConfigurationError
from include.loop.core.storage import error_code

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

FRAMEWORK = "object-detection"
# SageMaker's own object detection refuses smaller images (its hyperparameter reference: image_shape >= 300).
SAGEMAKER_MIN_IMAGE_SHAPE = 300
SAGEMAKER_RANGES: dict[str, tuple[float, float]] = {
    "learning_rate": (0, 1),
    "lr_scheduler_factor": (0, 1),
    "momentum": (0, 1),
    "weight_decay": (0, 1),
    "nms_threshold": (0, 1),
    "overlap_threshold": (0, 1),
}
SAGEMAKER_OPTIMIZERS = frozenset({"sgd", "adam", "rmsprop", "adadelta"})
# Its page on instances: training on these GPUs only.
SAGEMAKER_GPUS = re.compile(r"ml\.(p2|p3|p3dn|g4dn|g5)\.")


def training_image(environment: Environment) -> str:
    """The URI of the algorithm's image: the environment's own, else SageMaker's for the region."""
    if environment.image:
        return environment.image
    from sagemaker.core import image_uris  # two seconds of imports: only where the answer is needed

    try:
        return str(image_uris.retrieve(FRAMEWORK, environment.region, version="1"))
    except ValueError as error:
        raise ConfigurationError(
            f"{environment.path}: region: SageMaker has no {FRAMEWORK} image in {environment.region!r}; "
            f"choose another region, or name an image of your own in `image` ({error})"
        ) from None


def ensure_model(
    sagemaker: SageMakerClient, environment: Environment, training_job: str, model_data: str
) -> str:
    """The SageMaker model of a trained artifact, named after its training job; created unless it is there."""
    try:
        sagemaker.describe_model(ModelName=training_job)
    except ClientError as error:
        if error_code(error) not in {"ValidationException", "ResourceNotFound"}:
            raise
    else:
        return training_job
    try:
        sagemaker.create_model(
            ModelName=training_job,
            PrimaryContainer={"Image": training_image(environment), "ModelDataUrl": model_data},
            ExecutionRoleArn=environment.role_arn,
            EnableNetworkIsolation=environment.network.isolation,
            **given(VpcConfig=vpc(environment), Tags=tags(environment)),
        )
    except ClientError as error:
        # Somebody made it between the two calls. AWS words it as ValidationException "Cannot create already
        # existing model"; ResourceInUse is what the API model allows for.
        exists = error_code(error) == "ResourceInUse" or "already existing" in str(error)
        if not exists:
            raise
    return training_job


def check_limits(hyperparameters: dict[str, str]) -> None:
    """Refuse before the job is sent what SageMaker's own algorithm would refuse after it has started."""
    problems = []
    shape = int(hyperparameters["image_shape"])
    if shape < SAGEMAKER_MIN_IMAGE_SHAPE:
        problems.append(f"image_shape must be at least {SAGEMAKER_MIN_IMAGE_SHAPE}, not {shape}")
    for name, (low, high) in SAGEMAKER_RANGES.items():
        text = hyperparameters.get(name)
        if text is not None and not low < float(text) <= high:
            problems.append(f"{name} must be above {low:g} and at most {high:g}, not {text}")
    optimizer = hyperparameters.get("optimizer", "sgd")
    if optimizer not in SAGEMAKER_OPTIMIZERS:
        problems.append(
            f"optimizer must be one of {', '.join(sorted(SAGEMAKER_OPTIMIZERS))}, not {optimizer}"
        )
    steps = hyperparameters.get("lr_scheduler_step", "")
    if steps and not re.fullmatch(r"\d+(,\d+)*", steps):
        problems.append(f"lr_scheduler_step must be epochs like 3,6, not {steps}")
    if problems:
        raise ConfigurationError("SageMaker's object detection: " + "; ".join(problems))


def check_machines(environment: Environment) -> None:
    """Refuse machines on which SageMaker's own algorithm does not train; an image of one's own may."""
    instance = environment.training.instance_type
    if environment.image is None and not SAGEMAKER_GPUS.match(instance):
        raise ConfigurationError(
            f"{environment.path}: training.instance_type: SageMaker's object detection trains on ml.p2, "
            f"ml.p3, ml.g4dn and ml.g5 only, not on {instance}"
        )
