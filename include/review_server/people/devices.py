"""The mark that signing in leaves with a device: that the password was known there.

It opens nothing, but attempts from there are counted apart, so that nobody elsewhere can keep its owner out.
It is signed with the password's own hash: it needs no other secret, holds on every server of one database,
and ends with the password.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from itsdangerous import BadSignature, URLSafeSerializer

DEVICE_DAYS = 180


def mark(stored: str, now: datetime, device: str | None = None) -> str:
    """A mark for the password with that hash, on a device that is known already or on a new one."""
    until = (now + timedelta(days=DEVICE_DAYS)).timestamp()
    return str(_signer(stored).dumps([device or secrets.token_hex(8), until]))


def device_of(stored: str | None, mark: str | None, now: datetime) -> str | None:
    """Which device it is, by a mark for the password with that hash; None for any other."""
    if stored is None or mark is None:
        return None
    try:
        device, until = _signer(stored).loads(mark)
    except BadSignature:
        return None
    return str(device) if now.timestamp() < until else None


def _signer(stored: str) -> URLSafeSerializer:
    return URLSafeSerializer(stored, salt="nightloop device")
