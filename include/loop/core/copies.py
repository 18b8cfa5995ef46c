"""Many small objects that seldom change, most of them read as one copy.

Takes what a listing gives, gives the bytes of each. The objects are the truth: the copy below ``ledger/`` has
each under the ETag that it had when it was read, and what has another ETag, or is not in the copy, is read
itself. So losing the copy, or two runs that write it at once, can lose nothing.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Iterator

from include.loop.core.storage import (
    THREADS_OF_SMALL_REQUESTS,
    Storage,
    StoredObject,
    in_parallel,
)

log = logging.getLogger(__name__)

# So many objects are read beside the copy before it is written anew: a year of nights costs 23 copies.
LOOSE = 16
# Of the copy's own shape. Another one is passed over, and the objects are read.
VERSION = b"1"


def read_all(
    storage: Storage, listed: Iterable[StoredObject], copy: str, keep: bool = False
) -> Iterator[tuple[StoredObject, bytes]]:
    """Each listed object with its bytes, in the order of the list, without what is gone meanwhile. With
    ``keep`` the copy (a location) is written anew when it is due.
    """
    items = list(listed)
    copied = _read(storage, copy, items) if len(items) >= LOOSE else {}
    loose = [item.uri for item in items if item.uri not in copied]
    found = dict(copied)
    for uri, now in zip(loose, in_parallel(storage.find, loose, THREADS_OF_SMALL_REQUESTS), strict=True):
        if now is not None:
            found[uri] = now
    if keep and len(loose) >= LOOSE:
        storage.write(copy, _dump(found))
    return ((item, found[item.uri][0]) for item in items if item.uri in found)


def _read(storage: Storage, copy: str, items: Iterable[StoredObject]) -> dict[str, tuple[bytes, str]]:
    """What the copy has of the objects as they are now: bytes and ETag by URI."""
    import pyarrow as pa
    from pyarrow import parquet

    body = storage.find(copy)
    if body is None:
        return {}
    etags = {item.uri: item.etag for item in items}
    try:
        table = parquet.read_table(io.BytesIO(body[0]))
        if (table.schema.metadata or {}).get(b"version") != VERSION:
            return {}
        rows = zip(*(table.column(name).to_pylist() for name in ("uri", "etag", "body")), strict=True)
        return {uri: (content, etag) for uri, etag, content in rows if etags.get(uri) == etag}
    except (pa.ArrowException, KeyError, OSError, ValueError) as error:
        # It says nothing that the objects do not say, and is written anew.
        log.warning("%s cannot be read, what it was made of is: %s", storage.uri(copy), error)
        return {}


def _dump(found: dict[str, tuple[bytes, str]]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    columns = {
        "uri": pa.array(found, pa.string()),
        "etag": pa.array([etag for _, etag in found.values()], pa.string()),
        "body": pa.array([content for content, _ in found.values()], pa.binary()),
    }
    table = pa.table(columns).replace_schema_metadata({"version": VERSION})
    sink = io.BytesIO()
    parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue()
