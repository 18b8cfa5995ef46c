"""The bench in a browser: a template's page on a port of this machine, framed as in the portal.

Takes what the renderers made, gives routes under an address that nobody can guess. Images are stand-ins with
the object's name: the bench reads no bucket.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Sequence

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from include.review_server.templates.component_files import component_routes
from include.review_server.templates.frame_policy import SANDBOX_WORDS, frame_headers

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Template bench</title>
<style>:root { color-scheme: light dark } body { margin: 0 } iframe { width: 100%; height: 78vh; border: 0 }
pre { margin: 0; padding: 12px; overflow: auto; max-height: 18vh; border-top: 1px solid }</style>
<iframe title="The task" sandbox="SANDBOX" src="FRAME"></iframe>
<pre role="status">Submit the task: its answer appears here and in the terminal.</pre>
<script>
  const frame = document.querySelector("iframe");
  window.addEventListener("message", (event) => {
    if (event.source !== frame.contentWindow) return;
    const { nightloop, url } = event.data ?? {};
    if (nightloop === "open" && /^https?:/.test(url) && navigator.userActivation.isActive) {
      window.open(url, "_blank", "noopener");
    }
    if (nightloop !== "answer") return;
    const text = JSON.stringify(event.data.content, null, 2);
    document.querySelector("pre").textContent = text;
    fetch("ANSWER", { method: "POST", body: text });
  });
</script>"""


def bench_routes(
    frame: str,
    secret: str,
    address: str,
    hosts: Sequence[str] = (),
    answered: Callable[[str], None] = print,
) -> list[Route]:
    """The bench's addresses: the page, the task framed under the portal's policy, stand-ins, answers."""
    words = {"SANDBOX": SANDBOX_WORDS, "FRAME": f"/{secret}/frame", "ANSWER": f"/{secret}/answer"}
    page = re.sub("|".join(words), lambda word: words[word[0]], _PAGE)
    policy = frame_headers(f"{address}/components/", [f"{address}/images/"], hosts)

    async def show(_request: Request) -> Response:
        return HTMLResponse(page)

    async def task(_request: Request) -> Response:
        return HTMLResponse(frame, headers=policy)

    async def answer(request: Request) -> Response:
        answered(json.dumps(json.loads(await request.body()), indent=2))
        return Response(status_code=204)

    async def stand_in(request: Request) -> Response:
        name = html.escape(request.path_params["key"])
        picture = (
            '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="480"><rect width="640" height="480" '
            f'fill="#8a94a3"/><text x="320" y="240" font-size="22" text-anchor="middle">{name}</text></svg>'
        )
        return Response(picture, media_type="image/svg+xml", headers={"Access-Control-Allow-Origin": "*"})

    return [
        Route(f"/{secret}/", show),
        Route(f"/{secret}/frame", task),
        Route(f"/{secret}/answer", answer, methods=["POST"]),
        Route("/images/{key:path}", stand_in),
        *component_routes(),
    ]
