"""Model packages: the versions of the model registry, with their metrics, metadata and approval.

A version names an image and an archive of weights, and says whether it may be used: ``usable_container`` is
what CreateModel asks, and an unapproved version is refused there. Packages outside of any group (unversioned)
have no approval. Nothing of the archive is looked at here.
"""

from __future__ import annotations

import hashlib
import json
import threading
from datetime import UTC, datetime
from typing import Any

from include.local_cloud.control import listing, variables
from include.local_cloud.control.algorithms import Algorithms
from include.local_cloud.control.model_package_groups import IN_GROUP, group_named
from include.local_cloud.control.tags import Tags
from include.local_cloud.settings import arn
from include.local_cloud.store import MODEL_PACKAGE, MODEL_PACKAGE_GROUP, AlreadyExists, Document, Store
from include.wire import AwsError

MAX_PROPERTIES = 50
_NOT_HERE = ("SourceAlgorithmSpecification", "ValidationSpecification")
# Members of an update that replace those of the package as they are.
_REPLACED = (
    "ModelApprovalStatus",
    "ApprovalDescription",
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
    "ModelPackageRegistrationType",
)
_TYPES = {
    "Versioned": [("json_extract(document, '$.ModelPackageVersion') IS NOT NULL", ())],
    "Unversioned": [("json_extract(document, '$.ModelPackageVersion') IS NULL", ())],
    "Both": [],
}


class ModelPackages:
    def __init__(self, store: Store, algorithms: Algorithms, tags: Tags) -> None:
        self._store, self._algorithms, self._tags = store, algorithms, tags
        self._creating = threading.Lock()  # between the look for a token and the row that carries it

    def create_model_package(self, params: Document) -> Document:
        """The next version of a group, or an unversioned package; the same ``ClientToken`` gives the same
        one.
        """
        self._check(params)
        digest = _digest(params)
        with self._creating:
            if (earlier := self._made_with(params.get("ClientToken"))) is not None:
                if earlier["RequestDigest"] != digest:
                    raise AwsError(
                        "ConflictException",
                        f"ClientToken {params['ClientToken']} was used for {earlier['ModelPackageArn']} with "
                        "other parameters: use a new token for another package",
                    )
                return {"ModelPackageArn": earlier["ModelPackageArn"]}
            kept = {member: value for member, value in params.items() if member != "Tags"}
            document = kept | {
                "ModelPackageStatus": "Completed",  # nothing is validated or scanned here
                "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
                "CreationTime": datetime.now(UTC),
                "CreatedBy": {},
                "RequestDigest": digest,  # ours, as ClientToken is: no members of Describe's reply
            }
            if "ModelPackageGroupName" in params:
                package_arn = self._create_version(document)
            else:
                package_arn = self._create_unversioned(document)
        self._tags.put(package_arn, params.get("Tags", []))
        return {"ModelPackageArn": package_arn}

    def describe_model_package(self, params: Document) -> Document:
        key = _key(params["ModelPackageName"])
        found = self._store.rows(MODEL_PACKAGE, [("name = ?", key)], "name", 1)
        if not found:
            raise _missing(params["ModelPackageName"])
        row = found[0]
        return row.document | {
            "LastModifiedTime": datetime.fromtimestamp(row.modified, UTC),
            "LastModifiedBy": {},
        }

    def list_model_packages(self, params: Document) -> Document:
        group = params.get("ModelPackageGroupName")
        where: list[tuple[str, Any]] = []
        if group is not None:
            where.append((IN_GROUP, group_named(self._store, group)["ModelPackageGroupName"].lower()))
        where += _TYPES[params.get("ModelPackageType", "Unversioned" if group is None else "Versioned")]
        if status := params.get("ModelApprovalStatus"):
            where.append(("json_extract(document, '$.ModelApprovalStatus') = ?", status))
        packages, token = listing.page(self._store, MODEL_PACKAGE, params, order="Ascending", further=where)
        return {"ModelPackageSummaryList": packages, "NextToken": token}

    def update_model_package(self, params: Document) -> Document:
        """Metrics are not among what can be changed: a version is judged by the numbers it came with."""
        package = package_named(self._store, params["ModelPackageArn"])
        if "ModelPackageVersion" not in package and params.get("ModelApprovalStatus"):
            raise AwsError(
                "ValidationException",
                f"{package['ModelPackageArn']} is unversioned and has no ModelApprovalStatus",
            )
        if params.get("InferenceSpecification"):
            self._check_containers(params["InferenceSpecification"])
        with self._store.change(MODEL_PACKAGE, _key(package["ModelPackageArn"])) as document:
            document |= {member: params[member] for member in _REPLACED if member in params}
            removed = params.get("CustomerMetadataPropertiesToRemove", [])
            properties = document.get("CustomerMetadataProperties", {})
            merged = properties | params.get("CustomerMetadataProperties", {})
            merged = {name: value for name, value in merged.items() if name not in removed}
            if len(merged) > MAX_PROPERTIES:
                raise AwsError(
                    "ValidationException",
                    f"A model package has at most {MAX_PROPERTIES} CustomerMetadataProperties, not "
                    f"{len(merged)}: remove some with CustomerMetadataPropertiesToRemove",
                )
            document["CustomerMetadataProperties"] = merged
            if not merged:  # the service model has no empty map
                del document["CustomerMetadataProperties"]
        return {"ModelPackageArn": package["ModelPackageArn"]}

    def delete_model_package(self, params: Document) -> None:
        package = package_named(self._store, params["ModelPackageName"])
        self._store.delete(MODEL_PACKAGE, _key(package["ModelPackageArn"]))
        self._tags.forget(package["ModelPackageArn"])

    def _create_version(self, document: Document) -> str:
        group = group_named(self._store, document["ModelPackageGroupName"])
        name = group["ModelPackageGroupName"]
        # Counted before it is created: a kill in between leaves a gap, never a number used twice.
        with self._store.change(MODEL_PACKAGE_GROUP, name.lower()) as counted:
            counted["VersionsGiven"] += 1
            version = counted["VersionsGiven"]
        package_arn = arn(MODEL_PACKAGE.arn, f"{name}/{version}")
        document |= {
            "ModelPackageName": name,  # SageMaker names a version after its group
            "ModelPackageGroupName": name,
            "ModelPackageVersion": version,
            "ModelPackageArn": package_arn,
            "ModelApprovalStatus": document.get("ModelApprovalStatus", "PendingManualApproval"),
        }
        self._store.create(MODEL_PACKAGE, _key(package_arn), document)
        return package_arn

    def _create_unversioned(self, document: Document) -> str:
        package_arn = arn(MODEL_PACKAGE.arn, document["ModelPackageName"])
        document["ModelPackageArn"] = package_arn
        try:
            self._store.create(MODEL_PACKAGE, _key(package_arn), document)
        except AlreadyExists:
            message = f"Model Package already exists: {package_arn}"
            raise AwsError("ValidationException", message) from None
        return package_arn

    def _made_with(self, token: str | None) -> Document | None:
        found = self._store.rows(
            MODEL_PACKAGE, [("json_extract(document, '$.ClientToken') = ?", token)], "name", 1
        )
        return found[0].document if found else None

    def _check(self, params: Document) -> None:
        named = [name for name in ("ModelPackageName", "ModelPackageGroupName") if params.get(name)]
        if len(named) != 1:
            raise AwsError(
                "ValidationException",
                "Give ModelPackageGroupName for a version of a group, or ModelPackageName for an unversioned "
                f"package: one of them, not {' and '.join(named) or 'none'}",
            )
        for member in _NOT_HERE:
            if params.get(member):
                raise AwsError("ValidationException", f"{member} is not available in the local cloud")
        if not params.get("InferenceSpecification"):
            raise AwsError("ValidationException", "A model package needs an InferenceSpecification here")
        if named == ["ModelPackageGroupName"] and params.get("Tags"):
            raise AwsError(
                "ValidationException", "A versioned model package cannot have tags: tag its group instead"
            )
        if named == ["ModelPackageName"] and params.get("ModelApprovalStatus"):
            raise AwsError("ValidationException", "An unversioned package has no ModelApprovalStatus")
        self._check_containers(params["InferenceSpecification"])

    def _check_containers(self, specification: Document) -> None:
        for container in specification["Containers"]:
            if not container.get("Image"):
                raise AwsError("ValidationException", "A container of a model package needs an Image")
            self._algorithms.of_image(container["Image"])
            variables.check(container.get("Environment", {}))


