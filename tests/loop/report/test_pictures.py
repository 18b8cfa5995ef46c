"""Before and after, in pictures: every box is told, in stored pixels, and what is gone is left out."""

from __future__ import annotations

import base64
import io

from PIL import Image

from include.loop.report import pictures
from include.loop.report.gather import gather
from tests.loop.report.rounds import Rounds


def draw(rounds: Rounds) -> list[pictures.Pair]:
    return pictures.draw(rounds.workspace, gather(rounds.workspace, "job-2").examples, 0.5)


def image(view: pictures.Seen) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(view.source.partition(",")[2])))


def test_both_models_are_drawn_with_what_they_found_and_missed(rounds: Rounds) -> None:
    rounds.test_set("night", ["a.png"])
    rounds.round("job-2", [])
    rounds.examples("job-2", ["a.png"])
    (pair,) = draw(rounds)
    assert [view.told for view in pair.views] == ["before: 1 wrong, 1 missed", "after: 1 right"]
    assert pair.views[1].alt == "a.png after: 1 right"
    assert image(pair.views[0]).size == (64 * 6, 48 * 6)


def test_an_image_that_is_gone_or_damaged_is_left_out(rounds: Rounds) -> None:
    rounds.test_set("night", ["a.png", "b.png", "c.png", "d.png"])
    rounds.round("job-2", [])
    rounds.examples("job-2", ["a.png", "b.png", "c.png", "d.png"])
    rounds.storage.s3.delete_object(Bucket=rounds.storage.bucket, Key="pets/test/a.png")
    rounds.put("test/b.png", b"no image at all")
    rounds.put("out/2/after.out", b"{")
    assert [pair.example.image.rsplit("/")[-1] for pair in draw(rounds)] == ["d.png"]


def test_a_model_without_a_prediction_has_found_nothing(rounds: Rounds) -> None:
    rounds.test_set("night", ["a.png"])
    rounds.round("job-2", [])
    rounds.examples("job-2", ["a.png"])
    (row,) = rounds.storage.read_lines("evaluations/job-2/images.jsonl")
    row["out"]["champion"] = None
    rounds.put("evaluations/job-2/images.jsonl", row)
    (pair,) = draw(rounds)
    assert [view.told for view in pair.views] == ["before: 1 missed", "after: 1 right"]


def test_pixels_are_shown_as_they_are_stored(rounds: Rounds) -> None:
    """A phone's photograph that is marked as turned has its boxes in the pixels that are not turned."""
    rounds.test_set("night", ["a.jpg"])
    stream, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (64, 48)).save(stream, "JPEG", exif=exif)
    rounds.put("test/a.jpg", stream.getvalue())
    rounds.round("job-2", [])
    rounds.examples("job-2", ["a.jpg"])
    (pair,) = draw(rounds)
    shown = image(pair.views[0])
    assert shown.width > shown.height
    assert not shown.getexif()


def test_a_large_photograph_is_made_small(rounds: Rounds) -> None:
    rounds.test_set("night", ["a.jpg"])
    stream = io.BytesIO()
    Image.new("RGB", (4000, 3000)).save(stream, "JPEG")
    rounds.put("test/a.jpg", stream.getvalue())
    rounds.round("job-2", [])
    rounds.examples("job-2", ["a.jpg"])
    (pair,) = draw(rounds)
    assert max(image(pair.views[0]).size) == pictures.LONGEST
    assert len(pair.views[0].source) < 60_000
