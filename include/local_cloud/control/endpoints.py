"""Endpoint configurations and endpoints of SageMaker's control plane.

An endpoint has one *deployment* per variant of each version of it: a document of ours that the dispatcher
gives an instance to. An update puts the deployments of the new version beside the old ones, and switches
when all of them answer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from include.local_cloud.control import deployment_config, listing, request_members, rollout
from include.local_cloud.control.models import model_named, served_by
from include.local_cloud.control.tags import Tags
from include.local_cloud.settings import arn
from include.local_cloud.store import ENDPOINT, ENDPOINT_CONFIG, AlreadyExists, Document, Store
from include.wire import AwsError


class Endpoints:
    """``wake`` tells the dispatcher that there is something to do."""

    def __init__(self, store: Store, tags: Tags, wake: Callable[[], None]) -> None:
        self._store, self._tags, self._wake = store, tags, wake

    def create_endpoint_config(self, params: Document) -> Document:
        name = params["EndpointConfigName"]
        config_arn = arn(ENDPOINT_CONFIG.arn, name)
        without_effect = request_members.check(request_members.ENDPOINT_CONFIG, params)
        variants = [{"InitialVariantWeight": 1.0} | variant for variant in params["ProductionVariants"]]
        names = [variant["VariantName"] for variant in variants]
        if len(set(names)) < len(names):
            raise AwsError("ValidationException", f"Variant names must be unique, found {', '.join(names)}")
        for variant in variants:
            if not variant.get("ModelName"):
                raise AwsError("ValidationException", f"Variant {variant['VariantName']} needs a ModelName")
            served_by(model_named(self._store, variant["ModelName"]))
        kept = {member: value for member, value in params.items() if member != "Tags"}
        document = kept | {
            "EndpointConfigArn": config_arn,
            "ProductionVariants": variants,
            "CreationTime": datetime.now(UTC),
            request_members.KEPT_AS: without_effect,
        }
        try:
            self._store.create(ENDPOINT_CONFIG, name, document)
        except AlreadyExists:
            message = f'Cannot create already existing endpoint configuration "{config_arn}".'
            raise AwsError("ValidationException", message) from None
        self._tags.put(config_arn, params.get("Tags", []))
        return {"EndpointConfigArn": config_arn}

    def describe_endpoint_config(self, params: Document) -> Document:
        return self._config(params["EndpointConfigName"])

    def list_endpoint_configs(self, params: Document) -> Document:
        configs, token = listing.page(self._store, ENDPOINT_CONFIG, params)
        return {"EndpointConfigs": configs, "NextToken": token}

    def delete_endpoint_config(self, params: Document) -> None:
        """AWS advises against it while an endpoint has it, and does it; clients delete it first.

        The endpoint goes on: its deployments carry all that they are started with, and it keeps the name.
        """
        name = params["EndpointConfigName"]
        self._config(name)
        self._store.delete(ENDPOINT_CONFIG, name)
        self._tags.forget(arn(ENDPOINT_CONFIG.arn, name))

    def create_endpoint(self, params: Document) -> Document:
        name = params["EndpointName"]
        endpoint_arn = arn(ENDPOINT.arn, name)
        config = self._config(params["EndpointConfigName"])
        document = {
            "EndpointName": name,
            "EndpointArn": endpoint_arn,
            "EndpointConfigName": config["EndpointConfigName"],
            "EndpointStatus": "Creating",
            "CreationTime": datetime.now(UTC),
            "Version": 0,
            "VersionsBegun": 1,
        }
        if deployment := params.get("DeploymentConfig"):
            deployment_config.check(deployment, _instances(config))
            document["LastDeploymentConfig"] = deployment
        try:
            self._store.create(ENDPOINT, name, document)
        except AlreadyExists:
            message = f'Cannot create already existing endpoint "{endpoint_arn}".'
            raise AwsError("ValidationException", message) from None
        self._tags.put(endpoint_arn, params.get("Tags", []))
        rollout.begin(self._store, name, config, version=1)
        self._wake()
        return {"EndpointArn": endpoint_arn}

    def update_endpoint(self, params: Document) -> Document:
        name = params["EndpointName"]
        endpoint = self._endpoint(name)
        config = self._config(params["EndpointConfigName"])
        deployment = params.get("DeploymentConfig")
        if deployment:
            deployment_config.check(deployment, _instances(config))
        with self._store.change(ENDPOINT, name) as document:
            if document["EndpointStatus"] != "InService":
                raise _busy(document)
            if document["EndpointConfigName"] == config["EndpointConfigName"]:
                raise AwsError(
                    "ValidationException",
                    f'Cannot update endpoint "{endpoint["EndpointArn"]}" to the configuration that it has.',
                )
            document["EndpointStatus"] = "Updating"
            document.pop("FailureReason", None)
            if not params.get("RetainDeploymentConfig"):
                document.pop("LastDeploymentConfig", None)
            if deployment:
                document["LastDeploymentConfig"] = deployment
            # Counted from the last attempt: one that failed may still be ending under its number.
            version = document["VersionsBegun"] = document.get("VersionsBegun", document["Version"]) + 1
        rollout.begin(self._store, name, _retained(params, config, endpoint), version=version)
        self._wake()
        return {"EndpointArn": endpoint["EndpointArn"]}

    def update_endpoint_weights_and_capacities(self, params: Document) -> Document:
        endpoint = self._endpoint(params["EndpointName"])
        if endpoint["EndpointStatus"] != "InService":
            raise _busy(endpoint)
        desired = {item["VariantName"]: item for item in params["DesiredWeightsAndCapacities"]}
        if unknown := desired.keys() - {item["VariantName"] for item in endpoint["ProductionVariants"]}:
            raise AwsError(
                "ValidationException",
                f'Endpoint "{endpoint["EndpointArn"]}" has no variant {", ".join(sorted(unknown))}',
            )
        rollout.reweigh(self._store, params["EndpointName"], desired)
        return {"EndpointArn": endpoint["EndpointArn"]}

    def describe_endpoint(self, params: Document) -> Document:
        found = self._store.rows(ENDPOINT, [("name = ?", params["EndpointName"])], "name", 1)
        if not found:
            raise _missing(params["EndpointName"])
        return found[0].document | {"LastModifiedTime": datetime.fromtimestamp(found[0].modified, UTC)}

    def list_endpoints(self, params: Document) -> Document:
        endpoints, token = listing.page(self._store, ENDPOINT, params)
        return {"Endpoints": endpoints, "NextToken": token}

    def delete_endpoint(self, params: Document) -> None:
        name = params["EndpointName"]
        endpoint = self._endpoint(name)
        if endpoint["EndpointStatus"] in ("Creating", "Updating"):
            raise _busy(endpoint)
        with self._store.change(ENDPOINT, name) as document:
            document["EndpointStatus"] = "Deleting"
        rollout.retire(self._store, name, keep=None)
        rollout.remove_when_empty(self._store, name)
        self._tags.forget(endpoint["EndpointArn"])
        self._wake()

    def _config(self, name: str) -> Document:
        document = self._store.find(ENDPOINT_CONFIG, name)
        if document is None:
            message = f'Could not find endpoint configuration "{arn(ENDPOINT_CONFIG.arn, name)}".'
            raise AwsError("ValidationException", message)
        return document

    def _endpoint(self, name: str) -> Document:
        document = self._store.find(ENDPOINT, name)
        if document is None:
            raise _missing(name)
        return document


def _retained(params: Document, config: Document, endpoint: Document) -> Document:
    """The configuration with the weights and counts that the endpoint has now, where they are to be kept."""
    if not params.get("RetainAllVariantProperties"):
        return config
    excluded = {item["VariantPropertyType"] for item in params.get("ExcludeRetainedVariantProperties", [])}
    now = {variant["VariantName"]: variant for variant in endpoint["ProductionVariants"]}
    kept = {
        member: source
        for member, source in (
            ("InitialVariantWeight", "DesiredWeight"),
            ("InitialInstanceCount", "DesiredInstanceCount"),
        )
        if source not in excluded
    }
    variants = [
        variant
        | {
            member: now[variant["VariantName"]][source]
            for member, source in kept.items()
            if variant["VariantName"] in now
        }
        for variant in config["ProductionVariants"]
    ]
    return config | {"ProductionVariants": variants}


def _instances(config: Document) -> int:
    """The size of the fleet; a serverless variant counts as one."""
    return sum(variant.get("InitialInstanceCount", 1) for variant in config["ProductionVariants"])


def _busy(endpoint: Document) -> AwsError:
    state = "in-progress" if endpoint["EndpointStatus"] != "Failed" else "failed"
    return AwsError("ValidationException", f'Cannot update {state} endpoint "{endpoint["EndpointArn"]}".')


def _missing(name: str) -> AwsError:
    return AwsError("ValidationException", f'Could not find endpoint "{arn(ENDPOINT.arn, name)}".')