def package_named(store: Store, name_or_arn: str) -> Document:
    """The package's document, or AWS's error for a package that is not there."""
    document = store.find(MODEL_PACKAGE, _key(name_or_arn))
    if document is None:
        raise _missing(name_or_arn)
    return document


def usable_container(store: Store, name_or_arn: str) -> Document:
    """The one container of a package that may be used. Raises ``ValidationException`` when it may not."""
    package = package_named(store, name_or_arn)
    status = package.get("ModelApprovalStatus", "Approved")  # an unversioned package needs no approval
    if status != "Approved":
        raise AwsError(
            "ValidationException",
            f"Model package {package['ModelPackageArn']} cannot be used: its ModelApprovalStatus is "
            f"{status}, and only Approved versions can be deployed",
        )
    containers = package["InferenceSpecification"]["Containers"]
    if len(containers) != 1:
        message = f"A model here has one container, not {len(containers)}: {package['ModelPackageArn']}"
        raise AwsError("ValidationException", message)
    container: Document = containers[0]
    return container


def _key(name_or_arn: str) -> str:
    """``…:model-package/Digits/7`` → ``digits/000000007``: versions in the order of their numbers."""
    name, _, version = name_or_arn.rpartition(":model-package/")[2].lower().partition("/")
    return f"{name}/{int(version):09d}" if version.isdecimal() else name


def _missing(name_or_arn: str) -> AwsError:
    name = name_or_arn.rpartition(":model-package/")[2]
    return AwsError("ValidationException", f"ModelPackage {arn(MODEL_PACKAGE.arn, name)} does not exist.")


def _digest(params: Document) -> str:
    said = {name: value for name, value in params.items() if name != "ClientToken"}
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()
