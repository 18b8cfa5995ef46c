"""``python -m include.review_server template check``: a worker template tried before anyone is paid.

Prints what is wrong and the answer of an immediate submit; ``--open`` serves the task's page on a port of
this machine, framed as in the portal, and prints each answer that is submitted. Images are stand-ins with the
object's name: the bench reads no bucket.
"""

from __future__ import annotations

import argparse
import html
import json
import secrets
import socket
import sys
import webbrowser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from include.review_server import jsontext
from include.review_server.s3_location import S3Location
from include.review_server.templates.check import Finding
from include.review_server.templates.component_files import component_routes, components_url
from include.review_server.templates.frame_policy import frame_headers
from include.review_server.templates.render_pool import Checked, RenderPool

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Template bench</title>
<style>:root { color-scheme: light dark } body { margin: 0 } iframe { width: 100%; height: 78vh; border: 0 }
pre { margin: 0; padding: 12px; overflow: auto; max-height: 18vh; border-top: 1px solid }</style>
<iframe title="The task" sandbox="allow-scripts allow-forms" src="FRAME"></iframe>
<pre role="status">Submit the task: its answer appears here and in the terminal.</pre>
<script>
  const frame = document.querySelector("iframe");
  window.addEventListener("message", (event) => {
    if (event.source !== frame.contentWindow || event.data?.nightloop !== "answer") return;
    const text = JSON.stringify(event.data.content, null, 2);
    document.querySelector("pre").textContent = text;
    fetch("ANSWER", { method: "POST", body: text });
  });
</script>"""


def add_commands(commands: Any) -> None:
    """The ``template`` commands, for the server's own command line (argparse's subparsers)."""
    template = commands.add_parser("template", help="try a worker template before anyone works with it")
    actions = template.add_subparsers(title="actions", required=True, metavar="ACTION")
    checking = actions.add_parser(
        "check",
        help="what is wrong with a template, and the answer it would give",
        description="Exit status: 0 nothing is wrong, 1 something is (or a file cannot be read).",
    )
    checking.add_argument("file", type=Path, metavar="FILE", help="the template, as AWS takes it")
    checking.add_argument("--input", type=Path, metavar="INPUT.json", help="a sample of InputContent")
    checking.add_argument("--json", action="store_true", help="for machines")
    checking.add_argument("--open", action="store_true", help="show the task in a browser, print each answer")
    checking.add_argument("--port", type=int, default=0, help="with --open (default: any free port)")
    checking.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    try:
        text = options.file.read_text()
        task_input = options.input.read_text() if options.input else "{}"
        jsontext.parse(task_input)
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read {options.file} or its input: {error}") from error
    renderers = RenderPool(1)
    try:
        checked = renderers.check(text, task_input)
        if options.json:
            report = {"findings": checked.findings, "answer": checked.content, "first": checked.first}
            print(json.dumps(report, indent=2))
        else:
            _print(options.file, checked)
        if options.open:
            _serve(renderers, text, task_input, options.port)
    finally:
        renderers.stop()
    return 1 if checked.findings else 0


def _print(file: Path, checked: Checked) -> None:
    for finding in checked.findings:
        print(f"{file}: {Finding(**finding)}")
    print(f"{len(checked.findings)} findings" if checked.findings else "nothing is wrong")
    print("An immediate submit would answer (null: known in the browser only):")
    print(json.dumps(checked.content, indent=2))
    for step in checked.first:
        print(f"before that, a worker must {step}")


def _serve(renderers: RenderPool, text: str, task_input: str, port: int) -> None:
    """Serve the task until Ctrl+C. Every address has a secret part: no other page can read or post here."""
    secret = secrets.token_urlsafe(16)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        images = f"{address}/images/"

        def stand_in(location: S3Location) -> str:
            return images + quote(location.key)

        rendered = renderers.document(text, task_input, components_url(address), stand_in)
        if not rendered.content:
            print("The template cannot be shown: it does not render.", file=sys.stderr)
            return
        app = Starlette(routes=bench_routes(rendered.content, secret, address))
        page = f"{address}/{secret}/"
        print(f"The task is at {page} (Ctrl+C ends)", flush=True)
        webbrowser.open(page)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


def bench_routes(frame: str, secret: str, address: str) -> list[Route]:
    """The bench's addresses: the page, the task framed under the portal's policy, stand-ins, answers."""
    page = _PAGE.replace("FRAME", f"/{secret}/frame").replace("ANSWER", f"/{secret}/answer")
    policy = frame_headers(f"{address}/components/", [f"{address}/images/"])

    async def show(_request: Request) -> Response:
        return HTMLResponse(page)

    async def task(_request: Request) -> Response:
        return HTMLResponse(frame, headers=policy)

    async def answered(request: Request) -> Response:
        print(json.dumps(json.loads(await request.body()), indent=2), flush=True)
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
        Route(f"/{secret}/answer", answered, methods=["POST"]),
        Route("/images/{key:path}", stand_in),
        *component_routes(),
    ]
