"""The manifest lines of some labels among those of all batches, most of them read from one copy.

Takes manifests and the names of labels, gives the bytes of their lines. The manifests are the truth:
``ledger/lines.parquet`` has the lines of many, each under its label's name, with the ETags of the manifests
that they were read from. What has another ETag, or is not in the copy, is read itself.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from include.loop.core import layout
from include.loop.core.copies import LOOSE
from include.loop.core.errors import BadRecord
from include.loop.core.storage import Storage, in_parallel, split_lines
from include.loop.dataset.split_register import name_label
from include.loop.tasks.manifest_lines import parse_line

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

# Of the copy's own shape. Another one is passed over, and the manifests are read.
VERSION = "1"
Found = tuple[str, list[tuple[int, bytes]]]


def find_lines(storage: Storage, places: Sequence[str], wanted: Collection[str]) -> Iterator[Found]:
    """By manifest (its URI) the number and the bytes of each line with a wanted label. FileNotFoundError when
    a manifest is not there. The copy is written anew when it is due.
    """
    uris = list(map(storage.uri, places))
    etags: dict[str, str] = {}
    if len(uris) >= LOOSE:
        listed = storage.list(layout.LABELS)
        etags = {item.uri: item.etag for item in listed if layout.is_labels_manifest(item.uri)}
    copied, known = _read_copy(storage, etags)
    loose = [uri for uri in uris if uri not in known]
    read = dict(zip(loose, in_parallel(lambda uri: _read(storage, uri), loose), strict=True))
    if sum(uri in etags for uri in loose) >= LOOSE:
        fresh = {uri: found for uri, found in read.items() if uri in etags}
        storage.write(layout.LINES, _dump(copied, known, fresh))
    if copied is not None:
        yield from _chosen(copied, uris, wanted)
    for uri, (_, lines) in read.items():
        if some := [(number, line) for number, label, line in lines if label in wanted]:
            yield uri, some


def _read(storage: Storage, uri: str) -> tuple[str, list[tuple[int, str, bytes]]]:
    """ETag of a manifest, and number, label's name and bytes of its lines, without those that name none."""
    found = storage.find(uri)
    if found is None:
        raise FileNotFoundError(f"no object at {uri}")
    lines = []
    for number, line in enumerate(split_lines([found[0]]), start=1):
        if line.strip():
            try:
                lines.append((number, name_label(parse_line(line)), line))
            except BadRecord:
                continue
    return found[1], lines


def _read_copy(storage: Storage, etags: Mapping[str, str]) -> tuple[pa.Table | None, dict[str, str]]:
    """The lines of the manifests that are still what they were, and the ETags of these."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import parquet

    body = storage.find(layout.LINES) if etags else None
    if body is None:
        return None, {}
    try:
        table = parquet.read_table(io.BytesIO(body[0]))
        told = table.schema.metadata or {}
        if told.get(b"version", b"").decode() != VERSION:
            return None, {}
        known = {uri: etag for uri, etag in json.loads(told[b"etags"]).items() if etags.get(uri) == etag}
        same = pc.is_in(table.column("uri"), pa.array(list(known), pa.string()))
        return table.select(["uri", "number", "label", "line"]).filter(same), known
    except (pa.ArrowException, AttributeError, KeyError, OSError, ValueError) as error:
        # It says nothing that the manifests do not say, and is written anew.
        log.warning("%s cannot be read, the manifests are: %s", storage.uri(layout.LINES), error)
        return None, {}


def _chosen(table: pa.Table, uris: Collection[str], wanted: Collection[str]) -> Iterator[Found]:
    import pyarrow as pa
    import pyarrow.compute as pc

    here = pc.and_(
        pc.is_in(table.column("uri"), pa.array(list(uris), pa.string())),
        pc.is_in(table.column("label"), pa.array(list(wanted), pa.string())),
    )
    some = table.filter(here)
    by_uri: dict[str, list[tuple[int, bytes]]] = {}
    columns = (some.column(name).to_pylist() for name in ("uri", "number", "line"))
    for uri, number, line in zip(*columns, strict=True):
        by_uri.setdefault(uri, []).append((number, line))
    yield from by_uri.items()


def _dump(
    copied: pa.Table | None,
    known: Mapping[str, str],
    fresh: Mapping[str, tuple[str, list[tuple[int, str, bytes]]]],
) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    rows = [(uri, *line) for uri, (_, lines) in fresh.items() for line in lines]
    types = {"uri": pa.string(), "number": pa.int64(), "label": pa.string(), "line": pa.binary()}
    columns = zip(*rows, strict=True) if rows else ((),) * len(types)
    arrays = {name: pa.array(column, types[name]) for name, column in zip(types, columns, strict=True)}
    table = pa.table(arrays)
    if copied is not None:
        table = pa.concat_tables([copied.replace_schema_metadata(None), table])
    etags = {**known, **{uri: etag for uri, (etag, _) in fresh.items()}}
    sink = io.BytesIO()
    told = table.replace_schema_metadata({"version": VERSION, "etags": json.dumps(etags)})
    parquet.write_table(told, sink, compression="zstd")
    return sink.getvalue()
