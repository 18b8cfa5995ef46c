"""The pages as a person meets them: on a phone, on a desk, in the dark, on paper."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Route

from include.loop import report
from tests.loop.report.classified import EMU, JOB, make_classified
from tests.loop.report.rounds import make_rounds
from tests.support.browser import browser
from tests.support.cloud import LocalCloud

__all__ = ["browser"]


SITE = "http://reports.test"
# What Airflow's view of the reports allows a page: its own style and pictures, and nothing else.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

# The contrast of every text with what is behind it, by WCAG's formula; below 4.5 it is listed.
FAINT = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      layers.unshift(rgba(getComputedStyle(at).backgroundColor));
    }
    const over = (under, [r, g, b, a]) => [r, g, b].map((v, n) => (v * a + under[n] * (255 - a)) / 255);
    return layers.reduce(over, [255, 255, 255]);
  };
  const faint = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own) continue;
    const style = getComputedStyle(element);
    const ink = rgba(element.closest('svg') ? style.fill : style.color);
    const [one, two] = [light(ink), light(behind(element))];
    const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    if (contrast < 4.5) faint.push(`${contrast.toFixed(2)} ${element.textContent.trim().slice(0, 40)}`);
  }
  return faint;
}"""


@pytest.fixture(scope="module")
def pages(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of a round, as they lie in S3, on disk."""
    rounds = make_rounds(cloud, cloud.make_bucket("pages-in-a-browser"))
    folder = tmp_path_factory.mktemp("reports")
    rounds.night("2026-11-01", [n / 40 for n in range(40)], labels=12)
    rounds.night("2026-11-02", [n / 40 for n in range(40)], labels=12)
    rounds.test_set("night", ["a.png", "b.png"])
    rules = [{"rule": "loss", "slice": "day", "value": -0.2, "limit": -0.04, "passed": False, "text": "fell"}]
    rounds.round("job-2", ["2026-11-01", "2026-11-02"], promote=False, rules=rules)
    rounds.examples("job-2", ["a.png", "b.png"], gains=[0.5, -0.5])
    report.publish(rounds.workspace, "job-2")
    (folder / "job-2").mkdir()
    for name in ("index.html", "job-2/index.html"):
        (folder / name).write_bytes(rounds.storage.read(f"reports/{name}"))
    classes = make_classified(cloud, cloud.make_bucket("classes-in-a-browser"))
    report.publish(classes.workspace, JOB)
    (folder / "classes.html").write_bytes(classes.storage.read(f"reports/{JOB}/index.html"))
    return folder


def serve(route: Route, pages: Path) -> None:
    path = pages / route.request.url.removeprefix(f"{SITE}/")
    route.fulfill(path=path, content_type="text/html", headers={"Content-Security-Policy": POLICY})


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_the_pages_can_be_read_anywhere(
    browser: Browser, pages: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    """No script, no request, no sideways scrolling, nothing faint, headings in order, links that lead on."""
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    context.route(f"{SITE}/**", lambda route: serve(route, pages))
    page.goto(f"{SITE}/job-2/index.html")
    assert page.get_by_role("heading", level=1).inner_text() == "2 batches, 1 Nov to 2 November 2026"
    assert page.get_by_role("heading", name="What to do next").is_visible()
    assert page.get_by_role("img", name="a.png before").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map((h) => +h.tagName[1])")
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.evaluate("[...document.querySelectorAll('table')].every((t) => t.caption)")
    assert page.evaluate(FAINT) == []
    page.get_by_role("link", name="All rounds of pets").click()
    page.get_by_role("heading", name="Round by round").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(FAINT) == []
    page.get_by_role("link", name="1 Nov to 2 Nov 2026").first.click()
    page.get_by_role("heading", name="What to do next").wait_for()
    assert complaints == []
    pages_seen = [f"{SITE}/job-2/index.html", f"{SITE}/index.html", f"{SITE}/job-2/index.html"]
    assert [url for url in asked if not url.startswith("data:")] == pages_seen
    page.goto(f"{SITE}/classes.html")
    page.evaluate("document.querySelectorAll('details').forEach((d) => d.open = true)")
    assert page.get_by_role("img", name=f"05.png: {EMU} → cat 0.95").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map((h) => +h.tagName[1])")
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.evaluate(FAINT) == []
    assert complaints == []
    context.close()


def test_a_page_prints_on_paper(browser: Browser, pages: Path) -> None:
    """White paper in a dark room, nothing cut off at the right, and details open."""
    context = browser.new_context(viewport={"width": 680, "height": 900}, color_scheme="dark")
    page = context.new_page()
    page.goto((pages / "job-2" / "index.html").as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("document.documentElement.scrollWidth") == 680
    assert page.get_by_text("AP@0.5 by class on night").first.is_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")
    context.close()
