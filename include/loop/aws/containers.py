"""The image and the models of the task's built-in algorithm, as SageMaker offers it.

Takes a workspace; gives the training image's URI (looked up with the SageMaker SDK, or the environment's own)
and a SageMaker model per trained artifact.
"""

from __future__ import annotations

from botocore.exceptions import ClientError

from include.loop.aws.request_options import given, tags, vpc
from include.loop.core.errors import ConfigurationError
from include.loop.core.storage import error_code
from include.loop.workspace import Workspace


def training_image(workspace: Workspace) -> str:
    """The URI of the algorithm's image: the environment's own, else SageMaker's for the region."""
    environment, algorithm = workspace.environment, workspace.task.algorithm.name
    if environment.image:
        return environment.image
    from sagemaker.core import image_uris  # two seconds of imports: only where the answer is needed

    try:
        return str(image_uris.retrieve(algorithm, environment.region, version="1"))
    except ValueError as error:
        raise ConfigurationError(
            f"{environment.path}: region: SageMaker has no {algorithm} image in {environment.region!r}; "
            f"choose another region, or name an image of your own in `image` ({error})"
        ) from None


def ensure_model(workspace: Workspace, training_job: str, model_data: str) -> str:
    """The SageMaker model of a trained artifact, named after its training job; created unless it is there."""
    sagemaker, environment = workspace.clients.sagemaker, workspace.environment
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
            PrimaryContainer={"Image": training_image(workspace), "ModelDataUrl": model_data},
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
