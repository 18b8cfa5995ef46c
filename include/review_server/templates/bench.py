"""``python -m include.review_server template``: a worker template tried before anyone is paid, and the hosts
that it may load from.

``check`` prints what is wrong and the answer of an immediate submit; ``--open`` serves the task's page on a
port of this machine and prints each answer, ``--browser`` runs it in Chromium and reports what happens there.
"""

from __future__ import annotations

import argparse
import json
import secrets
import socket
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import uvicorn
from starlette.applications import Starlette

from include.review_server import jsontext
from include.review_server.clock import utc_now
from include.review_server.db.database import Database
from include.review_server.s3_location import S3Location
from include.review_server.settings import ReviewSettings
from include.review_server.templates.bench_page import bench_routes
from include.review_server.templates.browser_run import BrowserRun, run_in_browser
from include.review_server.templates.component_files import components_url
from include.review_server.templates.findings import Finding, Severity
from include.review_server.templates.host_names import parse_host
from include.review_server.templates.hosts import TemplateHosts
from include.review_server.templates.render_pool import Checked, RenderPool


def add_commands(commands: Any, data_options: Callable[[argparse.ArgumentParser], None]) -> None:
    """The ``template`` commands, for the server's own command line (argparse's subparsers)."""
    template = commands.add_parser("template", help="try a worker template before anyone works with it")
    actions = template.add_subparsers(title="actions", required=True, metavar="ACTION")
    checking = actions.add_parser(
        "check",
        help="what is wrong with a template, and the answer it would give",
        description="Exit status: 0 there is no error (there may be warnings and hints), 1 there is one, or "
        "a file cannot be read.",
    )
    checking.add_argument("file", type=Path, metavar="FILE", help="the template, as AWS takes it")
    checking.add_argument("--input", type=Path, metavar="INPUT.json", help="a sample of InputContent")
    checking.add_argument("--json", action="store_true", help="for machines")
    checking.add_argument(
        "--browser", action="store_true", help="run it in Chromium (needs Playwright) and report what happens"
    )
    checking.add_argument(
        "--chromium",
        type=Path,
        metavar="PROGRAM",
        help="with --browser: the browser (default: Playwright's own)",
    )
    checking.add_argument(
        "--allow", action="append", default=[], metavar="HOST", help="as if an owner had allowed the host"
    )
    checking.add_argument("--open", action="store_true", help="show the task in a browser, print each answer")
    checking.add_argument("--port", type=int, default=0, help="with --open (default: any free port)")
    checking.set_defaults(run=_check)
    hosts = actions.add_parser(
        "hosts",
        help="the hosts that a template may load images, scripts and styles from",
        description="None unless allowed here or on the owners' page. A host is exact and reached by https.",
    )
    hosts.add_argument("name", metavar="NAME", help="of a human task UI (CreateHumanTaskUi)")
    hosts.add_argument("--labeling-job", action="store_true", help="NAME is a labeling job's")
    hosts.add_argument("--allow", action="append", default=[], metavar="HOST[:PORT]")
    hosts.add_argument("--withdraw", action="append", default=[], metavar="HOST[:PORT]")
    data_options(hosts)
    hosts.set_defaults(run=_hosts)


def _hosts(options: argparse.Namespace) -> int:
    database = Database(ReviewSettings(data_dir=options.data, database_url=options.database).database)
    database.upgrade()
    hosts, job = TemplateHosts(database, utc_now), options.labeling_job
    for host in options.allow:
        hosts.allow(options.name, host, job=job)
    for host in options.withdraw:
        hosts.withdraw(options.name, host, job=job)
    allowed = hosts.of(options.name, job=job)
    for one in allowed:
        who = one.allowed_by or "the operator"
        print(f"{one.host}\tallowed by {who} at {one.allowed_at:%Y-%m-%d %H:%M} UTC")
    if not allowed:
        print(f"{options.name} loads from no other host")
    return 0


def _check(options: argparse.Namespace) -> int:
    try:
        text = options.file.read_text()
        task_input = options.input.read_text() if options.input else "{}"
        jsontext.parse(task_input)
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read {options.file} or its input: {error}") from error
    hosts = [parse_host(host) for host in options.allow]
    renderers = RenderPool(1)
    try:
        checked = renderers.check(text, task_input, hosts)
        ran = _run(renderers, text, task_input, hosts, options.chromium) if options.browser else None
        findings = [
            Finding(one["code"], one["message"], one["line"], Severity(one["severity"]))
            for one in checked.findings
        ] + (ran.findings if ran else [])
        if options.json:
            report = {
                "findings": [finding.to_dict() for finding in findings],
                "answer": checked.content,
                "first": checked.first,
            }
            print(json.dumps(report | ({"browser": ran.to_dict()} if ran else {}), indent=2))
        else:
            _print(options.file, checked, findings, ran)
        if options.open:
            _serve(renderers, text, task_input, hosts, options.port)
    finally:
        renderers.stop()
    return 1 if any(finding.severity is Severity.ERROR for finding in findings) else 0


def _print(file: Path, checked: Checked, findings: list[Finding], ran: BrowserRun | None) -> None:
    for finding in findings:
        print(f"{file}: {finding}")
    counts = [(sum(one.severity is severity for one in findings), severity) for severity in Severity]
    told = ", ".join(f"{count} {severity}{'' if count == 1 else 's'}" for count, severity in counts if count)
    print(told or "nothing is wrong")
    print("An immediate submit would answer (null: known in the browser only):")
    print(json.dumps(checked.content, indent=2))
    for step in checked.first:
        print(f"before that, a worker must {step}")
    if ran:
        print(ran)


def _run(
    renderers: RenderPool, text: str, task_input: str, hosts: list[str], chromium: Path | None
) -> BrowserRun:
    answers: list[str] = []
    with _page(renderers, text, task_input, hosts, 0, answers.append) as (page, server):
        if server is None:
            return BrowserRun([])
        return run_in_browser(page, server, answers, chromium)


def _serve(renderers: RenderPool, text: str, task_input: str, hosts: list[str], port: int) -> None:
    """Serve the task until Ctrl+C."""
    with _page(renderers, text, task_input, hosts, port, lambda answer: print(answer, flush=True)) as (
        page,
        server,
    ):
        if server is None:
            print("The template cannot be shown: it does not render.", file=sys.stderr)
            return
        print(f"The task is at {page} (Ctrl+C ends)", flush=True)
        webbrowser.open(page)
        server()


@contextmanager
def _page(
    renderers: RenderPool,
    text: str,
    task_input: str,
    hosts: list[str],
    port: int,
    answered: Callable[[str], None],
) -> Iterator[tuple[str, Callable[[], None] | None]]:
    """The task's address and what serves it, or no server when the template does not render.

    Every address has a secret part: no other page can read or post here.
    """
    secret = secrets.token_urlsafe(16)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        images = f"{address}/images/"

        def stand_in(location: S3Location) -> str:
            return images + quote(location.key)

        rendered = renderers.document(text, task_input, components_url(address), stand_in)
        if not rendered.content:
            yield "", None
            return
        app = Starlette(routes=bench_routes(rendered.content, secret, address, hosts, answered))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        yield f"{address}/{secret}/", lambda: server.run(sockets=[listener])
        server.should_exit = True
