"""How a page of the portal becomes a reply: jinja2 with everything escaped, and the headers that guard it.

Takes a template's name and values, gives a response. The portal's own style and scripts are served below an
address that holds a hash of them, so that browsers may keep them for good and still never use old ones.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from include.review_server.clock import iso
from include.review_server.templates import component_files

_HERE = Path(__file__).parent
_STATIC = _HERE / "static"

_IMAGES = "img-src 'self'"
# Nothing but the portal's own files: no inline script or style, no other host, no frame around the portal.
_PAGE_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        _IMAGES,
        "connect-src 'self'",
        "frame-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
PAGE_HEADERS = {
    "Content-Security-Policy": _PAGE_POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    # What a page shows is one person's: neither a proxy nor the back button after signing out may show it.
    "Cache-Control": "no-store",
}


class Pages:
    """Renders the portal's pages."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"iso": iso, "span": span, "day": day}
        self._environment.globals["static"] = f"/portal/{_version()}/portal/static"

    def page(self, name: str, status: int = 200, picture: str | None = None, **values: Any) -> Response:
        """The page ``templates/{name}.html``. Pages about a person get ``person`` (a ``SignedIn``).

        ``picture`` is the signed address of an image: this page may show it.
        """
        headers = PAGE_HEADERS
        if picture:
            address = f"{_IMAGES} {picture.partition('?')[0]}"
            headers = PAGE_HEADERS | {"Content-Security-Policy": _PAGE_POLICY.replace(_IMAGES, address)}
        return HTMLResponse(self.text(name, picture=picture, **values), status, headers)

    def text(self, name: str, **values: Any) -> str:
        """The page, or a part of one, as HTML."""
        return self._environment.get_template(f"{name}.html").render({"person": None} | values)

    def redirect(self, path: str) -> Response:
        """To another page of the portal, by GET."""
        return RedirectResponse(path, 303, PAGE_HEADERS)

    @staticmethod
    def routes() -> list[Mount]:
        """Where the style and the scripts are.

        As they lie in the tree: the portal's scripts import one that the components have, too.
        """
        base = f"/portal/{_version()}"
        return [
            Mount(f"{base}/portal/static", _ForGood(directory=_STATIC)),
            Mount(f"{base}/components/core", _ForGood(directory=component_files.ROOT / "core")),
        ]


class _ForGood(StaticFiles):
    """Files whose address changes with their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def span(seconds: float | None) -> str:
    """A duration for people: ``45 s``, ``3 min``, ``5 h``, ``2 days``; an en dash for None."""
    if seconds is None:
        return "–"
    for size, unit in ((172_800, "days"), (7_200, "h"), (120, "min")):
        if seconds >= size:
            return f"{seconds / {'days': 86_400, 'h': 3_600, 'min': 60}[unit]:.0f} {unit}"
    return f"{seconds:.0f} s"


def day(moment: datetime) -> str:
    """``2026-03-04 10:12 UTC``: what a page says until its script knows the reader's time zone."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _version() -> str:
    digest = hashlib.sha256(component_files.version().encode())
    for path in sorted(_STATIC.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
