"""Report pages made of hostile names: nothing runs, nothing is asked of anybody, links lead to pages only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from include.loop import report
from include.loop.report.drawing import Drawing
from include.loop.report.figures import classes, slices
from include.loop.tasks.detection.measuring import METRIC
from tests.loop.report.rounds import WRONG, Rounds, as_slice, champion, make_rounds
from tests.support.browser import browser
from tests.support.cloud import LocalCloud

__all__ = ["browser"]

SITE = "http://reports.test"
ELSEWHERE = "http://elsewhere.test/stolen"
# Ends attributes of both kinds, elements of every kind that the page has, and the templates' own language.
HOSTILE = (
    "\"'></title></style></svg></textarea><script>window.__xss='script'</script>"
    f"<img src={ELSEWHERE} onerror=\"window.__xss='img'\"><svg onload=\"window.__xss='svg'\"></svg>"
    f"<base href={ELSEWHERE}><iframe src=\"javascript:parent.__xss='frame'\"></iframe>"
    f'<meta http-equiv=refresh content="0;url={ELSEWHERE}"><a href="javascript:window.__xss=\'link\'">x</a>'
    "{{ 7 * 7 }}{% raw %}$x^2$\x0b\u202e\n --><!-- ]]>&lt;script&gt;window.__xss='entity'&lt;/script&gt;"
)
# The same where a file of ours has a rule of its own: at most 64 characters.
SHORT = "\"'><img src=x onerror=window.__xss='class'>"
LINK = "javascript:window.__xss='job'"
JOB = "job-2"


@pytest.fixture(scope="module")
def hostile(cloud: LocalCloud) -> Rounds:
    """A round in which every text that comes from somewhere is hostile."""
    rounds = make_rounds(
        cloud, cloud.make_bucket("hostile-report"), classes=[SHORT, "dog"], description=HOSTILE
    )
    night, other = f"{HOSTILE}1", "2026-11-02"
    for batch in (night, other):
        rounds.night(batch, [n / 40 for n in range(40)], labels=12)
        header = rounds.storage.read_json(f"runs/dt={batch}/questions.json")
        rounds.put(f"runs/dt={batch}/questions.json", header | {"flow_definition_arn": HOSTILE})
    problem = {
        "stage": HOSTILE,
        "image": HOSTILE,
        "reason": HOSTILE,
        "batch": other,
        "loop": HOSTILE,
        "worker": HOSTILE,
    }
    rounds.storage.write_lines(f"labels/dt={other}/quarantine.jsonl", [problem] * 9)
    rounds.test_set("night", ["a.png", f"{HOSTILE}.png"])
    rounds.round(
        JOB, [night, other], parent=LINK, promote=False, classes=(HOSTILE, SHORT),
        before={"night": 0.5, HOSTILE: 0.4}, after={"night": 0.6, HOSTILE: 0.5},
        rules=[
            {"rule": name, "slice": HOSTILE, "class_name": HOSTILE, "value": -0.2, "limit": -0.04,
             "passed": passed, "text": HOSTILE}
            for name in ("loss", "class_loss", HOSTILE) for passed in (True, False)
        ],
    )  # fmt: skip
    rounds.examples(JOB, ["a.png", f"{HOSTILE}.png"], gains=[0.5, -0.5])
    for name, more in {
        f"models/{JOB}/model.json": {
            "hyperparameters": {HOSTILE: HOSTILE}, "model_data": HOSTILE, "instance_type": HOSTILE,
            "base_network": HOSTILE,
        },
        f"datasets/data-{JOB}/dataset.json": {"dataset_id": HOSTILE, "backfilled": [HOSTILE]},
        f"evaluations/{JOB}/verdict.json": {"promote": True, "reasons": [HOSTILE]},
    }.items():  # fmt: skip
        rounds.put(name, rounds.storage.read_json(name) | more)
    rounds.put(f"registry/{JOB}.json", {"package_arn": HOSTILE, "group": HOSTILE, "version": 1})
    decision = {"status": "Rejected", "by": HOSTILE, "comment": HOSTILE, "decided_at": HOSTILE}
    rounds.put(f"registry/{JOB}.decision.json", decision)
    record = {"training_job": JOB, "endpoint": HOSTILE, "config": HOSTILE, "deployed_at": HOSTILE}
    rounds.put("deployments/0001.json", record)
    rejected = [{"manifest": HOSTILE, "line": HOSTILE, "reason": HOSTILE}] * 2
    rounds.storage.write_lines(
        f"datasets/data-{JOB}/rejected.jsonl", [*rejected, rejected[0] | {"box": HOSTILE}]
    )
    rounds.put(
        f"discarded/{other}.json",
        {"shard": "x", "at": "2026-11-05T06:00:00+00:00", "by": HOSTILE, "why": HOSTILE},
    )
    rounds.serve_champion()
    doubted = "2026-11-03"
    rounds.night(doubted, [0.5], labels=1)
    rounds.labelled(doubted, JOB, {f"{HOSTILE}.png": ([WRONG], [WRONG])})
    for job, nights in ((LINK, [doubted, HOSTILE]), (JOB, [doubted])):
        rounds.trial(job, nights, "harm", text=HOSTILE)
    rounds.put("champions/0001.json", champion(1, "another") | {"promoted_at": HOSTILE})
    report.publish(rounds.workspace, JOB)
    return rounds


@pytest.fixture(scope="module")
def pages(hostile: Rounds, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Path to page, as they lie in S3."""
    return {
        f"/{name}": hostile.storage.read(f"reports/{name}") for name in ("index.html", f"{JOB}/index.html")
    }


