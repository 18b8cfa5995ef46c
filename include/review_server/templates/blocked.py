"""What a browser will not load or do on a task's page, told before anybody sees the page.

Takes a template's tags and scripts, gives findings that say what to do. The page's policy (``frame_policy``)
is what decides; this knows it by heart and needs no browser.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from urllib.parse import urlsplit

from include.review_server.templates.elements import Tag
from include.review_server.templates.findings import Finding, Severity, hint, warning
from include.review_server.templates.host_names import host_of
from include.review_server.templates.html_tokens import Kind, tokens
from include.review_server.templates.marked import GRANTED, line_of
from include.review_server.templates.places import LIQUID

_LOADED = {
    "script": "src", "img": "src", "link": "href", "audio": "src", "video": "src", "source": "src",
    "track": "src", "iframe": "src", "embed": "src", "object": "data",
}  # fmt: skip
_DOCUMENTS = ("iframe", "embed", "object")
_ALLOWED_BY_HOST = ("script", "img", "link")

# What a script asks for that a page in a sandbox has not, and what it sees instead.
_NOT_THERE = (
    (
        re.compile(
            r"(?<![\w$])(fetch\s*\(|XMLHttpRequest\b|WebSocket\s*\(|EventSource\s*\(|sendBeacon\s*\(|"
            r"(?:\$|jQuery)\.(?:ajax|get(?:JSON)?|post)\s*\()"
        ),
        "blocked-request",
        "a task's page sends no requests, but for objects passed through grant_read_access",
    ),
    (
        re.compile(r"\b(localStorage|sessionStorage|indexedDB|document\.cookie)\b"),
        "no-storage",
        "a task's page has no storage and no cookies: the script stops there",
    ),
    (
        re.compile(r"(?<![\w.$])((?:window\.)?(?:alert|confirm|prompt))\s*\("),
        "no-dialogs",
        "a task's page opens no dialogs: show it in the page, for instance with <crowd-alert>",
    ),
    (
        re.compile(r"\b(window\.open)\s*\("),
        "no-windows",
        'scripts open no windows; write a link: <a href="…" target="_blank">',
    ),
    (
        re.compile(r"(\.shadowRoot\b)"),
        "inner-dom",
        "what is inside of Amazon's elements is not imitated; use their attributes, value and events",
    ),
)  # fmt: skip
_IMPORTED = re.compile(r"""(?<![\w$.])import\s*(?:\(\s*|[\w${},*\s]+\sfrom\s*)?['"]([^'"\n]{1,500})['"]""")
_STYLE_ADDRESS = re.compile(r"""(?:url\(\s*['"]?|@import\s+['"])([^'")\s]{1,500})""")


def blocked(found: Iterable[Tag], html: str, hosts: Collection[str]) -> Iterator[Finding]:
    """``html``: the rendered page that the tags are of; ``hosts``: those that an owner has allowed."""
    for tag in found:
        if tag.name == "link" and not {"stylesheet", "preload", "icon"} & set(
            tag.attributes.get("rel", "").lower().split()
        ):
            continue
        if (attribute := _LOADED.get(tag.name)) and (source := tag.attributes.get(attribute, "").strip()):
            yield from _loaded(tag, source, hosts)
        if style := tag.attributes.get("style"):
            yield from _styles(style, line_of(tag), hosts)
    yield from _texts(html, hosts)


def _loaded(tag: Tag, source: str, hosts: Collection[str]) -> Iterator[Finding]:
    line = line_of(tag)
    if LIQUID in source:
        return
    if tag.name in _DOCUMENTS:
        if source.startswith(GRANTED):
            message = f"<{tag.name}> of a document becomes a link that opens it in a new tab"
            yield hint("document-link", message, line)
        elif source not in ("about:blank",):
            message = f'<{tag.name}> shows nothing: a task shows no other page; write <a target="_blank">'
            yield warning("foreign-address", message, line)
    elif not _reached(source, hosts, tag.name) and "crowd-html-elements" not in source:
        severity = Severity.ERROR if tag.name == "script" else Severity.WARNING
        message = f"<{tag.name}> loads {source[:80]}, which the browser blocks: "
        own = _WRITTEN if tag.name in ("script", "link") else _OWN
        advice = _advice(source, own) if tag.name in _ALLOWED_BY_HOST else own
        yield Finding("foreign-address", message + advice, line, severity)


_OWN = "put it into the task's bucket and pass it through grant_read_access"
_WRITTEN = "write its text into the template"


def _advice(source: str, own: str) -> str:
    host = host_of(source)
    if host and not host.endswith("amazonaws.com"):
        return f"an owner can allow the host {host} for this template; or {own}"
    if urlsplit(source).scheme == "http":
        return f"only https can be allowed; or {own}"
    return own


def _reached(source: str, hosts: Collection[str], name: str = "") -> bool:
    if LIQUID in source:
        return True  # an address that the input gives is known with the input
    if source.startswith((GRANTED, "data:", "blob:")):
        return name not in ("script", "link")
    return source.startswith("#") or host_of(source) in hosts


def _texts(html: str, hosts: Collection[str]) -> Iterator[Finding]:
    """What scripts and styles of the page itself ask for."""
    for name, text, line in _inline(html):
        if name == "style":
            yield from _styles(text, line, hosts)
            continue
        for pattern, code, message in _NOT_THERE:
            if found := pattern.search(text):
                at = (line or 1) + text.count("\n", 0, found.start())
                yield warning(code, f"{found[1].rstrip(' (')}: {message}", at if line else None)
        for imported in _IMPORTED.finditer(text):
            if not _reached(imported[1], hosts, "script"):
                message = f"the script imports {imported[1][:80]}, which the browser blocks: "
                yield Finding("foreign-address", message + _advice(imported[1], _WRITTEN), line)


def _inline(html: str) -> Iterator[tuple[str, str, int | None]]:
    """Name, text and line of every script and style that is written in the page."""
    before = None
    for token in tokens(html):
        if before is not None:
            tag = Tag(before.name, before.attributes(html), 0)
            yield before.name, html[before.end : token.start], line_of(tag)
        written = token.kind is Kind.START and token.name in ("script", "style")
        before = token if written and "src" not in token.values else None


def _styles(text: str, line: int | None, hosts: Collection[str]) -> Iterator[Finding]:
    for found in _STYLE_ADDRESS.finditer(text):
        if not _reached(found[1], hosts):
            message = f"the style loads {found[1][:80]}, which the browser blocks: "
            yield warning("foreign-address", message + _advice(found[1], _OWN), line)
