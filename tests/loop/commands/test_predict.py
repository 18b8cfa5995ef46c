"""``predict``: any image, of any model, in words and drawn; and what an endpoint scores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from include.loop.__main__ import main
from include.loop.commands.predict import drawings
from include.loop.serving.asking import Given
from tests.loop.manifests.lines import boxes, write
from tests.loop.place import Place, labelled, picture
from tests.loop.served import Serving
from tests.loop.terminal import at_terminal
from tests.support.cloud import FAKE_IMAGE


@pytest.fixture
def folder(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where a person has two pictures of the same name, and something that is none."""
    endpoint = {"endpoint": f"e-{place.bucket[-12:]}"}
    at_terminal(place, monkeypatch, tmp_path, image=FAKE_IMAGE, poll_seconds=0.1, deployment=endpoint)
    for name, level in (("day/a", 204), ("night/a", 40)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / f"{name}.jpg").write_bytes(picture(level))
    (tmp_path / "none.jpg").write_bytes(b"no picture")
    return tmp_path


def test_an_endpoint_is_asked_and_measured_and_a_bad_image_costs_no_good_one(
    place: Place, folder: Path, capsys: pytest.CaptureFixture
):
    serving = Serving(place)
    job = serving.serve_champion("one")
    uri = place.put("asked.jpg", picture(102))
    day, night, none = (str(folder / name) for name in ("day/a.jpg", "night/a.jpg", "none.jpg"))
    assert main(["predict", day, night, none, uri, "--out", str(folder / "out")]) == 1
    captured = capsys.readouterr()
    assert captured.out == (
        f"{day}\n  0.800 cat  xmin 0.250 ymin 0.250 xmax 0.750 ymax 0.750\n"
        f"{night}\n  nothing with 0.2 or more; best: cat 0.157\n"
        f"{uri}\n  0.400 cat  xmin 0.250 ymin 0.250 xmax 0.750 ymax 0.750\n"
    )
    assert f"error: {none}: image is of no known format; JPEG and PNG are read" in captured.err
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["a-2.png", "a.png", "asked.png"]
    plain, drawn = (Image.open(folder / "out" / f"{name}.png") for name in ("a-2", "a"))
    assert plain.size == drawn.size == (384, 288)  # twelve times the picture, so that the name can be read
    assert len(plain.getcolors(9999) or ()) < 5
    assert drawn.getpixel((96, 150)) == (0x4C, 0xB2, 0xE1)  # the left side of the box

    assert main(["predict", "--describe"]) == 0
    told = capsys.readouterr().out
    assert f"training job     {job}\n" in told
    assert "  0:cat\n  1:dog\n" in told

    lines = [labelled(uri), labelled(place.put("bad.jpg", b"no picture")), b"{"]
    for line in lines[:2]:
        assert isinstance(line, dict)
        line["box"], line["box-metadata"] = line.pop("review"), line.pop("review-metadata")
    manifest, page = write(folder / "m.manifest", lines), folder / "page.html"
    assert main(["evaluate", manifest, "--out", str(page)]) == 0
    told = capsys.readouterr().out
    assert told.startswith("2 images, 2 objects\nmAP@0.5")
    assert "recall                   0.000\n" in told  # at work a score of 0.5 counts
    assert "1 lines were not measured with:\n  line 3: manifest line is not JSON\n" in told
    assert "1 images without a prediction count as nothing found: endpoint" in told
    assert f"endpoint {serving.endpoint} on m.manifest" in page.read_text()


def test_a_model_without_an_endpoint_is_asked_by_a_transform_that_costs_once(
    place: Place, folder: Path, capsys: pytest.CaptureFixture
):
    """It was trained by hand, so its classes are those of its manifest and of no pipeline."""
    for part in ("train", "validation"):
        place.storage.write_lines(f"{part}.manifest", [boxes(place.put("1.jpg", b"x"), 0, 1)])
    uris = [f"--{part}={place.storage.uri(f'{part}.manifest')}" for part in ("train", "validation")]
    assert main(["train", *uris, "-p", "quality=1"]) == 0
    job = capsys.readouterr().out.rstrip().split()[-1]
    day = str(folder / "day/a.jpg")
    ask = ["predict", day, "--model", job, "--json"]

    def asked() -> set[str]:
        """All such jobs of this cloud; earlier tests have some."""
        pages = place.sagemaker.get_paginator("list_transform_jobs").paginate(NameContains="by-hand-ask-")
        return {job["TransformJobName"] for page in pages for job in page["TransformJobSummaries"]}

    before = asked()
    assert main(["predict", str(folder / "none.jpg"), "--model", job]) == 1
    assert "none.jpg: image is of no known format" in capsys.readouterr().err
    assert asked() == before
    two = [*ask[:2], str(folder / "none.jpg"), *ask[2:], "--out", str(folder / "seen.png")]
    assert main(two) == 1
    assert "2 images do not go into one picture" in capsys.readouterr().err
    assert main(ask) == 0
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    box = {"xmin": 0.25, "ymin": 0.25, "xmax": 0.75, "ymax": 0.75}
    assert told == {"predictions": {day: [{"class": "helmet", "score": 0.8, **box}]}, "missing": {}}
    before = asked()
    model = f"s3://{place.bucket}/by-hand/models/{job}/output/model.tar.gz"
    assert main([*ask[:-2], model]) == 0
    assert f"{day}\n  0.800 helmet  xmin" in capsys.readouterr().out
    assert asked() == before

    assert main(["predict", "--describe", "--model", job, "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert (described["classes"], described["artifact"]) == (["helmet", "vest"], model)
    assert described["input"] == "one JPEG or PNG, squeezed to 300 x 300 pixels"


def test_no_two_drawings_have_one_path():
    names = ["a-3.jpg", "x/a.jpg", "y/a.jpg", "z/a.png", "a-2.jpg"]
    paths = drawings("o", [Given(name, b"") for name in names])
    assert [path.name for path in paths] == ["a-3.png", "a.png", "a-2.png", "a-4.png", "a-2-2.png"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ([], "name an image at least"),
        (["gone.jpg"], "gone.jpg: No such file or directory"),
        (["day/a.jpg"], "is not there: deploy a model, name another with --endpoint, or ask a model"),
        (["day/a.jpg", "--model", "no-such-job"], "there is no training job 'no-such-job'"),
        (["day/a.jpg", "--model", "champion"], "pipeline pets has no champion yet"),
        (
            ["day/a.jpg", "--model", "s3://no-such-bucket-1/a/model.tar.gz"],
            "there is no artifact s3://no-such",
        ),
        (["--describe"], "there is no endpoint"),
    ],
)
def test_what_cannot_be_asked_says_what_there_is_to_do(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    command: list[str],
    message: str,
):
    monkeypatch.chdir(folder)
    assert main(["predict", *command]) == 1
    assert message in capsys.readouterr().err
