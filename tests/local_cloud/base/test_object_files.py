from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from include.local_cloud.base.object_files import to_key, to_path

# What S3 allows: up to 1,024 bytes of UTF-8, anything in it.
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=250).filter(
    lambda key: len(key.encode()) <= 1024
) | st.lists(st.sampled_from(["a", "", ".", "..", "+", "~", "%", "x.tmp", "y.meta.json", "b" * 300])).map(
    "/".join
).filter(bool)


@given(KEYS)
def test_every_key_comes_back_from_its_path(key: str) -> None:
    assert to_key(to_path(key)) == key


@given(KEYS)
def test_a_path_stays_below_its_root_and_fits_a_file_system(key: str) -> None:
    for name in to_path(key).split("/"):
        assert name not in ("", ".", "..")
        assert len(name.encode()) <= 240
        assert not name.endswith((".tmp", ".meta.json"))


@given(KEYS, KEYS)
def test_no_object_lies_where_another_has_a_directory(one: str, other: str) -> None:
    if one != other:
        assert not f"{to_path(one)}/".startswith(f"{to_path(other)}/")
