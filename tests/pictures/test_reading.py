"""Which images are read, what they look like then, and that the others cost nothing but themselves."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from struct import pack

import numpy as np
import pytest
from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from include.algorithms.images import ImageError, decode
from include.loop.core.errors import BadRecord
from include.loop.core.fingerprints import fingerprint
from include.loop.core.images import check_image
from include.pictures import PictureError, read, read_size
from tests.pictures.files import SIZE, chunk, jpegs, png, pngs, saved, scene, with_size

COLOURS = np.asarray(scene())
WIDE = COLOURS.astype(np.uint16) * 256 + 255 - COLOURS  # 16 bits of which the lower ones say the contrary


def why(body: bytes) -> str:
    """The reason of a refusal: the same in the loop and in the container."""
    with pytest.raises(BadRecord) as loop:
        check_image(body)
    with pytest.raises(ImageError) as container:
        decode(body, 32, 32)
    with pytest.raises(BadRecord) as ledger:
        fingerprint(body)
    assert str(loop.value) == str(container.value) == str(ledger.value)
    return str(loop.value)


def pixels(body: bytes) -> np.ndarray:
    assert check_image(body) == SIZE
    return np.asarray(read(body).image)


@pytest.mark.parametrize("body", [*pngs(), *jpegs()])
def test_every_kind_of_jpeg_and_png_is_read(body: bytes) -> None:
    grey, colour = read(body, "L"), read(body, "RGB")
    assert (grey.width, grey.height) == (colour.width, colour.height) == read_size(body) == SIZE
    assert (grey.image.mode, colour.image.mode) == ("L", "RGB")
    assert abs(np.asarray(colour.image).mean() - np.asarray(grey.image).mean()) < 20
    assert fingerprint(body).phash


@pytest.mark.parametrize("body", [pngs()[0], jpegs()[0]])
def test_a_size_is_not_told_from_a_header_that_is_cut_off_anywhere(body: bytes) -> None:
    for cut in range(len(body)):
        try:
            assert read_size(body[:cut]) == SIZE
        except PictureError:
            continue
        break
    assert 20 < cut < len(body)


@pytest.mark.parametrize("samples", [1, 3, 4], ids=["grey", "colour", "colour and alpha"])
def test_of_16_bits_the_upper_byte_is_seen_as_in_a_browser(samples: int) -> None:
    """Chromium 156 and OpenCV do the same; Pillow's own conversion of grey is white but for 256 levels."""
    alpha = np.full((*WIDE.shape[:2], 1), 65_535, np.uint16)
    body = png(np.concatenate([WIDE, alpha], axis=2)[..., :samples])
    assert (pixels(body) == COLOURS[..., : min(samples, 3)]).all()
    twin = saved(Image.fromarray(COLOURS[..., 0] if samples == 1 else COLOURS), "PNG")
    assert (decode(body, 32, 32).pixels == decode(twin, 32, 32).pixels).all()
    assert fingerprint(body).phash == fingerprint(twin).phash


def test_grey_and_alpha_of_16_bits_is_seen_as_that_grey() -> None:
    opaque = np.stack([WIDE[..., 0], np.full_like(WIDE[..., 0], 65_535)], axis=2)
    assert (pixels(png(opaque)) == COLOURS[..., :1]).all()


def test_an_interlaced_png_is_the_same_picture() -> None:
    assert (pixels(png(COLOURS, interlaced=True)) == COLOURS).all()


@pytest.mark.parametrize("samples", [1, 3], ids=["grey", "colour"])
@pytest.mark.parametrize(("bits", "levels"), [(8, 1), (12, 16)])
def test_few_bits_in_16_that_all_would_see_as_black_are_refused_with_what_to_do(
    bits: int, levels: int, samples: int
) -> None:
    reason = why(png((WIDE >> (16 - bits))[..., :samples]))
    assert f"uses {levels} of the 256 levels" in reason
    assert "scale its values up to the whole range" in reason
    assert check_image(png((WIDE >> 2)[..., :samples])) == SIZE  # 14 bits are dark, and seen


def test_of_16_bits_a_thermal_cameras_kelvins_are_no_picture_and_fog_is_one() -> None:
    narrow = WIDE // 16 + 30_000
    assert "of the 256 levels" in why(png(narrow[..., :1]))
    assert check_image(png(narrow)) == SIZE