class Elements(HTMLParser):
    """Every element of a page with its attributes."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_a_page_of_hostile_names_has_only_elements_and_attributes_of_ours(pages: dict[str, bytes]) -> None:
    never = {
        "script",
        "iframe",
        "object",
        "embed",
        "form",
        "base",
        "foreignobject",
        "image",
        "animate",
        "set",
    }
    for path, body in pages.items():
        assert b"window.__xss" in body  # the names are there, as text
        for tag, attributes in Elements(body).found:
            assert tag not in never, path
            assert not [name for name in attributes if name.startswith("on") or name == "http-equiv"], path
            href = attributes.get("href") or attributes.get("xlink:href") or ""
            match tag:
                case "a":
                    assert re.fullmatch(r"(\.\./)?([A-Za-z0-9-]+/)?index\.html", href), path
                case "use":  # a marker of the figure's own
                    assert re.fullmatch(r"#\w+", href), path
                case "link":
                    assert attributes == {"rel": "icon", "href": "data:,"}
                case _:
                    assert not href, path
            assert (attributes.get("src") or "data:image/webp;").startswith("data:image/webp;"), path
            assert not re.search(r"url\((?!#)", attributes.get("style") or ""), path


def test_every_hostile_field_is_told(pages: dict[str, bytes]) -> None:
    """Otherwise the other tests would hold for an empty page."""
    assert b"2026: what speaks against its labels" in pages[f"/{JOB}/index.html"]
    assert pages[f"/{JOB}/index.html"].count(b"window.__xss=&#39;script&#39;") > 36
    assert pages["/index.html"].count(b"window.__xss=&#39;script&#39;") > 5


@pytest.mark.parametrize(
    "name", [HOSTILE, SHORT, "a\x00b", "\x1b[31m", "]]>", "<!--", "$\\frac{1}{0}$", "\n" * 50, "é" * 5_000]
)
def test_a_figure_of_a_hostile_name_has_only_its_own_elements(name: str) -> None:
    plain = _elements(slices([as_slice("plain", 0.8, 0.7)], METRIC))
    assert _elements(slices([as_slice(name, 0.8, 0.7)], METRIC)) <= plain
    plain = _elements(classes(as_slice("plain", 0.8, 0.7, ("cat", "dog")), METRIC))
    assert _elements(classes(as_slice(name, 0.8, 0.7, (name, "dog")), METRIC)) <= plain


def _elements(drawing: Drawing) -> set[str]:
    return {
        f"{tag} {name}" for tag, attributes in Elements(drawing.svg.encode()).found for name in attributes
    }


def test_facts_under_another_name_are_not_written_back(hostile: Rounds) -> None:
    """They would be written to wherever their name says."""
    facts = hostile.storage.read_json(f"reports/{JOB}/facts.json")
    for folder, name in (("job-3", "../../champion"), ("..", ".."), ("job-4", JOB)):
        hostile.put(f"reports/{folder}/facts.json", facts | {"training_job": name, "outcome": "waiting"})
    before = {item.uri for item in hostile.storage.list("")}
    report.publish(hostile.workspace, JOB)
    assert {item.uri for item in hostile.storage.list("")} == before
    assert b"champion/index.html" not in hostile.storage.read("reports/index.html")


@pytest.mark.parametrize("record", [b"{", b'{"by": {"a": []}, "why": [1]}'])
def test_an_odd_record_of_discarded_labels_ends_no_report(hostile: Rounds, record: bytes) -> None:
    hostile.put("discarded/2026-11-02.json", record)
    assert report.publish(hostile.workspace, JOB).training_job == JOB


class TestInBrowser:
    """The same pages in Chromium, with the policy they are served with and without any."""

    @pytest.fixture(params=[None, report.POLICY], ids=["no policy", "policy"])
    def opened(
        self, browser: Browser, pages: dict[str, bytes], request: pytest.FixtureRequest
    ) -> Iterator[Opened]:
        context = browser.new_context()
        opened = Opened(context.new_page(), dict(pages), request.param)
        context.route("**/*", opened.answer)
        yield opened
        context.close()

    def test_no_script_runs_and_nobody_is_asked(self, opened: Opened) -> None:
        for path in (f"/{JOB}/index.html", "/index.html"):
            opened.page.goto(SITE + path)
            opened.page.get_by_role("heading", level=1).wait_for()
            assert opened.page.evaluate("[window.__xss, document.scripts.length]") == [None, 0]
            opened.click_everything()
            assert opened.page.evaluate("window.__xss") is None
        assert opened.dialogs == []
        assert opened.asked == [f"{SITE}/{JOB}/index.html", f"{SITE}/index.html"]


def test_a_page_that_somebody_else_wrote_can_do_nothing_but_be_read(browser: Browser) -> None:
    """Whoever may write to the bucket could put any HTML there: the policy alone has to hold."""
    written = (
        f"<!doctype html><title>x</title>{HOSTILE}--><h1>read me</h1>"
        f"<link rel=stylesheet href={ELSEWHERE}><style>h1 {{ background: url({ELSEWHERE}) }}</style>"
        f"<form action={ELSEWHERE}><button>press</button></form><object data={ELSEWHERE}></object>"
    )
    context = browser.new_context()
    opened = Opened(context.new_page(), {"/index.html": written.encode()}, report.POLICY)
    context.route("**/*", opened.answer)
    opened.page.goto(f"{SITE}/index.html")
    opened.page.get_by_role("heading", name="read me").wait_for()
    opened.page.get_by_role("button", name="press").click()
    opened.page.get_by_role("link", name="x").click()
    opened.page.wait_for_timeout(300)  # the refresh asks to be followed at once
    assert opened.page.url == f"{SITE}/index.html"
    assert opened.page.evaluate("window.__xss") is None
    assert opened.dialogs == []
    assert opened.asked == [f"{SITE}/index.html"]
    context.close()


class Opened:
    """A page under test, what it asked for and said."""

    def __init__(self, page: Page, pages: dict[str, bytes], policy: str | None) -> None:
        self.page, self.pages, self._policy = page, pages, policy
        self.asked: list[str] = []
        self.dialogs: list[str] = []
        page.on("dialog", self._dismiss)

    def answer(self, route: Route) -> None:
        self.asked.append(route.request.url)  # what a policy forbids does not come this far
        body = self.pages.get(route.request.url.removeprefix(SITE))
        if body is None:
            route.abort()
            return
        headers = {"Content-Security-Policy": self._policy} if self._policy else {}
        route.fulfill(body=body, content_type="text/html; charset=utf-8", headers=headers)

    def click_everything(self) -> None:
        """Open what can be opened, touch what can be touched; links are looked at, not followed."""
        self.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        for element in self.page.query_selector_all("main img, main svg, main summary, main th, main code"):
            element.dispatch_event("click")
            element.dispatch_event("mouseover")
        places = self.page.evaluate("[...document.links].map((link) => link.href)")
        assert all(place.startswith(f"{SITE}/") for place in places), places

    def _dismiss(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()
