"""A template run in Chromium under the real policy: what goes wrong there, and what a submit gives.

Takes the address of a page that the bench serves, gives a report. Playwright is a tool of development; where
it is missing, the error says how to get it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from include.review_server.templates.findings import Finding, warning

_READY_SECONDS = 30
_ANSWER_SECONDS = 10
# Debian's, where Playwright has brought no browser of its own.
_CHROMIUM = Path("/usr/bin/chromium")

# Everything that the frame tells the bench's page is kept there, in order.
_LISTEN = """window.told = [];
window.addEventListener("message", ({data}) => {
  if (typeof data?.nightloop === "string") window.told.push(data);
});"""


@dataclass
class BrowserRun:
    """What happened. ``elements`` are those that worked; ``answer`` what a submit gave, None for nothing."""

    findings: list[Finding]
    elements: list[str] = field(default_factory=list)
    answer: Any = None
    held: str | None = None  # why a submit gave nothing

    def to_dict(self) -> dict[str, Any]:
        return {"elements": self.elements, "answer": self.answer, "held": self.held}

    def __str__(self) -> str:
        lines = ["In Chromium:", f"elements at work: {', '.join(self.elements) or 'none'}"]
        if self.answer is not None:
            lines += ["a submit gave:", json.dumps(self.answer, indent=2)]
        else:
            lines.append(f"a submit gave nothing: {self.held or 'the page did not say why'}")
        return "\n".join(lines)


def run_in_browser(
    page: str, serve: Callable[[], None], answers: list[str], chromium: Path | None = None
) -> BrowserRun:
    """Serve the page meanwhile, open it, wait until its elements are ready, and submit.

    ``answers`` is where the server puts what it is sent. ``ValueError`` when there is no browser.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise ValueError(
            "--browser needs Playwright: pip install playwright (it is in requirements-dev.txt)"
        ) from None
    threading.Thread(target=serve, daemon=True).start()
    program = chromium or (_CHROMIUM if _CHROMIUM.exists() else None)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        except Error as error:
            first = str(error).split("\n")[0]
            raise ValueError(
                f"Chromium does not start: {first}. Run `playwright install chromium`, or name one with "
                "--chromium"
            ) from None
        try:
            tab = browser.new_page()
            tab.add_init_script(f"if (window === window.top) {{ {_LISTEN} }}")
            failed: list[str] = []
            tab.on("pageerror", lambda error: failed.append(str(error)))
            tab.goto(page)
            run = _tried(tab, answers)
        finally:
            browser.close()
    known = " ".join(finding.message for finding in run.findings)
    run.findings += [Finding("exception", text) for text in dict.fromkeys(failed) if text not in known]
    return run


def _tried(tab: Any, answers: list[str]) -> BrowserRun:
    ready = _told(tab, "ready", _READY_SECONDS)
    if ready is None:
        return BrowserRun([Finding("never-ready", "the elements never became ready")])
    _told(tab, "painted", _ANSWER_SECONDS)
    tab.evaluate("document.querySelector('iframe').contentWindow.postMessage({nightloop: 'submit'}, '*')")
    until = time.monotonic() + _ANSWER_SECONDS
    held = None
    while not answers and held is None and time.monotonic() < until:
        held = _told(tab, "held", 0)
        tab.wait_for_timeout(50)
    run = BrowserRun([], list(ready.get("elements") or []), json.loads(answers[0]) if answers else None)
    run.held = str(held.get("reason") or "") if held else None
    for message in tab.evaluate(
        "told.filter(({nightloop}) => nightloop === 'error').map(({message}) => message)"
    ):
        finding = Finding("in-browser", str(message)[:500])
        run.findings.append(finding)
    for name in ready.get("unsupported") or []:
        run.findings.append(Finding("unknown-element", f"<{name}> is not an element of this server"))
    for address in ready.get("blocked") or []:
        run.findings.append(warning("blocked", f"the browser blocked {str(address)[:200]}"))
    run.findings = list(dict.fromkeys(run.findings))
    return run


def _told(tab: Any, kind: str, seconds: float) -> dict[str, Any] | None:
    """The last message of a kind, waited for so long."""
    until = time.monotonic() + seconds
    while True:
        found: dict[str, Any] | None = tab.evaluate(
            "kind => told.findLast(({nightloop}) => nightloop === kind) ?? null", kind
        )
        if found or time.monotonic() >= until:
            return found
        tab.wait_for_timeout(50)
