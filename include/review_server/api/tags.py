"""Tags by ARN: AddTags, ListTags, DeleteTags, and the tags that a Create brings along.

``Tags`` are the operations as labeling jobs need them; a server that is mounted where tags exist already is
handed those (``app.create_review``), so that every resource of the place has them in one way.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import delete, func, select

from include.review_server.db.database import Database
from include.review_server.db.models import ResourceTag
from include.wire import AwsError

_MOST = 50  # of one resource


class TagOperations(Protocol):
    """Tags of resources, wherever they are kept."""

    def put(self, arn: str, tags: list[dict[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """Add tags, replacing those of the same key."""

    def list_tags(self, params: dict[str, Any]) -> dict[str, Any]:
        """ListTags."""


class Tags:
    """The tags of a server that stands alone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_tags(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"Tags": self.put(params["ResourceArn"], params["Tags"])}

    def list_tags(self, params: dict[str, Any]) -> dict[str, Any]:
        query = select(ResourceTag).where(ResourceTag.arn == params["ResourceArn"].lower())
        with self._database.read() as session:
            tags = session.scalars(query.order_by(ResourceTag.key))
            return {"Tags": [{"Key": tag.key, "Value": tag.value} for tag in tags]}

    def delete_tags(self, params: dict[str, Any]) -> dict[str, Any]:
        of_resource = ResourceTag.arn == params["ResourceArn"].lower()
        with self._database.write() as session:
            session.execute(delete(ResourceTag).where(of_resource, ResourceTag.key.in_(params["TagKeys"])))
        return {}

    def put(self, arn: str, tags: list[dict[str, Any]]) -> list[dict[str, Any]]:
        check_characters(tags)
        with self._database.write() as session:
            for tag in tags:
                session.merge(ResourceTag(arn=arn.lower(), key=tag["Key"], value=tag["Value"]))
            session.flush()
            count = select(func.count()).where(ResourceTag.arn == arn.lower())
            if (kept := session.scalars(count).one()) > _MOST:
                raise AwsError("ValidationException", f"A resource has at most {_MOST} tags, not {kept}")
        return tags


def check_characters(tags: Sequence[Mapping[str, Any]]) -> None:
    """Raises ``AwsError``. For a Create too, before it makes what its tags are refused for."""
    for tag in tags:
        if not all(_is_allowed(character) for character in tag["Key"] + tag["Value"]):
            raise AwsError(
                "ValidationException",
                f"The tag {tag['Key']!r} has other characters than letters, digits, spaces and _.:/=+-@",
            )


def _is_allowed(character: str) -> bool:
    """The model's pattern, which is in a dialect that Python does not read."""
    return character in "_.:/=+-@" or unicodedata.category(character)[0] in "LZN"
