"""``labels``: labels are judged at a terminal, on this machine or in S3, and put on a page and on paper."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from include.loop.__main__ import main
from include.loop.commands import labels
from tests.loop.analysis.jobs import JOB, boxes, described, write_job
from tests.loop.manifests.lines import write
from tests.loop.place import Place
from tests.loop.terminal import at_terminal


def said(capsys: pytest.CaptureFixture, *command: str, status: int = 0) -> str:
    assert main(["labels", *command]) == status
    captured = capsys.readouterr()
    return captured.out if status == 0 else captured.out + captured.err


def pages(body: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", body))


def test_a_job_is_judged_at_a_terminal_on_a_page_and_on_paper(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
):
    at_terminal(place, monkeypatch, tmp_path / "config", labeling={"service_dollars": 0.08})
    folder, references = write_job(place)
    page, paper = place.storage.uri("out/labels.html"), tmp_path / "labels.pdf"
    command = ["analyze", f"{folder}/", "--references", references, "--answer", "0.036", "--hour", "0"]
    told = said(capsys, *command, "--page", page, "--pdf", "mIoU", str(paper))
    assert "12 of 12 labelled, 10 by people and 2 by machine, for $2.04 (measured)." in told
    assert re.search(r"^  machine +2  0\.381 +0\.381$", told, re.MULTILINE)
    assert re.search(r"^  c +10 +0\.500 +0\.500 +20\.0$", told, re.MULTILINE)
    assert "of 95 %" not in told  # of twelve images
    assert "× confidence" not in told
    assert pages(paper.read_bytes()) == 2  # the title, and twelve of 25 pictures
    assert place.s3.head_object(Bucket=place.bucket, Key="pets/out/labels.html")["ContentType"].startswith(
        "text/html"
    )
    numbers = json.loads(said(capsys, *command, "--json"))
    assert numbers["costs"]["total"] == pytest.approx(12 * 0.08 + 30 * 0.036)
    assert [item["images"] for item in numbers["surest"]] == [2, 3, 4, 5, 6, 8, 9, 10, 11, 12]


def test_a_manifest_on_this_machine_needs_no_cloud(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
):
    at_terminal(place, monkeypatch, tmp_path / "config")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    manifest = write(tmp_path / "m", [boxes("s3://b/\x1b[2J", [(0, 0, 8, 8)], (0.5,))])
    prices = ["--service", "0.08", "--answer", "0.036", "--workers", "3"]
    assert "people $0.188" in said(capsys, "analyze", manifest, *prices).replace("$0.19", "$0.188")
    for order, message in (
        ("mIoU", "no image has a score, so that none can be sorted by it; --references names"),
        ("name", "--pdf sorts by mIoU or confidence, not 'name'"),
    ):
        paper = tmp_path / "x.pdf"
        assert message in said(capsys, "analyze", manifest, "--pdf", order, str(paper), status=1)
        assert not paper.exists()
    assert "must end with .html" in said(capsys, "analyze", manifest, "--page", manifest, status=1)
    assert "cannot be read" in said(capsys, "analyze", str(tmp_path / "none"), status=1)
    assert "price hour: must be dollars from 0" in said(capsys, "analyze", manifest, "--hour", "-1", status=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "Box-R1 is InProgress. It has no label yet; labels progress Box-R1 says how it goes"),
        (
            {"LabelingJobStatus": "Failed", "FailureReason": "No CORS."},
            "Box-R1 is Failed: No CORS. It has no",
        ),
        (
            {"LabelAttributeName": "seg-ref"},
            "Box-R1 is InProgress. Masks are not analysed: boxes and classes",
        ),
    ],
)
def test_a_job_without_labels_to_judge_says_how_it_stands(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    changes: dict[str, str],
    message: str,
):
    at_terminal(place, monkeypatch, tmp_path / "config")
    review = SimpleNamespace(describe_labeling_job=lambda LabelingJobName: described(place) | changes)
    monkeypatch.setattr(labels, "clients", lambda: SimpleNamespace(review=review))
    assert message in said(capsys, "analyze", JOB, status=1)
