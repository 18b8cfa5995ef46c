"""Names and hashes: the same thing always gets the same name, so doing it twice does it once.

Takes batch ids, image keys, ETags and content; gives names of at most 63 characters (the limit SageMaker and
A2I share) in lower case, with inner hyphens only. Nothing here reads a clock or a random number. Knows
nobody.
"""

from __future__ import annotations

import hashlib
import re
from datetime import date as Date
from typing import Any

from include.loop.core.errors import ConfigurationError
from include.loop.core.storage import dump

MAX_NAME = 63
HASH_CHARS = 10
# Loop names must differ for every image that is ever asked about: 16 hex characters keep ten million apart.
LOOP_HASH_CHARS = 16

BATCH = re.compile(r"(?P<date>\d{4}-\d{2}-\d{2})(\.(?P<epoch>[1-9]\d{0,2}))?")


def check_date(text: str) -> str:
    """A calendar date as YYYY-MM-DD, unchanged; ConfigurationError otherwise."""
    try:
        good = Date.fromisoformat(text).isoformat() == text
    except ValueError:
        good = False
    if not good:
        raise ConfigurationError(f"batch date must be a calendar date as YYYY-MM-DD, not {text!r}")
    return text


def make_batch(date: str, epoch: int = 0) -> str:
    """``2026-11-01``, or ``2026-11-01.1`` for the first time it is forced anew (at most 999 times)."""
    return check_date(date) if epoch == 0 else f"{check_date(date)}.{epoch}"


def batch_date(batch: str) -> Date:
    """The calendar date of a batch."""
    return Date.fromisoformat(check_date(_parse(batch)["date"]))


def batch_slug(batch: str) -> str:
    """``20261101`` or ``20261101-e1``: a batch as it appears inside names."""
    parts = _parse(batch)
    day = parts["date"].replace("-", "")
    return day if parts["epoch"] is None else f"{day}-e{parts['epoch']}"


def content_hash(*parts: Any, length: int = HASH_CHARS) -> str:
    """The first hex characters of SHA-256 over the values as canonical JSON (boundaries cannot blur)."""
    return hashlib.sha256(dump(list(parts))).hexdigest()[:length]


def share(*parts: Any) -> float:
    """A number in [0, 1) that depends on nothing but the parts: a repeatable throw of the dice."""
    return int(content_hash(*parts, length=13), 16) / 16**13


def job_stem(pipeline: str, slug: str, *parts: Any) -> str:
    """A job name without its attempt number, ``{pipeline}-{slug}-{hash}``."""
    return f"{pipeline}-{slug}-{content_hash(*parts)}"


def attempt_name(stem: str, attempt: int) -> str:
    return check_name(f"{stem}-{attempt}")


def loop_prefix(pipeline: str, batch: str) -> str:
    """What the names of all human loops of one batch start with; a hash follows, see ``is_loop_of``."""
    return f"{pipeline}-{batch_slug(batch)}-"


def loop_name(pipeline: str, batch: str, image: str, etag: str, flow_definition_arn: str) -> str:
    """The human loop that asks about one version of one image in one batch."""
    digest = content_hash(image, etag, flow_definition_arn, length=LOOP_HASH_CHARS)
    return check_name(f"{loop_prefix(pipeline, batch)}{digest}")


def is_loop_of(prefix: str, name: str) -> bool:
    # ``digits-20261101-`` also starts ``digits-20261101-e1-<hash>``: what follows must be the hash alone.
    rest = name[len(prefix) :]
    return name.startswith(prefix) and len(rest) == LOOP_HASH_CHARS and "-" not in rest


def check_name(name: str) -> str:
    """The name itself, when SageMaker and A2I accept it."""
    if len(name) > MAX_NAME or not re.fullmatch(r"[a-z0-9](-*[a-z0-9])*", name):
        raise ConfigurationError(
            f"not a usable name (lower case, digits, inner hyphens, at most {MAX_NAME}): {name!r}"
        )
    return name


def _parse(batch: str) -> re.Match[str]:
    found = BATCH.fullmatch(batch)
    if found is None:
        raise ConfigurationError(f"not a batch id: {batch!r} (2026-11-01, or 2026-11-01.1)")
    return found