def test_a_picture_that_only_people_or_only_the_model_could_see_is_refused() -> None:
    ink, mask = Image.new("RGBA", SIZE), scene().convert("RGBA")
    ink.putalpha(scene().convert("L"))
    mask.putalpha(0)
    assert "drawn in transparency: the model would see one plain colour" in why(saved(ink, "PNG"))
    assert "drawn in transparency: people would see one plain colour" in why(saved(mask, "PNG"))
    shaded = scene().convert("RGBA")
    shaded.putalpha(scene().convert("L"))
    assert (pixels(saved(shaded, "PNG")) == COLOURS).all()


def isobmff(brand: bytes, *others: bytes) -> bytes:
    return pack(">I", 16 + 4 * len(others)) + b"ftyp" + brand + bytes(4) + b"".join(others) + bytes(64)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        *(
            (name, saved(scene(), name))
            for name in ("TIFF", "PPM", "AVIF", "WebP", "GIF", "BMP", "PDF", "ICO")
        ),
        ("JPEG 2000", saved(scene(), "JPEG2000")),
        ("JPEG 2000", saved(scene(), "JPEG2000", no_jp2=True)),
        ("PostScript", saved(scene(), "EPS")),
        ("HEIC", isobmff(b"heic", b"mif1")),
        ("AVIF", isobmff(b"mif1", b"mif1", b"avif")),
        ("MP4", isobmff(b"isom")),
        ("SVG", b'<?xml version="1.0"?>\n<!-- by hand -->\n<svg xmlns="http://www.w3.org/2000/svg"/>'),
        ("HTML", b"<!DOCTYPE html><title>Not found</title>"),
    ],
)
def test_a_foreign_format_is_named_and_no_decoder_is_asked(name: str, body: bytes) -> None:
    told = f"image is {name}; JPEG and PNG are read"
    assert why(body) == why(body[:100]) == why(body[:100] + b"damaged") == told


