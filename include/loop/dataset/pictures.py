"""What the pictures of a batch are, kept from the first time that somebody read them.

Takes the entries of a shard whose splits are not settled for good, gives ``fingerprints/<shard>.jsonl``; and
of these the ones whose picture is still there as it was, so that it need not be read again. They are facts,
and no splits: the file may be deleted at any time.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from include.loop.core.errors import Fatal
from include.loop.core.records.splits import Entry, Picture
from include.loop.core.stats import stat_all
from include.loop.core.storage import Storage

log = logging.getLogger(__name__)


def known_pictures(storage: Storage, shard: str) -> list[Picture]:
    """Those of a shard that are there with the ETag of the time."""
    try:
        kept = list(Picture.read_all(storage, shard))
    except FileNotFoundError:
        return []
    except Fatal as error:  # it says nothing that the pictures do not say
        log.warning("the pictures are read again: %s", error)
        return []
    now = stat_all(storage, (picture.source for picture in kept))
    return [item for item in kept if item.source in now and now[item.source].etag == item.etag]


def keep_pictures(storage: Storage, shard: str, entries: Sequence[Entry]) -> None:
    """Write what was found out about the pictures of a shard."""
    pictures = (
        Picture(
            source=entry.source,
            etag=entry.etag,
            sha256=entry.sha256,
            phash=entry.phash,
            width=entry.width,
            height=entry.height,
        )
        for entry in entries
        if entry.sha256 and entry.width and entry.height
    )
    Picture.write_all(storage, pictures, shard)
