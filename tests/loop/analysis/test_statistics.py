"""Means, groups, shares and the line through confidence and score, over labels in files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from include.loop.analysis import charts, statistics
from include.loop.analysis.costs import Prices
from include.loop.analysis.galleries import choose
from include.loop.analysis.page import render
from include.loop.analysis.sources import Sources
from include.loop.analysis.summary import summarize, text
from include.loop.analysis.tables import Tables, read_tables
from include.loop.core.errors import ConfigurationError
from tests.loop.analysis.jobs import boxes, grade
from tests.loop.manifests.lines import no_s3, write

LEFT, RIGHT = (0, 0, 8, 8), (20, 0, 8, 8)


def judged(
    folder: Path, labels: Sequence[Any], references: Sequence[Any] | None = None, **more: Any
) -> Tables:
    manifest = write(folder / "labels.manifest", labels)
    true = write(folder / "true.manifest", references) if references is not None else None
    return read_tables(Sources(manifest, references=true, **more), no_s3)


def test_boxes_of_different_pictures_never_lie_together(tmp_path: Path) -> None:
    """Pooled as if they were one picture's, two images without a single hit would score 1."""
    tables = judged(
        tmp_path,
        [boxes("s3://b/1", [LEFT]), boxes("s3://b/2", [RIGHT])],
        [boxes("s3://b/1", [RIGHT]), boxes("s3://b/2", [LEFT])],
    )
    found = statistics.groups(tables)["all"]
    assert (found.images, found.mean, found.by_box) == (2, 0.0, 0.0)


def test_a_mean_over_boxes_weighs_boxes_and_a_mean_over_images_weighs_images(tmp_path: Path) -> None:
    tables = judged(
        tmp_path,
        [boxes("s3://b/1", [LEFT, RIGHT, (0, 10, 4, 4)], human="no"), boxes("s3://b/2", [])],
        [boxes("s3://b/1", [LEFT, RIGHT, (0, 10, 4, 4)]), boxes("s3://b/2", [LEFT])],
    )
    groups = statistics.groups(tables)
    assert [(item.boxes, item.images, item.mean) for item in statistics.by_boxes(tables)] == [
        (0, 1, 0.0),
        (3, 1, 1.0),
    ]
    assert (groups["all"].mean, groups["all"].by_box) == pytest.approx((0.5, 0.75))
    assert (groups["human"].mean, groups["machine"].mean) == pytest.approx((0.0, 1.0))


def test_labels_made_at_another_size_of_the_picture_are_compared_all_the_same(tmp_path: Path) -> None:
    larger = boxes("s3://b/1", [(0, 0, 16, 16)])
    larger["box"]["image_size"] = [{"width": 64, "height": 48, "depth": 3}]
    tables = judged(tmp_path, [larger], [boxes("s3://b/1", [LEFT], classes=("bolt",))])
    assert statistics.groups(tables)["all"].mean == 1
    assert tables.images.other_class.sum() == 1  # but under another name


def test_no_share_of_the_surest_images_is_empty_and_equal_ones_share_their_mean(tmp_path: Path) -> None:
    """Two images have five tenths: the first four of them hold the surer one."""
    hit, miss = ("s3://b/1", [LEFT]), ("s3://b/2", [RIGHT])
    tables = judged(
        tmp_path,
        [boxes(*hit, (0.9,)), boxes("s3://b/2", [LEFT], (0.5,))],
        [boxes(*hit), boxes(*miss)],
    )
    found = statistics.surest(tables)
    assert [item.images for item in found] == [1] * 5 + [2] * 5
    assert [item.mean for item in found] == [1.0] * 5 + [0.5] * 5
    line = statistics.regression(tables)
    assert line is not None
    assert (line.slope, line.start, line.r) == pytest.approx((2.5, -1.25, 1.0))
    equal = judged(
        tmp_path,
        [boxes(*hit, (0,)), boxes("s3://b/2", [LEFT], (0,))],
        [boxes(*hit), boxes(*miss)],
    )
    assert {item.mean for item in statistics.surest(equal)} == {0.5}
    assert statistics.regression(equal) is None
    assert "confidence says nothing" in "\n".join(text(summarize(equal, "equal", Prices())))


def test_an_image_is_as_sure_as_its_boxes_on_average_and_not_at_all_without_boxes(tmp_path: Path) -> None:
    tables = judged(tmp_path, [boxes("s3://b/1", [LEFT, RIGHT], (0.2, 0.6)), boxes("s3://b/2", [], ())])
    assert list(tables.images.confidence) == pytest.approx([0.4, 0])
    assert [(item.boxes, item.images) for item in statistics.by_boxes(tables)] == [(0, 1), (2, 1)]
    assert tables.measured is None
    assert statistics.groups(tables)["all"].mean is None


def test_sixteen_bins_hold_every_image_once(tmp_path: Path) -> None:
    tables = judged(
        tmp_path,
        [boxes(f"s3://b/{n}", [LEFT] * (n % 3)) for n in range(6)],
        [boxes(f"s3://b/{n}", [LEFT]) for n in range(6)],
    )
    assert statistics.histogram(tables.scored.score) == [2] + [0] * 7 + [2] + [0] * 6 + [2]


