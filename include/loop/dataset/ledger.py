"""The split ledger as a whole: what every ``splits/<shard>.jsonl`` says, most of it read as one table.

The JSON Lines are the truth. ``ledger/splits.parquet`` is a copy of many of them in columns, each under the
ETag of the file that it was made of: a file that is not in it, or has another ETag, is read itself. So losing
the copy, or two runs that write it at once, can lose no label.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from include.loop.core import layout
from include.loop.core.records.splits import Entry
from include.loop.core.storage import Storage, in_parallel

log = logging.getLogger(__name__)

# So many files are read beside the copy before it is written anew: a year of nights costs 23 copies.
LOOSE = 16
# Of the copy's own shape. Another one is passed over, and the JSON Lines are read.
VERSION = "1"
_NAMES = tuple(Entry.model_fields)


def read_ledger(storage: Storage, keep: bool = False) -> dict[str, Sequence[Entry]]:
    """The entries of every shard, by its name. With ``keep`` the copy is written anew when it is due."""
    etags = {layout.named_after(item.uri): item.etag for item in storage.list(layout.SPLITS)}
    copied = _read_copy(storage, etags) if len(etags) >= LOOSE else {}
    loose = [name for name in etags if name not in copied]

    def read(name: str) -> tuple[str, Sequence[Entry]]:
        return name, tuple(Entry.read_all(storage, name))

    found = copied | dict(in_parallel(read, loose))
    ledger = {name: found[name] for name in etags}
    if keep and len(loose) >= LOOSE:
        storage.write(layout.LEDGER, _dump(ledger, etags))
    return ledger


def _read_copy(storage: Storage, etags: Mapping[str, str]) -> dict[str, Sequence[Entry]]:
    """What the copy has of the files as they are now."""
    import pyarrow as pa
    from pyarrow import parquet

    found = storage.find(layout.LEDGER)
    if found is None:
        return {}
    try:
        table = parquet.read_table(io.BytesIO(found[0]))
        told = table.schema.metadata or {}
        if told.get(b"version", b"").decode() != VERSION:
            return {}
        made_of = json.loads(told[b"etags"])
        same = {name for name, etag in made_of.items() if etags.get(name) == etag}
        columns = [table.column(name).to_pylist() for name in ("shard", *_NAMES)]
        shards: dict[str, Sequence[Entry]] = dict.fromkeys(same, ())
        for shard, rows in groupby(zip(*columns, strict=True), key=itemgetter(0)):
            if shard in same:
                # Three times as quick as not to check what was checked when it was read from its file.
                values = (dict(zip(_NAMES, row[1:], strict=True)) for row in rows)
                shards[shard] = tuple(map(Entry.model_validate, values))
        return shards
    except (pa.ArrowException, KeyError, OSError, ValueError) as error:
        # It says nothing that the files do not say, and is written anew.
        log.warning("%s cannot be read, its files are: %s", storage.uri(layout.LEDGER), error)
        return {}


def _dump(ledger: Mapping[str, Sequence[Entry]], etags: Mapping[str, str]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    entries = [entry for some in ledger.values() for entry in some]
    columns: dict[str, Any] = {
        "shard": pa.array([name for name, some in ledger.items() for _ in some], pa.string())
    }
    for name in _NAMES:
        columns[name] = pa.array([getattr(entry, name) for entry in entries], _type(name))
    table = pa.table(columns).replace_schema_metadata({"version": VERSION, "etags": json.dumps(dict(etags))})
    sink = io.BytesIO()
    parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _type(name: str) -> Any:
    import pyarrow as pa

    kinds = {"classes": pa.list_(pa.int64()), "width": pa.int64(), "height": pa.int64()}
    return kinds.get(name, pa.string())
