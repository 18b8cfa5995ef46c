"""How many worker templates that others wrote end with an answer, and what becomes of the rest.

    python -m benchmarks.templates --collection DIR… [--hosts HOST…] [--scripts DIR]
        [--only PART…] [--results FILE]

Every ``*.html`` below the folders becomes a human task UI, a flow definition and a human loop of a real
server, with an input made from the template itself (``template_inputs``), and is opened in Chromium with the
portal's own policy, filled in (``template_answers``) and submitted. Then it is one of three: *answered*
(accepted, with content for every field that was filled in, and nothing went wrong meanwhile), *told* (not so,
and the page or the refusal of the flow definition says why), or *silent* (not so, and nobody was told). The
outcomes are kept in ``--results``, by the template's path; what is there is not tried again, and of equal
texts only one is tried. Nothing of the collections is copied.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError
from playwright.sync_api import BrowserContext, Error, Frame, Page, Route

from benchmarks import template_answers
from benchmarks.portal_rig import Desk, Seat, desk
from benchmarks.template_inputs import input_for, shows_an_image
from benchmarks.template_media import picture, put_media
from include.review_server.clock import utc_now
from include.review_server.templates.hosts import TemplateHosts
from tests.review_server.rig import Flow
from tests.support.cloud import eventually

FOLDER = "pics"
_READY = 60_000
_SENT = 6_000
# Chromium tells of standards that it does not know yet; the policy names them on purpose.
_BENIGN = ("webrtc", "Connection-Allowlist", "Permissions-Policy", "Permissions policy", "favicon")


@dataclass
class Outcome:
    """What became of one template."""

    template: str
    image: bool
    kind: str = "silent"  # or "answered", "told"
    why: str = ""
    complaints: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--collection", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument(
        "--hosts",
        nargs="*",
        default=[],
        metavar="HOST",
        help="hosts that the owner allows; a picture, an empty script or style stands in for their files",
    )
    parser.add_argument(
        "--scripts",
        type=Path,
        metavar="DIR",
        help="files that stand for the scripts of those hosts, by their names",
    )
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="PART", help="templates whose path has one of these parts"
    )
    parser.add_argument("--results", type=Path, default=Path(".nightloop/benchmarks/templates.json"))
    options = parser.parse_args()
    files = [
        (f"{folder.resolve().name}/{path.relative_to(folder)}", path)
        for folder in options.collection
        for path in sorted(folder.rglob("*.html"))
    ]
    results = read(options.results)
    wanted = [(name, path) for name, path in files if any(part in name for part in options.only)]
    same = {name: path.read_text() for name, path in files}
    tried = {same[name] for name in results if name in same}
    missing = {path.read_text(): (name, path) for name, path in wanted if path.read_text() not in tried}
    if missing:
        with desk() as it:
            _try_all(it, list(missing.values()), results, options)
    known = {same[name]: outcome for name, outcome in results.items() if name in same}
    for name, _ in wanted:
        if name not in results:
            results[name] = replace(known[same[name]], template=name)
    _write(options.results, results)
    print(report([results[name] for name, _ in files if name in results]))


def read(path: Path) -> dict[str, Outcome]:
    """The outcomes so far."""
    kept = json.loads(path.read_text()) if path.exists() else {}
    return {name: Outcome(**outcome) for name, outcome in kept.items()}


def _write(path: Path, results: dict[str, Outcome]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({key: asdict(value) for key, value in results.items()}, indent=1))


def report(outcomes: list[Outcome]) -> str:
    """The comparison, and the causes of what did not end with an answer, most frequent first."""
    lines = ["| templates | tried | answered | told | silent |", "|---|---:|---:|---:|---:|"]
    for name, some in (("all", outcomes), ("image tasks", [each for each in outcomes if each.image])):
        count = Counter(each.kind for each in some)
        share = f"{100 * count['answered'] / max(1, len(some)):.0f} %"
        lines.append(
            f"| {name} | {len(some)} | {count['answered']} ({share}) | {count['told']} | {count['silent']} |"
        )
    causes = Counter((each.kind, each.why) for each in outcomes if each.kind != "answered")
    lines += ["", *(f"{count:4} {kind}: {why}" for (kind, why), count in causes.most_common())]
    return "\n".join(lines)


def stand_in(context: BrowserContext, hosts: list[str], scripts: Path | None = None) -> None:
    """Answer for hosts that may not be reached from here: what is asked is whether the page may load them.

    A script that others call has to be there: its file is taken from ``scripts``.
    """
    kinds = {
        "image": ("image/jpeg", picture()),
        "script": ("text/javascript", b""),
        "stylesheet": ("text/css", b""),
    }

    def fulfil(route: Route) -> None:
        media_type, body = kinds.get(route.request.resource_type, ("text/plain", b""))
        file = scripts and scripts / PurePosixPath(urlsplit(route.request.url).path).name
        if media_type == "text/javascript" and file and file.is_file():
            body = file.read_bytes()
        headers = {"Access-Control-Allow-Origin": "*"}
        route.fulfill(body=body, content_type=media_type, headers=headers)

    context.route(lambda url: urlsplit(url).hostname in hosts, fulfil)


def _try_all(it: Desk, files: list[tuple[str, Path]], results: dict[str, Outcome], options: Any) -> None:
    bucket = it.rig.bucket()
    put_media(it.rig.s3, bucket, FOLDER, it.browser)
    team = it.rig.flow(bucket).team
    hosts = TemplateHosts(it.rig.review.database, utc_now)
    seat = it.sit(team)
    stand_in(seat.context, options.hosts, options.scripts)
    seat.context.set_default_timeout(_READY)
    seat.context.set_default_navigation_timeout(_READY)
    seat.page.on("dialog", lambda dialog: dialog.accept())
    for name, path in files:
        started = time.monotonic()
        text = path.read_text()
        outcome = results[name] = Outcome(name, shows_an_image(text))
        try:
            flow = it.flow(team, bucket, text)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationException":
                raise
            outcome.kind, outcome.why = "told", f"refused: {error}"[:200]
        else:
            for host in options.hosts:
                hosts.allow(flow.name, host)
            flow.start(content=input_for(text, f"s3://{bucket}/{FOLDER}"))
            _work(seat, flow, outcome)
            it.remove(flow)
        _write(options.results, results)
        seconds = time.monotonic() - started
        print(f"{outcome.kind:9} {seconds:5.1f} s {name}: {outcome.why}"[:200], flush=True)


def _work(seat: Seat, flow: Flow, outcome: Outcome) -> None:
    """Take the task, fill it in, submit it, and judge what became of it."""
    task = eventually(lambda: seat.person.take(flow))
    seat.heard.clear()
    page = seat.page
    listeners: dict[Any, Any] = {
        "pageerror": lambda error: outcome.errors.append(f"exception: {error.message}"),
        "console": lambda said: outcome.errors.extend(_console(said.type, said.text)),
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    page.goto(f"{flow.rig.url}/work/{task['task_id']}")
    try:
        page.wait_for_selector("#frame[data-ready=yes]")
    except Error:
        outcome.errors.append("the page was never ready")
    page.wait_for_timeout(300)
    frame = page.locator("#frame").element_handle().content_frame()
    names, content = set(), None
    if frame is not None:
        if "has a mistake" in frame.content()[:2000]:
            outcome.complaints.append(frame.locator("body").inner_text())
        names = template_answers.answer(page, frame)
        content = _submit(seat, page, frame)
        outcome.complaints += _told(seat, content)
        if content is None:
            notices = frame.locator("nightloop-notice:visible")
            outcome.complaints += [text for text in notices.all_inner_texts() if text.strip()]
    accepted = content is not None and _accepted(seat, page, task["task_id"])
    if not accepted:
        seat.person.do("decline", task)
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    _leave(seat)
    outcome.complaints = list(dict.fromkeys(outcome.complaints))
    outcome.errors = list(dict.fromkeys(outcome.errors))
    judge(outcome, names, content, accepted)


def _leave(seat: Seat) -> None:
    """Leave the task. A page that a template has stuck stays behind, out of the way."""
    try:
        seat.page.goto("about:blank", timeout=5_000)
    except Error:
        seat.page = seat.context.new_page()
        seat.page.on("dialog", lambda dialog: dialog.accept())


def _console(kind: str, text: str) -> list[str]:
    is_error = kind == "error" and not any(part in text for part in _BENIGN)
    return [f"console: {text}"] if is_error else []


def _told(seat: Seat, content: Any) -> list[str]:
    """What the frame has complained of to the page."""
    complaints = []
    for message in map(json.loads, seat.heard):
        if message["nightloop"] == "ready":
            for kind in ("unsupported", "blocked"):
                complaints += [f"{kind}: {what}" for what in message.get(kind) or []]
        elif message["nightloop"] == "error":
            complaints.append(str(message["message"]))
        elif message["nightloop"] == "held" and content is None:
            complaints.append(str(message.get("reason")))
    return complaints


def _submit(seat: Seat, page: Page, frame: Frame) -> dict[str, Any] | None:
    """Press what submits; the answer that the frame sent."""
    button = frame.locator(
        "crowd-button[form-action=submit]:visible, crowd-form button:not([type]):visible, "
        "button[type=submit]:visible, input[type=submit]:visible"
    )
    try:
        button.last.click(timeout=4_000)
    except Error:
        page.keyboard.press("Control+Enter")
    until = time.monotonic() + _SENT / 1000
    while time.monotonic() < until:
        answers = [m for m in map(json.loads, seat.heard) if m["nightloop"] == "answer"]
        if answers:
            content: dict[str, Any] = answers[-1]["content"]
            return content
        if any(json.loads(message)["nightloop"] == "held" for message in seat.heard):
            return None
        page.wait_for_timeout(100)
    return None


def _accepted(seat: Seat, page: Page, task_id: str) -> bool:
    until = time.monotonic() + 15
    while time.monotonic() < until:
        if seat.person.http.get(f"/worker/tasks/{task_id}").json().get("status") == "Answered":
            return True
        page.wait_for_timeout(100)
    return False


def judge(outcome: Outcome, names: set[str], content: dict[str, Any] | None, accepted: bool) -> None:
    """Decide between answered, told and silent."""
    lost = sorted(name for name in names if not is_content((content or {}).get(name)))
    if accepted and is_content(content) and not lost and not outcome.errors and not outcome.complaints:
        outcome.kind = "answered"
        return
    outcome.kind = "told" if outcome.complaints else "silent"
    if outcome.complaints:
        outcome.why = outcome.complaints[0]
    elif outcome.errors:
        outcome.why = outcome.errors[0]
    elif content is None:
        outcome.why = "the submit did nothing"
    elif not accepted:
        outcome.why = "the answer was not accepted"
    elif lost:
        outcome.why = f"not in the answer: {', '.join(lost)}"
    else:
        outcome.why = "the answer is empty"
    outcome.why = " ".join(outcome.why.split())[:200]


def is_content(value: Any) -> bool:
    """Whether something was answered: a text, a number, a yes, somewhere below."""
    if isinstance(value, dict):
        return any(is_content(part) for key, part in value.items() if key != "inputImageProperties")
    if isinstance(value, list):
        return any(is_content(part) for part in value)
    return (
        value is True
        or (isinstance(value, int | float) and not isinstance(value, bool))
        or bool(isinstance(value, str) and value.strip())
    )


if __name__ == "__main__":
    main()
