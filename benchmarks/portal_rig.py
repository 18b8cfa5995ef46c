"""What the portal's benchmarks run on: a local cloud for S3, the review server, and Chromium, all real.

``with desk() as it: …`` starts the three in a directory of its own and stops them. ``Desk.sit`` makes a
member of the team signed in at a browser of their own.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from include.review_server.portal.worker_http import COOKIE
from tests.review_server.rig import Flow, Person, Rig
from tests.support.browser import ARGUMENTS, CHROMIUM
from tests.support.cloud import ROLE, LocalCloud, eventually

PATIENCE = 120_000
# What the frame tells the page around it, page after page: ``Seat.heard``.
_LISTEN = """
if (window === window.top) window.addEventListener("message", (event) => {
  if (typeof event.data?.nightloop === "string") window.heard(JSON.stringify(event.data));
});"""


@dataclass
class Seat:
    """One person at one browser."""

    person: Person
    context: BrowserContext
    page: Page
    heard: list[str]  # the frame's messages so far, as JSON

    def events(self) -> list[dict[str, Any]]:
        """What was heard since the last call."""
        events = [json.loads(text) for text in self.heard]
        del self.heard[: len(events)]
        return events


@dataclass
class Desk:
    """A running review server and a browser."""

    rig: Rig
    browser: Browser

    def sit(self, team: str, name: str | None = None, **context: Any) -> Seat:
        """A new member of the team, signed in."""
        person = self.rig.worker(team, name=name)
        opened = self.browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | context)
        opened.set_default_timeout(PATIENCE)
        host = urlsplit(self.rig.url).hostname
        cookie = {"name": COOKIE, "value": person.http.cookies[COOKIE], "domain": host, "path": "/"}
        opened.add_cookies([cookie])  # type: ignore[list-item]
        heard: list[str] = []
        opened.expose_binding("heard", lambda _source, text: heard.append(text))
        opened.add_init_script(_LISTEN)
        return Seat(person, opened, opened.new_page(), heard)

    def flow(self, team: str, bucket: str, template: str, name: str | None = None, **config: Any) -> Flow:
        """An active flow definition of that team with that template."""
        name = name or self.rig.name("flow")
        sagemaker = self.rig.sagemaker
        ui = sagemaker.create_human_task_ui(HumanTaskUiName=name, UiTemplate={"Content": template})
        arns = sagemaker.describe_workteam(WorkteamName=team)["Workteam"]
        settings = {
            "TaskCount": 1,
            "TaskTitle": "Check the boxes",
            "TaskDescription": "Mend what is wrong",
            "WorkteamArn": arns["WorkteamArn"],
            "HumanTaskUiArn": ui["HumanTaskUiArn"],
        }
        arn = sagemaker.create_flow_definition(
            FlowDefinitionName=name,
            RoleArn=ROLE,
            OutputConfig={"S3OutputPath": f"s3://{bucket}/reviews"},
            HumanLoopConfig=settings | config,
        )["FlowDefinitionArn"]
        made = Flow(self.rig, name, arn, team, bucket)
        eventually(lambda: made.status() != "Initializing")
        return made

    def remove(self, flow: Flow) -> None:
        """Delete a flow definition and its template: an account has a hundred of each."""
        self.rig.sagemaker.delete_flow_definition(FlowDefinitionName=flow.name)
        eventually(lambda: self._is_gone(flow))
        self.rig.sagemaker.delete_human_task_ui(HumanTaskUiName=flow.name)

    def _is_gone(self, flow: Flow) -> bool:
        try:
            flow.status()
        except ClientError:
            return True
        return False


@contextmanager
def desk(**settings: Any) -> Iterator[Desk]:
    """Start everything, and stop it. ``settings`` are the review server's."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nightloop-portal-")))
        cloud = stack.enter_context(LocalCloud(folder / "cloud"))
        rig = stack.enter_context(Rig(cloud, folder / "review", **settings))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, "--mute-audio"])
        yield Desk(rig, browser)
        browser.close()