def test_lines_that_failed_or_cannot_be_read_are_counted_and_cost_no_other(tmp_path: Path) -> None:
    failed = {"source-ref": "s3://b/2", "box-metadata": {"failure-reason": "ClientError: gone"}}
    labels = [
        boxes("s3://b/1", [LEFT]),
        failed,
        {"source-ref": "s3://b/3"},
        b'{"source-ref": ',
        boxes("s3://b/5", [(0, 0, float("nan"), 1)]),
        boxes("s3://b/6", [(0, 0, -4, 1)]),
    ]
    tables = judged(tmp_path, labels, [boxes("s3://b/1", [LEFT]), {"source-ref": "s3://b/2"}], label="box")
    summary = summarize(tables, "some", Prices())
    assert summary.states == {"labelled": 1, "failed": 1, "unlabelled": 1, "unreadable": 3}
    assert summary.groups["all"].images == 1
    assert summary.problems["the image was not labelled: ClientError: gone"] == 1
    assert summary.problems["reference: the image has no label"] == 1
    json.dumps(summary.to_value(), allow_nan=False)


def test_classes_are_counted_and_confused_by_name(tmp_path: Path) -> None:
    labels = [grade(f"s3://b/{n}", said, 0.9) for n, said in enumerate(["good", "good", "bad", "bad"])]
    true = [grade(f"s3://b/{n}", said, 1, name="true") for n, said in enumerate(["good", "bad", "bad"])]
    for item in true:  # another list of classes, in which the numbers mean other names
        item["true"] = 1 - item["true"]
    summary = summarize(judged(tmp_path, labels, true), "grades", Prices(answer=0.012))
    assert summary.classes == {"bad": 2, "good": 2}
    assert summary.confusion == {"bad": {"bad": 1, "good": 1}, "good": {"bad": 0, "good": 1}}
    assert summary.groups["all"].mean == pytest.approx(2 / 3)
    assert summary.costs.total == pytest.approx(4 * 0.092)
    assert "  bad " in "\n".join(text(summary))


def test_the_reference_may_stand_in_the_same_lines(tmp_path: Path) -> None:
    both = boxes("s3://b/1", [LEFT]) | boxes("s3://b/1", [LEFT, RIGHT], name="true")
    tables = judged(tmp_path, [both], reference_label="true")
    assert (tables.sources.label, statistics.groups(tables)["all"].mean) == ("box", 0.5)
    with pytest.raises(ConfigurationError, match="several attributes could be the label"):
        judged(tmp_path, [both])
    with pytest.raises(ConfigurationError, match="has no lines"):
        judged(tmp_path, [])


def test_a_mean_of_many_images_has_an_interval(tmp_path: Path) -> None:
    tables = judged(
        tmp_path,
        [boxes(f"s3://b/{n}", [LEFT]) for n in range(100)],
        [boxes(f"s3://b/{n}", [LEFT if n % 4 else RIGHT]) for n in range(100)],
    )
    found = statistics.groups(tables)["all"]
    assert found.mean == 0.75
    assert found.low == pytest.approx(0.6647, abs=1e-4)
    assert found.high == pytest.approx(0.8353, abs=1e-4)


def test_what_says_nothing_is_left_out(tmp_path: Path) -> None:
    """One annotator, the same confidence and one box everywhere: the mean says all of it."""
    tables = judged(
        tmp_path,
        [boxes(f"{n}.jpg", [LEFT], (0.5,)) for n in range(9)],
        [boxes(f"{n}.jpg", [LEFT]) for n in range(9)],
    )
    summary = summarize(tables, "equal", Prices())
    assert (set(summary.told_groups), summary.told_line, summary.told_surest) == ({"human"}, None, ())
    assert charts.draw(summary, tables) == {}
    page = render(summary, tables, no_s3)
    for text_ in ('<th scope="row">all', "Machine</th>", "The surest images", '<h2 id="workers"'):
        assert text_ not in page


def test_pictures_by_chance_are_none_of_the_best_and_the_worst(tmp_path: Path) -> None:
    tables = judged(
        tmp_path,
        [
            boxes(f"s3://b/{n}", [(n / 10, 0, 8, 8)], (n / 40,), human="no" if n % 2 else "yes")
            for n in range(40)
        ],
        [boxes(f"s3://b/{n}", [LEFT]) for n in range(40)],
    )
    chosen = choose(tables)
    assert list(chosen) == [
        "Worst", "Best", "Surest", "By people, chosen by chance", "By machine, chosen by chance"
    ]  # fmt: skip
    told = {*chosen["Worst"], *chosen["Best"], *chosen["Surest"]}
    for title in list(chosen)[3:]:
        assert len(chosen[title]) == 5
        assert not told & {*chosen[title]}
    summary = summarize(tables, "many", Prices())
    assert set(charts.draw(summary, tables)) >= {"histogram", "confidence", "surest", "costs"}
    assert "× confidence" in "\n".join(text(summary))
