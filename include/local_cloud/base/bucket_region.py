"""Buckets are made in the cloud's Region only: ministack's S3, of the version pinned in constraints.txt,
would make them anywhere.
"""

from __future__ import annotations

from typing import Any

from include.local_cloud.settings import REGION


def keep_buckets_here(s3: Any) -> None:
    """Let ministack's S3 make buckets in this Region only, and look for none of them elsewhere."""

    def refused(name: str, constraint: str | None, _: str) -> Any:
        if constraint is None:
            return None
        message = f"the location constraint {constraint!r} is not this cloud's: leave it out for {REGION!r}"
        return s3._error("IllegalLocationConstraintException", message, 400, f"/{name}")

    s3._location_constraint_error = refused
    s3._check_bucket_region = lambda *_, **__: None  # of what another version let be made elsewhere