def test_no_program_is_started_for_an_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow gives PostScript to Ghostscript, and some cut JPEGs to djpeg when it may."""
    mark = tmp_path / "started"
    for program in ("gs", "gswin64c", "djpeg"):
        (tmp_path / program).write_text(f"#!/bin/sh\ntouch {mark}\nexit 1\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for body in (saved(scene(), "EPS"), saved(scene(), "PDF"), jpegs()[0][:-100]):
        why(body)
    assert not mark.exists()


@pytest.mark.parametrize(
    "raised",
    [
        RuntimeError("Failed to decode\n frame"),
        NotImplementedError(),
        MemoryError(),
        subprocess.CalledProcessError(1, "gs"),
        zlib.error("bad"),
        RecursionError("deep"),
    ],
    ids=lambda raised: type(raised).__name__,
)
def test_whatever_a_decoder_raises_costs_its_image_and_says_so(
    raised: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JpegImageFile, "load", raising(raised))
    assert why(jpegs()[0]) in {
        "damaged image: Failed to decode frame",
        "damaged image: NotImplementedError",
        "image takes more memory than there is",
        "damaged image: Command 'gs' returned non-zero exit status 1.",
        "damaged image: bad",
        "damaged image: deep",
    }


def test_who_interrupts_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JpegImageFile, "load", raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        check_image(jpegs()[0])


def raising(error: BaseException) -> Callable[..., None]:
    def load(*_: object) -> None:
        raise error

    return load


def test_one_limit_holds_in_the_loop_and_in_the_container() -> None:
    """92 megapixels are more than Pillow likes, and less than Ground Truth shows."""
    large = saved(Image.linear_gradient("L").resize((9_600, 9_600), Image.Resampling.NEAREST), "JPEG")
    assert check_image(large) == (9_600, 9_600)
    assert (decode(large, 32, 32).width, decode(large, 32, 32).height) == (9_600, 9_600)
    small = saved(scene(), "PNG")
    reason = why(with_size(small, 10_001, 10_000))
    assert reason == "image of 10001 x 10000 pixels is larger than 100,000,000 pixels"
    assert why(with_size(small, 1, 65_536)) == "image of 1 x 65536 pixels is longer than 65,535 pixels"
    assert why(with_size(small, 64, 0)) == "damaged image: its header tells no size or no colours"


def test_what_others_told_pillow_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    assert check_image(jpegs()[0]) == SIZE
    assert why(jpegs()[0][:-100]) == "damaged image: image file is truncated"


@pytest.mark.parametrize("body", [jpegs()[1], saved(scene(), "PNG")], ids=["JPEG", "PNG"])
def test_a_part_of_an_image_is_no_image(body: bytes) -> None:
    for end in range(20, len(body) - 2, len(body) // 20):
        assert why(body[:end]).startswith("damaged image: ")
    assert why(b"") == "not an image: no bytes"
    assert why(b"no image at all") == "not an image"


def test_what_stands_behind_the_end_is_not_looked_at() -> None:
    for body in (jpegs()[1], saved(scene(), "PNG")):
        assert (pixels(body + os.urandom(4096)) == pixels(body)).all()


def test_texts_and_profiles_of_a_png_are_never_unpacked() -> None:
    bomb = zlib.compress(bytes(50_000_000), 9)
    more = [
        chunk(b"iCCP", b"a\0\0" + bomb),
        chunk(b"zTXt", b"a\0\0" + bomb),
        chunk(b"eXIf", b"II*\0\xff\xff"),
    ]
    assert (pixels(png(COLOURS, *more)) == COLOURS).all()


def test_a_jpegs_damaged_metadata_costs_nothing() -> None:
    body = jpegs()[1]
    for name, content in (
        (0xED, b"Photoshop 3.0\0" + b"8BIM\0\0"),
        (0xE2, b"ICC_PROFILE\0"),
        (0xE2, b"MPF\0II*\0\xff\xff\xff\xff"),
        (0xE1, b"Exif\0\0II*\0\x08\0\0\0\xff\xff"),
    ):
        segment = pack(">BBH", 0xFF, name, len(content) + 2) + content
        assert (pixels(body[:2] + segment + body[2:]) == pixels(body)).all()


def test_a_progressive_jpeg_of_endless_scans_is_refused_before_it_is_decoded() -> None:
    body = bytearray(jpegs()[3])
    frame = body.index(b"\xff\xc2")
    body[frame + 5 : frame + 9] = pack(">HH", 9_999, 10_000)
    last = body.rindex(b"\xff\xda")
    assert "so many scans" in why(bytes(body[:last] + body[last:-2] * 200 + body[-2:]))


@pytest.mark.parametrize("marker", [0xC3, 0xC9])
def test_a_lossless_or_arithmetic_jpeg_is_refused(marker: int) -> None:
    assert "lossless or arithmetic" in why(jpegs()[2].replace(b"\xff\xc0", bytes([0xFF, marker])))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (saved(scene(), "PNG")[:-12], "damaged image: the PNG ends before its end (IEND)"),
        (png(COLOURS, chunk(b"CgBI", bytes(4))), "damaged image: unknown chunk 'CgBI' in the PNG"),
        (
            png(COLOURS, chunk(b"IDAT", b""), chunk(b"tEXt", b"")),
            "damaged image: the PNG's chunk IDAT is out of place",
        ),
        (
            png(COLOURS).replace(b"IDAT", b"IDAT\0", 1),
            "damaged image: wrong checksum of the PNG's chunk IDAT",
        ),
        (
            saved(scene().convert("P"), "PNG").replace(b"PLTE", b"plte"),
            "damaged image: a PNG of palette colours without its palette (PLTE)",
        ),
        (
            saved(scene(), "PNG", save_all=True, append_images=[scene().convert("L").convert("RGB")]),
            "image is an animated PNG; still JPEG and PNG are read",
        ),
    ],
)
def test_a_png_that_browsers_or_opencv_refuse_is_refused(body: bytes, reason: str) -> None:
    assert why(body) == reason


def test_the_largest_pictures_are_decoded_one_at_a_time() -> None:
    """Eight threads read a batch: eight such pictures would take a worker's memory."""
    code = """
import re, sys
from concurrent.futures import ThreadPoolExecutor
from include.loop.core.images import check_image
body = sys.stdin.buffer.read()
with ThreadPoolExecutor(6) as pool:
    sizes = set(pool.map(check_image, [body] * 6))
status = open("/proc/self/status").read()  # ru_maxrss would be the parent's, when that is larger
print(sizes, int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) // 1024)
"""
    body = saved(Image.new("RGB", (6_000, 5_000)), "PNG", compress_level=1)
    done = subprocess.run([sys.executable, "-c", code], input=body, capture_output=True, check=True)
    size, megabytes = done.stdout.decode().rsplit(" ", 1)
    assert size == "{(6000, 5000)}"
    assert int(megabytes) < 450  # megabytes: 300 one at a time, 800 six together
