"""Model package groups: the shelves of the model registry, each a row of versions that only ever grows.

A group counts the versions it has given out, so that the number of a deleted version never comes back. Names
are told apart without regard to case, because their ARNs are in lower case.
"""

from __future__ import annotations

from datetime import UTC, datetime

from include.local_cloud.control import listing
from include.local_cloud.control.tags import Tags
from include.local_cloud.settings import arn
from include.local_cloud.store import MODEL_PACKAGE, MODEL_PACKAGE_GROUP, AlreadyExists, Document, Store
from include.wire import AwsError

IN_GROUP = "lower(json_extract(document, '$.ModelPackageGroupName')) = ?"  # a condition on packages


class ModelPackageGroups:
    def __init__(self, store: Store, tags: Tags) -> None:
        self._store, self._tags = store, tags

    def create_model_package_group(self, params: Document) -> Document:
        name = params["ModelPackageGroupName"]
        group_arn = arn(MODEL_PACKAGE_GROUP.arn, name)
        kept = {member: value for member, value in params.items() if member != "Tags"}
        document = kept | {
            "ModelPackageGroupArn": group_arn,
            "ModelPackageGroupStatus": "Completed",
            "CreationTime": datetime.now(UTC),
            "CreatedBy": {},
            "VersionsGiven": 0,  # ours: no member of Describe's reply
        }
        try:
            self._store.create(MODEL_PACKAGE_GROUP, name.lower(), document)
        except AlreadyExists:
            message = f"Model Package Group already exists: {group_arn}"
            raise AwsError("ValidationException", message) from None
        self._tags.put(group_arn, params.get("Tags", []))
        return {"ModelPackageGroupArn": group_arn}

    def describe_model_package_group(self, params: Document) -> Document:
        return group_named(self._store, params["ModelPackageGroupName"])

    def list_model_package_groups(self, params: Document) -> Document:
        groups, token = listing.page(self._store, MODEL_PACKAGE_GROUP, params, order="Ascending")
        return {"ModelPackageGroupSummaryList": groups, "NextToken": token}

    def delete_model_package_group(self, params: Document) -> None:
        group = group_named(self._store, params["ModelPackageGroupName"])
        key = group["ModelPackageGroupName"].lower()
        if self._store.rows(MODEL_PACKAGE, [(IN_GROUP, key)], "name", 1):
            raise AwsError(
                "ConflictException",
                f"Model Package Group {group['ModelPackageGroupArn']} cannot be deleted: it still holds "
                "model packages, delete those first",
            )
        self._store.delete(MODEL_PACKAGE_GROUP, key)
        self._tags.forget(group["ModelPackageGroupArn"])


def group_named(store: Store, name_or_arn: str) -> Document:
    """The group's document, or AWS's error for a group that is not there."""
    name = name_or_arn.rpartition("/")[2]
    document = store.find(MODEL_PACKAGE_GROUP, name.lower())
    if document is None:
        message = f"ModelPackageGroup {arn(MODEL_PACKAGE_GROUP.arn, name)} does not exist."
        raise AwsError("ValidationException", message)
    return document
