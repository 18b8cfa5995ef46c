"""The name of a host that a template may load from: exact, by https, with or without a port.

Takes text, gives the name as it is kept, or a ``ValueError`` for whoever wrote it. It knows nobody.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# A name, not an address: a certificate is for a name.
_HOST = re.compile(rf"(?=.{{1,253}}(?::|$))(?:{_LABEL}\.)+[a-z][a-z0-9-]{{0,61}}[a-z0-9](?::([0-9]{{1,5}}))?")


def parse_host(text: str) -> str:
    """``cdn.example.org`` or ``cdn.example.org:8443`` as it is kept. ``ValueError`` says what is allowed."""
    host = text.strip().lower().removeprefix("https://").rstrip("/").removesuffix(":443")
    found = _HOST.fullmatch(host)
    if found is None or (found[1] and not 0 < int(found[1]) < 65_536):
        raise ValueError(
            f"{text[:80]!r} is no host: write a full name such as cdn.example.org, with a port if it is not "
            "443 (cdn.example.org:8443). It is reached by https; a path, a wildcard, an address in numbers "
            "and another protocol cannot be allowed"
        )
    return host


def host_of(address: str) -> str | None:
    """The host that would have to be allowed for an address to load, or None when none can be."""
    address = f"https:{address}" if address.startswith("//") else address
    try:
        parts = urlsplit(address)
        return parse_host(parts.netloc) if parts.scheme == "https" else None
    except ValueError:
        return None
