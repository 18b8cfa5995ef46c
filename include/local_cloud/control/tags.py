"""Tags of any resource, by ARN: AddTags, ListTags, DeleteTags, and the tags that a Create brings along."""

from __future__ import annotations

import contextlib
import re

from include.local_cloud.store import TAGS, AlreadyExists, Document, Store
from include.wire import AwsError

MAX_TAGS = 50
# On AWS only Ground Truth itself can say for which labeling job it has a model trained or asked. Here a
# labeling job does that by the API, and says so with this tag.
LABELING_JOB = "nightloop:labeling-job"
_LABELING_JOB_ARN = re.compile(r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:labeling-job/.+")


class Tags:
    def __init__(self, store: Store) -> None:
        self._store = store

    def add_tags(self, params: Document) -> Document:
        return {"Tags": self.put(params["ResourceArn"], params["Tags"])}

    def list_tags(self, params: Document) -> Document:
        found = self._store.find(TAGS, params["ResourceArn"].lower()) or {}
        return {"Tags": _as_list(found)}

    def delete_tags(self, params: Document) -> Document:
        name = params["ResourceArn"].lower()
        if self._store.find(TAGS, name) is not None:
            with self._store.change(TAGS, name) as tags:
                for key in params["TagKeys"]:
                    tags.pop(key, None)
        return {}

    def put(self, arn: str, tags: list[Document]) -> list[Document]:
        """Add tags to a resource, replacing those of the same key; returns what was added."""
        name = arn.lower()
        if not tags:
            return []
        with contextlib.suppress(AlreadyExists):
            self._store.create(TAGS, name, {})
        with self._store.change(TAGS, name) as kept:
            kept |= {tag["Key"]: tag["Value"] for tag in tags}
            if len(kept) > MAX_TAGS:
                raise AwsError(
                    "ValidationException", f"A resource has at most {MAX_TAGS} tags, not {len(kept)}"
                )
        return tags

    def forget(self, arn: str) -> None:
        """The resource is gone."""
        if self._store.find(TAGS, arn.lower()) is not None:
            self._store.delete(TAGS, arn.lower())


def _as_list(tags: Document) -> list[Document]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def labeling_job(params: Document) -> Document:
    """The member of Describe that says for which labeling job a job was made; empty when for none."""
    for tag in params.get("Tags", []):
        if tag["Key"] == LABELING_JOB and _LABELING_JOB_ARN.fullmatch(tag["Value"]):
            return {"LabelingJobArn": tag["Value"]}
    return {}
