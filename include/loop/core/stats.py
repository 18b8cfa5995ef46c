"""What is there now of many objects, by as few calls as their places allow.

Takes S3 URIs, gives ETag and size of those that are there. Where many lie side by side in one folder, a page
of its listing tells a thousand at once; the others are asked for one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from botocore.exceptions import ClientError

from include.loop.core.storage import (
    THREADS_OF_SMALL_REQUESTS,
    Storage,
    StoredObject,
    error_code,
    in_parallel,
    split_uri,
)

# A page that tells of fewer is not worth its price: on AWS a listing costs as much as 12 single questions.
MANY = 16


def stat_all(storage: Storage, uris: Iterable[str]) -> dict[str, StoredObject]:
    """By URI; without what is gone."""
    folders: dict[tuple[str, str], list[str]] = {}
    for uri in sorted({*uris}):
        bucket, key = split_uri(uri)
        folders.setdefault((bucket, key.rpartition("/")[0]), []).append(key)
    found: dict[str, StoredObject] = {}
    alone: list[str] = []
    for (bucket, folder), keys in folders.items():
        asked = _list(storage, bucket, f"{folder}/" if folder else "", keys, found)
        alone += [f"s3://{bucket}/{key}" for key in keys[asked:]]
    for item in in_parallel(storage.stat, alone, THREADS_OF_SMALL_REQUESTS):
        if item is not None:
            found[item.uri] = item
    return found


def _list(
    storage: Storage, bucket: str, prefix: str, keys: Sequence[str], found: dict[str, StoredObject]
) -> int:
    """Put into ``found`` what pages of the folder tell of these keys, which ascend; how many it tells of."""
    told = 0
    while len(keys) - told >= MANY:
        try:
            # What a name begins with comes right before it, whatever else lies in the folder.
            page = storage.s3.list_objects_v2(Bucket=bucket, Prefix=prefix, StartAfter=keys[told][:-1])
        except ClientError as error:
            if error_code(error) != "AccessDenied":
                raise
            return told  # who may read images of another bucket may not always list it
        listed = {item["Key"]: item for item in page.get("Contents", ())}
        last = max(listed) if page["IsTruncated"] else keys[-1]
        here = [key for key in keys[told:] if key <= last]
        for key in here:
            if item := listed.get(key):
                uri = f"s3://{bucket}/{key}"
                found[uri] = StoredObject(uri, item["ETag"].strip('"'), item["Size"])
        told += len(here)
        if len(here) < MANY:
            break
    return told
