"""ListObjectVersions, whose pages ministack mixes up: without versioning it gives the last key of a page
again on the next (with pages of one key for ever), with a delimiter it loses keys, and it forgets the rest of
a key whose last listed version was deleted since, which is how clients empty a bucket.

Takes ministack's S3 module, gives the replacement of one of its functions. Rules of order and of markers are
those of S3's API reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from types import ModuleType
from typing import Any
from xml.etree.ElementTree import Element, SubElement

Reply = tuple[int, dict[str, str], bytes]
Row = tuple[str, dict[str, Any] | None]  # a key and one version of it, or a common prefix and None

_MOST = 1_000


def listing(s3: ModuleType) -> Callable[[str, dict[str, list[str]]], Reply]:
    """What answers GET /bucket?versions."""

    def list_object_versions(bucket: str, query: dict[str, list[str]]) -> Reply:
        record = s3._ensure_bucket(bucket)
        if record is None:
            reply: Reply = s3._no_such_bucket(bucket)
            return reply
        asked = {name: values[0] for name, values in query.items()}
        most = min(int(asked.get("max-keys") or _MOST), _MOST)
        rows = list(islice(_rows(_versions(s3, bucket, record), asked), most + 1))
        root = _written(rows[:most], asked, bucket, most, s3)
        SubElement(root, "IsTruncated").text = "true" if most and len(rows) > most else "false"
        if most and len(rows) > most:
            key, version = rows[most - 1]
            SubElement(root, "NextKeyMarker").text = _encoded(s3, asked, key)
            if version:
                SubElement(root, "NextVersionIdMarker").text = version["version_id"]
        return 200, {"Content-Type": "application/xml"}, s3._xml_body(root)

    return list_object_versions


def _versions(s3: ModuleType, bucket: str, record: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The versions of each key, newest first. An object that never had versions is its own, named null."""
    found = {
        key: [{"version_id": "null", "is_latest": True} | item] for key, item in record["objects"].items()
    }
    for (owner, key), versions in s3._object_versions.items():
        if owner == bucket and versions:
            found[key] = versions[::-1]
    return found


def _rows(found: dict[str, list[dict[str, Any]]], asked: dict[str, str]) -> Iterator[Row]:
    prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
    marker, version_marker = asked.get("key-marker", ""), asked.get("version-id-marker", "")
    group = ""
    for key in sorted(found):
        if not key.startswith(prefix):
            continue
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        if cut >= 0:
            if key[: cut + len(delimiter)] != group:
                group = key[: cut + len(delimiter)]
                if group > marker:
                    yield group, None
        elif key > marker or not marker:
            yield from ((key, version) for version in found[key])
        elif key == marker and version_marker:
            ids = [version["version_id"] for version in found[key]]
            # A marker that is gone was deleted by whoever reads: what is left of its key is still to come.
            start = ids.index(version_marker) + 1 if version_marker in ids else 0
            yield from ((key, version) for version in found[key][start:])


def _written(rows: list[Row], asked: dict[str, str], bucket: str, most: int, s3: ModuleType) -> Element:
    root = Element("ListVersionsResult", xmlns=s3.S3_NS)
    texts = {
        "Name": bucket,
        "Prefix": _encoded(s3, asked, asked.get("prefix", "")),
        "KeyMarker": _encoded(s3, asked, asked.get("key-marker", "")),
        "VersionIdMarker": asked.get("version-id-marker", ""),
        "MaxKeys": str(most),
        "EncodingType": asked.get("encoding-type"),
        "Delimiter": _encoded(s3, asked, asked.get("delimiter", "")) or None,
    }
    for name, text in texts.items():
        if text is not None:
            SubElement(root, name).text = text
    for key, version in rows:
        if version is None:
            SubElement(SubElement(root, "CommonPrefixes"), "Prefix").text = _encoded(s3, asked, key)
            continue
        is_marker = version.get("is_delete_marker")
        item = SubElement(root, "DeleteMarker" if is_marker else "Version")
        members = {
            "Key": _encoded(s3, asked, key),
            "VersionId": version["version_id"],
            "IsLatest": "true" if version["is_latest"] else "false",
            "LastModified": version["last_modified"],
        }
        if not is_marker:
            members |= {
                "ETag": version["etag"],
                "Size": str(version["size"]),
                "StorageClass": version.get("storage_class") or "STANDARD",
            }
        for name, text in members.items():
            SubElement(item, name).text = text
        SubElement(SubElement(item, "Owner"), "ID").text = s3._canonical_owner_id()
    return root


def _encoded(s3: ModuleType, asked: dict[str, str], text: str) -> str:
    return str(s3._url_encode(text)) if text and asked.get("encoding-type") == "url" else text
