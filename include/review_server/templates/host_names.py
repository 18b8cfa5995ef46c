"""The name of a host that a template may load from: exact, by https, with or without a port.

Takes text, gives the name as it is kept, or a ``ValueError`` for whoever wrote it. A template is a stranger's
program in the worker's browser, so what leads to that machine or its network by its form is none. No
name server is asked.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# A name, not an address: a certificate is for a name. The last part begins with a letter, so that no way to
# write an address in numbers (127.1, 0x7f.1) is one.
_HOST = re.compile(rf"(?=.{{1,253}}(?::|$))(?:{_LABEL}\.)+[a-z][a-z0-9-]{{0,61}}[a-z0-9](?::([0-9]{{1,5}}))?")

# Names that every machine or every network gives a meaning of its own (RFC 6761, 6762 and 8375, ICANN's
# .internal, and what routers and offices use).
_OWN_NETWORK = (
    "localhost", "localdomain", "local", "internal", "home.arpa", "lan", "home", "corp", "intranet",
    "private",
)  # fmt: skip


def parse_host(text: str) -> str:
    """``cdn.example.org`` or ``cdn.example.org:8443`` as it is kept. ``ValueError`` says what is allowed."""
    host = text.strip().lower().removeprefix("https://").rstrip("/").removesuffix(":443")
    name = re.sub(r":[0-9]*$", "", host).rstrip(".")
    if f".{name}".endswith(tuple(f".{own}" for own in _OWN_NETWORK)) or _is_address(name):
        raise ValueError(
            f"{text[:80]!r} leads to the machine or the network of whoever opens the page, or is an address "
            "in numbers, and a template may load from none: write a public name, such as cdn.example.org"
        )
    found = _HOST.fullmatch(host)
    if found is None or (found[1] and not 0 < int(found[1]) < 65_536):
        raise ValueError(
            f"{text[:80]!r} is no host: write a full name such as cdn.example.org, with a port if it is not "
            "443 (cdn.example.org:8443). It is reached by https; a path, a wildcard and another protocol "
            "cannot be allowed"
        )
    return host


def _is_address(name: str) -> bool:
    """Whether a browser reads it as an address: in brackets, or with a number as its last part."""
    return name.startswith("[") or re.fullmatch(r"[0-9]+|0x[0-9a-f]*", name.rpartition(".")[2]) is not None


def host_of(address: str) -> str | None:
    """The host that would have to be allowed for an address to load, or None when none can be."""
    address = f"https:{address}" if address.startswith("//") else address
    try:
        parts = urlsplit(address)
        return parse_host(parts.netloc) if parts.scheme == "https" else None
    except ValueError:
        return None
