"""A whole labeling job, judged: its numbers, its page, its pictures."""

from __future__ import annotations

import json
import re

import pytest

from include.loop.analysis.costs import Prices
from include.loop.analysis.publishing import publish
from include.loop.analysis.sources import Sources
from tests.loop.analysis.jobs import JOB, described, write_job
from tests.loop.place import Place

SHIFTED = (60 / 140 + 48 / 144) / 2  # 10 and 8 wide, 4 to the right


def test_a_job_is_judged_beside_what_is_true(place: Place) -> None:
    _, references = write_job(place)
    sources = Sources.of_job(described(place), references)
    found = publish(place.storage, sources, "analysis/index.html", title=JOB, prices=Prices(hour=18))
    assert (found.labels, found.human, found.machine, found.failed) == (12, 10, 2, 0)
    assert found.mean_score == pytest.approx((10 + 2 * SHIFTED) / 12)
    # Thirty answers of twenty seconds, at eighteen dollars an hour.
    assert found.dollars == pytest.approx(12 * 0.08 + 30 * 0.036 + 30 * 20 / 3600 * 18)
    assert found.headline.startswith("12 of 12 labelled, 10 by people and 2 by machine, for $5.04.")
    numbers = json.loads(place.storage.read("analysis/index.json"))
    assert numbers["groups"]["human"]["mean"] == 1
    assert numbers["groups"]["machine"]["by_box"] == pytest.approx(SHIFTED)
    assert numbers["histograms"] == {"human": [0] * 15 + [10], "machine": [0] * 6 + [2] + [0] * 9}
    assert numbers["iterations"] == {"1": 5, "2": 5}
    workers = {item["worker"][-1]: item for item in numbers["workers"]}
    assert {name: item["true"] for name, item in workers.items()} == {
        "a": 1,
        "b": pytest.approx(SHIFTED),
        "c": 0.5,
    }
    assert {item["seconds"] for item in workers.values()} == {20}
    page = place.storage.read("analysis/index.html").decode()
    assert "http" not in re.sub(r'xmlns(:xlink)?="[^"]*"|data:[^"]*', "", page)
    assert page.count("data:image/webp") > 12
    for title in ("Best", "Worst", "Surest", "By people, chosen by chance", "By machine, chosen by chance"):
        assert f">{title}</h2>" in page


def test_without_references_the_workers_are_compared_with_each_other(place: Place) -> None:
    write_job(place)
    found = publish(place.storage, Sources.of_job(described(place)), "analysis/index.html", title=JOB)
    # a with b, a with c, and b with c, who has drawn one of the two boxes.
    pairs = (SHIFTED, 0.5, 60 / 140 / 2)
    assert found.mean_score == pytest.approx(sum(pairs) / 3, abs=1e-5)
    assert "IoU of the workers" in found.headline
