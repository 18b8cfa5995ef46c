"""Models: a training image and an archive of weights, checked when they are made and looked up when they
are used.

A model may name a model package instead; what the package says then is kept with the model, which goes on
working when the package is rejected or deleted later.
"""

from __future__ import annotations

from datetime import UTC, datetime

from include.local_cloud.control import listing, request_members, variables
from include.local_cloud.control.algorithms import Algorithms
from include.local_cloud.control.model_packages import usable_container
from include.local_cloud.control.tags import Tags
from include.local_cloud.settings import arn
from include.local_cloud.store import MODEL, AlreadyExists, Document, Store
from include.wire import AwsError

_SERVED = "ServedContainer"  # ours: no member of DescribeModel's reply


class Models:
    def __init__(self, store: Store, algorithms: Algorithms, tags: Tags) -> None:
        self._store, self._algorithms, self._tags = store, algorithms, tags

    def create_model(self, params: Document) -> Document:
        name = params["ModelName"]
        model_arn = arn(MODEL.arn, name)
        without_effect = request_members.check(request_members.MODEL, params)
        served = self._resolved(container_of(params)) | {request_members.KEPT_AS: without_effect}
        kept = {member: value for member, value in params.items() if member != "Tags"}
        document = {"EnableNetworkIsolation": False} | kept
        document |= {"ModelArn": model_arn, "CreationTime": datetime.now(UTC), _SERVED: served}
        try:
            self._store.create(MODEL, name, document)
        except AlreadyExists:
            raise AwsError(
                "ValidationException", f'Cannot create already existing model "{model_arn}".'
            ) from None
        self._tags.put(model_arn, params.get("Tags", []))
        return {"ModelArn": model_arn}

    def describe_model(self, params: Document) -> Document:
        return model_named(self._store, params["ModelName"])

    def list_models(self, params: Document) -> Document:
        models, token = listing.page(self._store, MODEL, params)
        return {"Models": models, "NextToken": token}

    def delete_model(self, params: Document) -> None:
        name = params["ModelName"]
        model_named(self._store, name)
        self._store.delete(MODEL, name)
        self._tags.forget(arn(MODEL.arn, name))

    def _resolved(self, container: Document) -> Document:
        """The container with image and archive of its own, those of its package when it names one."""
        if package := container.get("ModelPackageName"):
            if container.get("Image") or data_url(container):
                raise AwsError(
                    "ValidationException", "ModelPackageName brings Image and model data: give none of them"
                )
            theirs = usable_container(self._store, package)
            environment = theirs.get("Environment", {}) | container.get("Environment", {})
            container = theirs | {"Environment": environment}
        if not container.get("Image"):
            raise AwsError("ValidationException", "A container needs an Image")
        self._algorithms.of_image(container["Image"])
        variables.check(container.get("Environment", {}))
        url = data_url(container)
        if url and not url.startswith("s3://"):
            raise AwsError("ValidationException", f"ModelDataUrl must be an S3 URI, not {url!r}")
        return container


def model_named(store: Store, name: str) -> Document:
    """The model's document, or AWS's error for a model that is not there."""
    document = store.find(MODEL, name)
    if document is None:
        raise AwsError("ValidationException", f'Could not find model "{arn(MODEL.arn, name)}".')
    return document


def served_by(model: Document) -> Document:
    """Image, archive and environment that the model's server runs with."""
    served: Document = model.get(_SERVED) or container_of(model)
    return served


def container_of(model: Document) -> Document:
    """The one container of a model, as it was asked for. Raises ``ValidationException`` for none and for a
    pipeline of several.
    """
    if model.get("PrimaryContainer") and model.get("Containers"):
        raise AwsError("ValidationException", "Give PrimaryContainer or Containers, not both")
    containers = [model["PrimaryContainer"]] if model.get("PrimaryContainer") else model.get("Containers", [])
    if len(containers) != 1:
        raise AwsError("ValidationException", f"A model here has one container, not {len(containers)}")
    container: Document = containers[0]
    return container


def data_url(container: Document) -> str:
    """The archive with the weights: ModelDataUrl, or its newer form ModelDataSource; "" when there is
    none.
    """
    source = container.get("ModelDataSource", {}).get("S3DataSource")
    if source is None:
        return str(container.get("ModelDataUrl", ""))
    if source.get("S3DataType") != "S3Object" or source.get("CompressionType") != "Gzip":
        raise AwsError(
            "ValidationException", "ModelDataSource must be an S3Object with CompressionType Gzip here"
        )
    return str(source["S3Uri"])
