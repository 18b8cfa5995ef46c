"""How an endpoint gets from one version to the next: all at once, when every new variant answers.

A version's deployments are created, each reports ``InService`` or ``Failed``, and ``settle`` draws the
conclusion for the endpoint: switch, or stay with the old version. Called by the cloud and by instances, in
any order and as often as they like.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime

from include.local_cloud.control import request_members
from include.local_cloud.control.models import model_named, served_by
from include.local_cloud.store import DEPLOYMENT, ENDPOINT, INSTANCE, Document, Missing, Store

_ALL = ("Creating", "InService", "Failed", "Deleting")


def begin(store: Store, endpoint: str, config: Document, version: int) -> None:
    """Put the deployments of a new version in place; the dispatcher starts them."""
    now = datetime.now(UTC)
    with store.change(ENDPOINT, endpoint) as document:
        document["PendingDeploymentSummary"] = {
            "EndpointConfigName": config["EndpointConfigName"],
            "ProductionVariants": [{"VariantName": v["VariantName"]} for v in config["ProductionVariants"]],
            "StartTime": now,
        }
        document["PendingVersion"] = version
    for variant in config["ProductionVariants"]:
        name = f"{endpoint}.{version}.{variant['VariantName']}"
        deployment = {
            "DeploymentName": name,
            "DeploymentStatus": "Creating",
            "EndpointName": endpoint,
            "Version": version,
            "VariantName": variant["VariantName"],
            "Weight": variant["InitialVariantWeight"],
            "Instances": variant.get("InitialInstanceCount", 1),
            "StartupSeconds": variant.get("ContainerStartupHealthCheckTimeoutInSeconds"),
            # Copies: an endpoint goes on serving, and is started again, when its model and its configuration
            # are deleted.
            "Container": served_by(model_named(store, variant["ModelName"])),
            request_members.KEPT_AS: config.get(request_members.KEPT_AS, []),
            "CreationTime": now,
        }
        store.put(DEPLOYMENT, name, deployment)


def settle(store: Store, endpoint: str) -> None:
    """Bring the endpoint's status in line with its deployments."""
    document = store.find(ENDPOINT, endpoint)
    if document is None or "PendingVersion" not in document:
        return
    version = document["PendingVersion"]
    pending = [d for d in deployments(store, endpoint) if d["Version"] == version]
    statuses = {deployment["DeploymentStatus"] for deployment in pending}
    if statuses == {"InService"}:
        with store.change(ENDPOINT, endpoint) as document:
            if document.get("PendingVersion") != version:
                return
            document["EndpointConfigName"] = document["PendingDeploymentSummary"]["EndpointConfigName"]
            order = [variant["VariantName"] for variant in _pending_variants(document)]
            pending.sort(key=lambda deployment: order.index(deployment["VariantName"]))
            document["ProductionVariants"] = [_variant(deployment) for deployment in pending]
            document["Version"] = version
            _close(document, "InService")
        retire(store, endpoint, keep=version)
    elif "Failed" in statuses:
        failed = next(deployment for deployment in pending if deployment["DeploymentStatus"] == "Failed")
        with store.change(ENDPOINT, endpoint) as document:
            if document.get("PendingVersion") != version:
                return
            document["FailureReason"] = f"Variant {failed['VariantName']}: {failed['FailureReason']}"[:1024]
            current = document["Version"]
            # A failed update leaves the endpoint as it was; a failed creation leaves nothing.
            _close(document, "InService" if current else "Failed")
        retire(store, endpoint, keep=current)


def reweigh(store: Store, endpoint: str, desired: Mapping[str, Document]) -> None:
    """Change the weights and instance counts of variants in service, at once; ``desired`` by variant name."""
    with store.change(ENDPOINT, endpoint) as document:
        version = document["Version"]
        for variant in document["ProductionVariants"]:
            wanted = desired.get(variant["VariantName"], {})
            for member in ("Weight", "InstanceCount"):
                value = wanted.get(f"Desired{member}", variant[f"Desired{member}"])
                variant |= {f"Desired{member}": value, f"Current{member}": value}
    for deployment in deployments(store, endpoint):
        wanted = desired.get(deployment["VariantName"], {})
        if deployment["Version"] == version and "DesiredWeight" in wanted:
            with store.change(DEPLOYMENT, deployment["DeploymentName"]) as document:
                document["Weight"] = wanted["DesiredWeight"]


def recover(store: Store) -> None:
    """After a start of the cloud: draw the conclusions that a kill may have left undrawn. None hangs."""
    for endpoint in store.with_status(ENDPOINT, ("Creating", "Updating", "Deleting")):
        name, version = endpoint["EndpointName"], endpoint.get("PendingVersion")
        found = deployments(store, name)
        if endpoint["EndpointStatus"] == "Deleting":
            retire(store, name, keep=None)
            remove_when_empty(store, name)
        elif len([d for d in found if d["Version"] == version]) < len(_pending_variants(endpoint)):
            with store.change(ENDPOINT, name) as document:
                document["FailureReason"] = "InternalServerError: the cloud was stopped while it began this"
                _close(document, "InService" if document["Version"] else "Failed")
            retire(store, name, keep=endpoint["Version"])
        else:
            settle(store, name)


def broke(store: Store, endpoint: str, version: int, reason: str) -> None:
    """A deployment in service broke and did not come up again."""
    with store.change(ENDPOINT, endpoint) as document:
        if document["Version"] == version and document["EndpointStatus"] == "InService":
            document["EndpointStatus"] = "Failed"
            document["FailureReason"] = reason[:1024]


def retire(store: Store, endpoint: str, keep: int | None) -> None:
    """Let every deployment of other versions end."""
    for deployment in deployments(store, endpoint):
        if deployment["Version"] != keep:
            with store.change(DEPLOYMENT, deployment["DeploymentName"]) as document:
                document["DeploymentStatus"] = "Deleting"


def bury(store: Store, deployment: Document) -> None:
    """A retired deployment has no process any more."""
    with contextlib.suppress(Missing):
        store.delete(INSTANCE, f"{DEPLOYMENT.arn}/{deployment['DeploymentName']}")
    store.delete(DEPLOYMENT, deployment["DeploymentName"])
    remove_when_empty(store, deployment["EndpointName"])


def remove_when_empty(store: Store, endpoint: str) -> None:
    """A deleted endpoint is gone when its last deployment is."""
    document = store.find(ENDPOINT, endpoint)
    if document and document["EndpointStatus"] == "Deleting" and not deployments(store, endpoint):
        with contextlib.suppress(Missing):
            store.delete(ENDPOINT, endpoint)


def deployments(store: Store, endpoint: str) -> list[Document]:
    return [d for d in store.with_status(DEPLOYMENT, _ALL) if d["EndpointName"] == endpoint]


def _close(document: Document, status: str) -> None:
    document["EndpointStatus"] = status
    document.pop("PendingDeploymentSummary", None)
    document.pop("PendingVersion", None)


def _pending_variants(endpoint: Document) -> list[Document]:
    # An endpoint that was created and never begun has none, and still lacks one.
    return list(endpoint.get("PendingDeploymentSummary", {}).get("ProductionVariants", [{}]))


def _variant(deployment: Document) -> Document:
    image = deployment["Container"]["Image"]
    return {
        "VariantName": deployment["VariantName"],
        "DeployedImages": [
            {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": deployment["CreationTime"]}
        ],
        "CurrentWeight": deployment["Weight"],
        "DesiredWeight": deployment["Weight"],
        "CurrentInstanceCount": deployment["Instances"],
        "DesiredInstanceCount": deployment["Instances"],
    }
