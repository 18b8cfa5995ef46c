"""A batch of everything that real buckets hold and real people answer, cold and with a champion.

``OBJECTS`` says of each object what it is and where it ends; whatever a batch says otherwise is a fault.
The real object detection, the real local cloud and review server, the DAGs' own operators in their order.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import botocore.loaders
import pytest

from tests.e2e.hostile import Batch, Batches, End, Object, Round
from tests.support import hostile_objects as made
from tests.support.cloud import LocalCloud
from tests.support.dag_walk import SUCCESS
from tests.support.hostile_answers import (
    cat,
    cat_twice,
    dog,
    edge,
    half,
    inside_out,
    negative_seconds,
    no_area,
    nothing,
    on_its_side,
    other_form,
    outside,
    stopped,
    unicorn,
    without_output,
    zones,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

COLD, WARM = "2026-10-01", "2026-10-02"

CAT = "^cat at 4,5 of 20 x 10$"
LEARNED = End("label", CAT, asked=True, learned=True)
NEGATIVE = End("label", "^nothing$", asked=True, learned=True)
# Labelled, but the picture of the label is not there any more when somebody wants to learn from it.
TOO_LATE = End("label", CAT, asked=True)
# The same bytes are asked once: their label serves every key, and the next batch knows it.
TWIN = End("label", CAT, learned=True)
KNOWN = End("skip", f"same bytes as .*/again.jpg, asked in batch {COLD}")
OPEN = End("open", asked=True)
NOWHERE = End("nowhere")


def rejected(why: str) -> End:
    return End("batch", why)


def unreadable(why: str) -> End:
    return End("predict", why)


def unanswered(why: str) -> End:
    return End("answer", why, asked=True)


CLIPPED = End("label", "^cat at 44,38 of 20 x 10$", asked=True, learned=True)
DISPUTED = unanswered("reviewers disagree")

OBJECTS = [
    # names: all of them good pictures, unless they say otherwise
    Object("plain.jpg", made.jpeg, LEARNED),
    Object("UPPER.JPG", made.jpeg, LEARNED),
    Object(".jpg", made.jpeg, LEARNED),
    Object("-rf.jpg", made.jpeg, LEARNED),
    Object(" spaces .jpg", made.jpeg, LEARNED),
    Object("line\u2028separator.jpg", made.jpeg, LEARNED),
    Object("next\x85line.jpg", made.jpeg, LEARNED),
    Object("new\nline.jpg", made.jpeg, LEARNED),
    Object("carriage\rreturn.jpg", made.jpeg, LEARNED),
    Object("file\x1cseparator.jpg", made.jpeg, LEARNED),
    Object("tab\tstop.jpg", made.jpeg, LEARNED),
    Object("double\"quote'single.jpg", made.jpeg, LEARNED),
    Object("back\\slash.jpg", made.jpeg, LEARNED),
    Object("<b>&amp;{{ x }}.jpg", made.jpeg, LEARNED),
    Object("100%.jpg", made.jpeg, LEARNED),
    Object("%41.jpg", made.jpeg, LEARNED),
    Object("A.jpg", made.jpeg, LEARNED),
    Object("hash#1.jpg", made.jpeg, LEARNED),
    Object("what?.jpg", made.jpeg, LEARNED),
    Object("plus+space, comma.jpg", made.jpeg, LEARNED),
    Object("a:b=c;d@e.jpg", made.jpeg, LEARNED),
    Object("\U0001f642.jpg", made.jpeg, LEARNED),
    Object("caf\u00e9.jpg", made.jpeg, LEARNED),  # NFC
    Object("cafe\u0301.jpg", made.jpeg, LEARNED),  # and NFD
    Object("n" * 248 + ".jpg", made.jpeg, LEARNED),  # 252 bytes
    Object("/".join(["d" * 120] * 7) + "/" + "\u00e9" * 60 + ".jpg", made.jpeg, LEARNED),  # about 1,000 bytes
    Object("o" * 970 + ".jpg", made.jpeg, LEARNED),
    Object("sub/x.jpg", made.jpeg, LEARNED),
    Object("sub//x.jpg", made.jpeg, LEARNED),
    Object("a/1.jpg", made.jpeg, LEARNED),
    Object("b/a/1.jpg", made.half_jpeg, unreadable("damaged image: .*truncated")),
    Object("x.jpg", made.jpeg, LEARNED),
    Object("x.jpg.out/y.jpg", made.jpeg, LEARNED),
    Object("../up.jpg", made.jpeg, rejected("no browser can ask for it")),
    Object("trailing.jpg/", made.jpeg, rejected("suffix is none of")),
    Object("folder/", made.empty, NOWHERE),
    Object("notes.txt", made.html, rejected("suffix is none of")),
    Object("no-suffix", made.jpeg, rejected("suffix is none of")),
    # pictures of every kind that can be learned from
    Object("picture.png", made.png, LEARNED),
    Object("png-called.jpg", made.png, LEARNED),
    Object("jpeg-called.png", made.jpeg, LEARNED),
    Object("progressive.jpg", made.progressive, LEARNED),
    Object("grey.jpg", made.grey_jpeg, LEARNED),
    Object("cmyk.jpg", made.cmyk, LEARNED),
    Object("turned.jpg", made.turned, LEARNED),
    Object("two-in-one.jpg", made.two_in_one, LEARNED),
    Object("garbage-behind.jpg", made.with_garbage_behind, LEARNED),
    Object("damaged-exif.jpg", made.with_damaged_exif, LEARNED),
    Object("palette.png", made.palette, LEARNED),
    Object("transparent-palette.png", made.transparent_palette, LEARNED),
    Object("alpha.png", made.alpha, LEARNED),
    Object("grey-alpha.png", made.grey_alpha, LEARNED),
    Object("one-bit.png", made.one_bit, LEARNED),
    Object("grey-16.png", made.grey_16, LEARNED),
    Object("grey-12-in-16.png", made.grey_12_in_16, unreadable("16 bits that uses 1[56] of the 256 levels")),
    Object("large.jpg", made.large_photograph, LEARNED),
    Object("one-pixel.png", made.pixel, NEGATIVE, answers=(nothing, nothing)),
    # strangers, most of them called .jpg
    Object("animated.png", made.animated_png, unreadable("image is an animated PNG")),
    Object("webp.jpg", made.webp, unreadable("image is WebP; JPEG and PNG are read")),
    Object("gif.jpg", made.gif, unreadable("image is GIF")),
    Object("bmp.jpg", made.bmp, unreadable("image is BMP")),
    Object("tiff.jpg", made.tiff, unreadable("image is TIFF")),
    Object("jpeg-2000.jpg", made.jpeg_2000, unreadable("image is JPEG 2000")),
    Object("ppm.jpg", made.ppm, unreadable("image is PPM")),
    Object("ico.jpg", made.ico, unreadable("image is ICO")),
    Object("avif.jpg", made.avif, unreadable("image is AVIF")),
    Object("damaged-avif.jpg", made.damaged_avif, unreadable("image is AVIF")),
    Object("eps.jpg", made.eps, unreadable("image is PostScript")),
    Object("svg.jpg", made.svg, unreadable("image is SVG")),
    Object("pdf.jpg", made.pdf, unreadable("image is PDF")),
    Object("html.jpg", made.html, unreadable("image is HTML")),
    Object("lfs-pointer.jpg", made.pointer, unreadable("not an image")),
    # damaged or too large
    Object("empty.jpg", made.empty, rejected("empty object")),
    Object("noise.jpg", made.noise, unreadable("not an image")),
    Object("half.jpg", made.half_jpeg, unreadable("damaged image: .*truncated")),
    Object("half.png", made.half_png, unreadable("damaged image: .*ends within")),
    Object("head.jpg", made.head_of_jpeg, unreadable("damaged image")),
    Object("wrong-sum.png", made.wrong_sum, unreadable("damaged image: wrong checksum")),
    Object("92-megapixels.png", made.huge, LEARNED),
    Object("120-megapixels.png", made.beyond, unreadable("12000 x 10000 pixels is larger than 100,000,000")),
    Object("bomb.png", made.bomb, unreadable("65500 x 65500 pixels is larger than 100,000,000")),
    # the same bytes
    Object("twin-1.jpg", made.jpeg, LEARNED, seed="{date} twins"),
    Object("twin-2.jpg", made.jpeg, TWIN, seed="{date} twins"),
    Object("again.jpg", made.jpeg, LEARNED, warm=KNOWN, seed="every night"),
    # answers
    Object("disputed.jpg", made.jpeg, DISPUTED, answers=(cat, dog), seed="every night, disputed"),
    Object("negative.jpg", made.jpeg, NEGATIVE, answers=(nothing, nothing)),
    Object("tie-cat-nothing.jpg", made.jpeg, DISPUTED, answers=(cat, nothing)),
    Object("tie-cat-dog.jpg", made.jpeg, DISPUTED, answers=(cat, dog)),
    Object("box-twice.jpg", made.jpeg, LEARNED, answers=(cat_twice, cat_twice)),
    Object("box-over-the-edge.jpg", made.jpeg, CLIPPED, answers=(edge, edge)),
    Object("box-inside-out.jpg", made.jpeg, unanswered("box without area"), answers=(inside_out, inside_out)),
    Object("box-outside-for-one.jpg", made.jpeg, LEARNED, answers=(cat, outside)),
    Object("box-outside.jpg", made.jpeg, unanswered("box outside"), answers=(outside, outside)),
    Object("unknown-label.jpg", made.jpeg, unanswered("unknown label"), answers=(unicorn, unicorn)),
    Object("no-area.jpg", made.jpeg, unanswered("box without area"), answers=(no_area, no_area)),
    Object("other-form.jpg", made.jpeg, unanswered("lacks fields"), answers=(other_form, other_form)),
    Object(
        "turned-by-browser.jpg",
        made.turned,
        unanswered("answer is for an image of"),
        answers=(on_its_side, on_its_side),
    ),
    Object("zones.jpg", made.jpeg, LEARNED, after=zones),
    Object("negative-seconds.jpg", made.jpeg, LEARNED, after=negative_seconds),
    Object("half-output.jpg", made.jpeg, unanswered("output.json is not JSON"), after=half),
    Object("no-output.jpg", made.jpeg, OPEN, after=without_output),
    Object("loop-stopped.jpg", made.jpeg, unanswered("loop Stopped"), before=stopped),
    # objects that do not stay
    Object("gone-1.jpg", made.jpeg, unreadable("the object is gone"), until="batch_inference"),
    Object("gone-2.jpg", made.jpeg, unreadable("the object is gone"), until="triage"),
    Object("gone-3.jpg", made.jpeg, unreadable("the object is gone"), until="start_human_loops"),
    Object("gone-4.jpg", made.jpeg, TOO_LATE, until="assemble_manifest"),
    Object("replaced-2.jpg", made.jpeg, unreadable("replaced"), until="triage", replaced=True),
    Object("replaced-3.jpg", made.jpeg, unreadable("replaced"), until="start_human_loops", replaced=True),
    Object("replaced-4.jpg", made.jpeg, TOO_LATE, until="assemble_manifest", replaced=True),
    Object(
        "twin-gone.jpg",
        made.jpeg,
        unreadable("the object is gone"),
        until="start_human_loops",
        seed="{date} twins that part",
    ),
    Object("twin-stays.jpg", made.jpeg, LEARNED, seed="{date} twins that part"),
]


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Batches]:
    root = tmp_path_factory.mktemp("hostile")
    with LocalCloud(root / "cloud") as cloud, pytest.MonkeyPatch.context() as patch:
        batches = Batches(cloud, root, OBJECTS)
        for name, value in batches.variables().items():
            patch.setenv(name, value)
        # Every task of a walk makes its own clients: that SageMaker's service model is read once for all of
        # them saves half a second each.
        patch.setattr(botocore.loaders.JSONFileLoader, "load_file", _read_once())
        yield batches


def _read_once() -> Callable[..., Any]:
    read = botocore.loaders.JSONFileLoader().load_file
    kept = functools.cache(read)
    return lambda _, path: kept(path)


@pytest.fixture(scope="module")
def cold(batches: Batches) -> Batch:
    batches.set_up()
    return batches.batch(COLD)


@pytest.fixture(scope="module")
def first_round(batches: Batches, cold: Batch) -> Round:
    return batches.train("after the cold batch")


@pytest.fixture(scope="module")
def warm(batches: Batches, first_round: Round) -> Batch:
    return batches.batch(WARM)


@pytest.fixture(scope="module")
def second_round(batches: Batches, warm: Batch) -> Round:
    return batches.train("after the batch with a champion")


def test_there_are_objects_enough_and_none_is_named_twice() -> None:
    assert len({item.name for item in OBJECTS}) == len(OBJECTS) >= 60


def test_a_cold_batch_ends_as_the_table_says(batches: Batches, cold: Batch) -> None:
    check(cold, {item.name: item.cold for item in OBJECTS})
    assert cold.late == {}
    times = {
        line["source-ref"]: line["review-metadata"]["creation-date"]
        for line in batches.lines(f"labels/dt={COLD}/augmented.manifest")
    }
    assert times[batches.uri(COLD, "zones.jpg")] == "2026-10-04T04:30:00.000000", "the later one, in UTC"


def test_a_batch_with_a_champion_ends_as_the_table_says(batches: Batches, warm: Batch) -> None:
    assert warm.walk.pushed["list_batch"]["listed"]["champion"]
    check(warm, {item.name: item.warm or item.cold for item in OBJECTS})
    assert warm.late == {batches.uri(COLD, "no-output.jpg"): [("answer", "output.json is missing")]}


def check(batch: Batch, ends: dict[str, End]) -> None:
    assert set(batch.walk.states.values()) == {SUCCESS}
    wrong = [
        f"{name!r} is {'asked about and ' if name in batch.asked else ''}found as {found}, not as {end}"
        for name, end in ends.items()
        if not is_end(found := batch.told[name], end) or (name in batch.asked) != end.asked
    ]
    assert not wrong, "\n".join(wrong)
    assert batch.unseen == {}, "people were asked about what they cannot see"


def is_end(found: list[tuple[str, str]], end: End) -> bool:
    """In one place only; an answer that is rejected beside the one that made the label costs nothing."""
    if end.place == "label":
        found = [item for item in found if item[0] != "answer"]
    if end.place == "nowhere":
        return not found
    return {place for place, _ in found} == {end.place} and all(re.search(end.why, why) for _, why in found)


def test_the_first_model_learns_what_the_cold_batch_labelled(batches: Batches, first_round: Round) -> None:
    check_round(batches, first_round, COLD, {item: item.cold for item in OBJECTS})
    assert first_round.walk.states["promote"] == SUCCESS


def test_the_next_model_learns_what_the_second_batch_labelled(batches: Batches, second_round: Round) -> None:
    check_round(batches, second_round, WARM, {item: item.warm or item.cold for item in OBJECTS})


def test_nobody_starts_a_program_for_a_picture(batches: Batches, second_round: Round) -> None:
    assert not batches.called.exists(), "Ghostscript was started for a PostScript file"


def check_round(batches: Batches, found: Round, date: str, ends: dict[Object, End]) -> None:
    """The dataset has all that was labelled and says what it has not; the container learned all of it."""
    steps = ("plan", "build_dataset", "train", "evaluate", "gate", "register", "report", "record")
    assert {found.walk.states[step] for step in steps} == {SUCCESS}
    labelled = {item for item, end in ends.items() if end.place == "label"}
    learned = {item for item in labelled if ends[item].learned}
    assert {sha256(item.made(date)) for item in learned} <= found.contents
    assert found.rejected == {
        batches.uri(date, item.name): (
            "the image was replaced after it was labelled" if item.replaced else "the image is gone"
        )
        for item in labelled - learned
    }
    for side in ("train", "validation"):
        lines = found.manifests[side]
        boxes = sum(len(line["review"]["annotations"]) for line in lines)
        assert found.read[side] == (len(lines), boxes, 0)
    assert found.samples == len(found.manifests["train"])
    assert [line for line in found.log if "skipping" in line] == []


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
