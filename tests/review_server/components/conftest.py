"""A browser, and a server of pages: templates rendered as the review server renders them, and images."""

from __future__ import annotations

import io
import json
import socket
import threading
import wave
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import uvicorn
from PIL import Image
from playwright.sync_api import Browser, Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from include.review_server.templates.component_files import component_routes, components_url
from include.review_server.templates.liquid import Templates, frame_document

WIDTH, HEIGHT = 320, 200  # of the pictures, unless a test asks for others


def picture(width: int = WIDTH, height: int = HEIGHT, orientation: int | None = None) -> bytes:
    """A JPEG of noise with a bright upper left corner; its EXIF says how a viewer would turn it."""
    pixels = np.random.default_rng(7).integers(40, 120, (height, width, 3), dtype=np.uint8)
    pixels[: height // 4, : width // 4] = 235
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=92, exif=exif)
    return stream.getvalue()


def sound() -> bytes:
    """A tenth of a second of a tone."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((1, 1, 8000, 800, "NONE", ""))
        file.writeframes(bytes(128 + 40 * (number // 10 % 2) for number in range(800)))
    return stream.getvalue()


@dataclass
class Site:
    """Pages by name, on a port of this machine. Listens as long as the tests run."""

    url: str = ""
    pages: dict[str, str] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)

    def put(self, template: str, task_input: Any = None, name: str = "page") -> str:
        """Render a worker template as a task's page; the page's address."""
        templates = Templates(lambda location: f"{self.url}/images/{location.key}")
        rendered = templates.render(template, {"image": "s3://photos/plain.jpg"} | (task_input or {}))
        assert rendered.content, rendered.errors
        self.pages[name] = frame_document(rendered.content, components_url(self.url))
        return f"{self.url}/pages/{name}"

    def routes(self) -> list[Route]:
        return [
            Route("/pages/{name}", self._page),
            Route("/images/{name}", self._image),
            *component_routes(),
        ]

    async def _page(self, request: Request) -> Response:
        name = request.path_params["name"]
        headers = {"Content-Security-Policy": self.policies[name]} if name in self.policies else {}
        return HTMLResponse(self.pages[name], headers=headers)

    async def _image(self, request: Request) -> Response:
        name = request.path_params["name"].removesuffix(".jpg")
        if name == "missing":
            return Response("gone", 404)
        if name.endswith(".wav"):
            return Response(sound(), media_type="audio/wav")
        headers = {} if name == "no-cors" else {"Access-Control-Allow-Origin": "*"}
        orientation = int(name.removeprefix("exif-")) if name.startswith("exif-") else None
        return Response(picture(orientation=orientation), media_type="image/jpeg", headers=headers)


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    served = Site()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        served.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(Starlette(routes=served.routes()), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield served
        server.should_exit = True
        thread.join(10)


class Task:
    """A worker template open in a browser, and what it told the page around it."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page = page
        self._site = site

    def open(self, template: str, task_input: Any = None, *, ready: bool = True) -> Page:
        """Show a template; wait until its elements, and their image, are there.

        No image comes later: it would move what is below it while that is clicked.
        """
        self.page.goto(self._site.put(template, task_input))
        for kind in ("ready", "painted") if ready else ("ready",):
            self.page.wait_for_function("(kind) => messages.some((m) => m.nightloop === kind)", arg=kind)
        if ready:
            self.page.wait_for_function(
                "[...document.querySelectorAll('*')].every((e) => (e.size === undefined || e.size !== null)"
                " && [e, e.image].every((image) => !(image instanceof HTMLImageElement) || image.complete))"
            )
        return self.page

    def messages(self, kind: str) -> list[dict[str, Any]]:
        """What the task has told so far, of one kind; what it has sent and is still on its way included."""
        self._settle()
        # As text: every member is then exactly what the portal would send on.
        text = self.page.evaluate(
            "(kind) => JSON.stringify(messages.filter((m) => m.nightloop === kind))", kind
        )
        found: list[dict[str, Any]] = json.loads(text)
        return found

    def _settle(self) -> None:
        """Wait until every message that was sent before now has arrived: they keep their order."""
        self.page.evaluate(
            """new Promise((resolve) => {
                window.addEventListener("message", (event) => event.data === "settled" && resolve());
                window.postMessage("settled", "*");
            })"""
        )

    def submit(self) -> dict[str, Any]:
        """Press the submit button; the answer."""
        before = len(self.messages("answer"))
        self.page.locator("crowd-button[form-action=submit]").last.click()
        self.page.wait_for_function(
            "(n) => messages.filter((m) => m.nightloop === 'answer').length > n", arg=before
        )
        content: dict[str, Any] = self.messages("answer")[-1]["content"]
        return content

    def refuses(self) -> str:
        """Press the submit button when something is missing; what the form says. Nothing was sent."""
        before = len(self.messages("answer"))
        self.page.locator("crowd-button[form-action=submit]").last.click()
        text = self.page.locator("crowd-form nightloop-notice.held:visible").inner_text()
        assert len(self.messages("answer")) == before
        return text

    def value(self, selector: str = "[name=result]") -> dict[str, Any]:
        value: dict[str, Any] = self.page.locator(selector).evaluate("(e) => e.value")
        return value

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a stored pixel of the image is in the window."""
        place: list[float] = self.page.evaluate(
            """([x, y]) => {
                const element = [...document.querySelectorAll("*")].find((e) => e.stage);
                const frame = element.stage.getBoundingClientRect();
                const at = element.view.toStage({x, y});
                return [at.x + frame.left + 1, at.y + frame.top + 1];
            }""",
            [x, y],
        )
        return place[0], place[1]

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag the mouse from one stored pixel to another."""
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down()
        middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        self.page.mouse.move(*self.at(*middle))
        self.page.mouse.move(*self.at(*end))
        self.page.mouse.up()

    def click(self, *at: float) -> None:
        self.page.mouse.click(*self.at(*at))

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)


_PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call":
        item.stash[_PASSED] = report.passed
    return report


class Tab:
    """The page of a module's tests, one after another: a new one takes a browser longer than a document."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._page: Page | None = None
        self.errors: list[str] = []

    def blank(self) -> Page:
        if self._page is None:
            context = self._browser.new_context(viewport={"width": 1280, "height": 800})
            context.set_default_timeout(60_000)
            self._page = context.new_page()
            self._page.on("pageerror", lambda error: self.errors.append(str(error)))
            self._page.add_init_script(
                "messages = []; window.addEventListener('message', (e) => messages.push(e.data))"
            )
        self.errors.clear()
        return self._page

    def leave(self) -> None:
        """Off with the document; nothing is held down, and the mouse rests where no element is."""
        assert self._page is not None
        self._page.goto("about:blank")
        for key in ("Control", "Shift", "Alt", "Meta", " "):
            self._page.keyboard.up(key)
        self._page.mouse.up()
        self._page.mouse.move(0, 0)

    def close(self) -> None:
        if self._page is not None:
            self._page.context.close()
            self._page = None


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Tab]:
    tab = Tab(browser)
    yield tab
    tab.close()


@pytest.fixture
def page(tab: Tab, request: pytest.FixtureRequest) -> Iterator[Page]:
    yield tab.blank()
    # Keys and buttons that a test which failed holds down, and what outlives a document, are nobody else's.
    if request.node.stash.get(_PASSED, False) and "own_page" not in request.fixturenames:
        tab.leave()
    else:
        tab.close()
    assert tab.errors == []


@pytest.fixture
def own_page() -> None:
    """For a test that does to its page what outlives a document: routes, listeners, a session of devtools."""


@pytest.fixture
def task(page: Page, site: Site) -> Task:
    site.policies.clear()
    return Task(page, site)


def as_attribute(value: Any) -> str:
    """JSON for a double-quoted attribute."""
    return json.dumps(value).replace("&", "&amp;").replace('"', "&quot;")
