"""Documents and presigned addresses in a rendered page.

A sandboxed page shows no PDF (browsers keep their viewers out of it) and no page within itself, so a granted
document in ``iframe``, ``object`` or ``embed`` becomes a link that opens it in a new tab, and an image there
an image. ``presigned`` finds the addresses that the input brought signed along. It knows HTML and no S3.
"""

from __future__ import annotations

import re
from collections.abc import Container
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from markupsafe import escape

from include.review_server.templates.html_tokens import Kind, Token, tokens

MOST_PRESIGNED = 50
_SOURCE = {"iframe": "src", "embed": "src", "object": "data"}
_IMAGE = re.compile(r"\.(jpe?g|png|gif|webp|bmp|svg)$", re.IGNORECASE)
_SIGNED = re.compile(r"[?&](X-Amz-Signature|Signature)=")


def with_links(html: str, granted: Container[str]) -> str:
    """The page with a link, or an image, in place of each document whose address was granted."""
    parts: list[str] = []
    at = 0
    opened: Token | None = None  # a replaced element whose end tag is still to come
    for token in tokens(html):
        if opened is not None:
            if token.kind is Kind.END and token.name == opened.name:
                parts.append(_instead(opened, html))
                at, opened = token.end, None
            continue
        if token.kind is Kind.START and token.name in _SOURCE:
            source = token.attributes(html).get(_SOURCE[token.name], "").strip()
            if source.partition("#")[0] not in granted and not _SIGNED.search(source):
                continue
            parts.append(html[at : token.start])
            at = token.end
            if token.name == "embed":
                parts.append(_instead(token, html))
            else:
                opened = token
    if opened is not None:
        parts.append(_instead(opened, html))
    return "".join([*parts, html[at:]])


def presigned(html: str, granted: Container[str] = ()) -> list[str]:
    """The signed addresses in the attributes of tags but those granted, at most ``MOST_PRESIGNED``."""
    found: dict[str, None] = {}
    for token in tokens(html):
        if token.kind is not Kind.START:
            continue
        for value in token.attributes(html).values():
            value = value.strip()
            if value in granted:
                continue
            if value.startswith(("https://", "http://")) and _SIGNED.search(value):
                found.setdefault(value)
                if len(found) == MOST_PRESIGNED:
                    return list(found)
    return list(found)


def _instead(token: Token, html: str) -> str:
    address = token.attributes(html)[_SOURCE[token.name]].strip()
    path = unquote(urlsplit(address).path)
    name = PurePosixPath(path).name
    if _IMAGE.search(path):
        return f'<img src="{escape(address)}" alt="{escape(name)}" style="max-width: 100%">'
    return (
        f'<a href="{escape(address)}" target="_blank" rel="noopener noreferrer">'
        f"Open the document {escape(name)} in a new tab</a>"
    )
