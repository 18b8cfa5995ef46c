"""A date's images are listed once and pinned; what cannot be an image is named with its reason."""

from __future__ import annotations

import pytest

from include.loop.core import layout
from include.loop.core.errors import ConfigurationError, NoImages
from include.loop.core.records.parts import read_images, rejected_objects
from include.loop.nightly.batch import batch_id, list_batch, read_batch
from tests.loop.aws.test_transform import limited
from tests.loop.place import NIGHT, Place


def test_images_that_come_later_do_not_join_a_batch_that_was_listed(place: Place):
    place.add_images({"b.jpg": 100, "a.JPG": 100})
    first = list_batch(place.workspace, NIGHT)
    assert (first.images, first.rejected, first.champion) == (2, 0, None)
    place.add_images({"c.jpg": 100})
    assert list_batch(place.workspace, NIGHT) == first
    pinned = read_batch(place.workspace, NIGHT)
    images = read_images(place.storage, pinned, 0)
    assert [image.uri.rsplit("/", 1)[-1] for image in images] == ["a.JPG", "b.jpg"]
    assert images[0].size > 0


def test_who_ran_a_night_first_is_kept_with_it(place: Place):
    """A backfilled night is run again by hand, and the other way round: the batch keeps its bytes."""
    place.add_images({"1.jpg": 100})
    assert list_batch(place.workspace, NIGHT, backfill=True).backfill is True
    before = place.storage.read(layout.batch_file(NIGHT))
    assert list_batch(place.workspace, NIGHT).backfill is True
    assert place.storage.read(layout.batch_file(NIGHT)) == before
    place.add_images({"1.jpg": 100}, "2026-11-02")
    assert list_batch(place.workspace, "2026-11-02").backfill is False
    assert list_batch(place.workspace, "2026-11-02", backfill=True).backfill is False


def test_other_objects_are_rejected_with_their_reason_and_folder_markers_ignored(place: Place):
    place.add_images({"a.jpg": 100})
    place.put(f"images/dt={NIGHT}/", b"")
    place.put(f"images/dt={NIGHT}/folder/", b"")
    place.put(f"images/dt={NIGHT}/trailing.jpg/", b"content")
    place.put(f"images/dt={NIGHT}/a/../b.jpg", b"content")
    place.put(f"images/dt={NIGHT}/large.jpg", bytes(1_048_577))
    place.put(f"images/dt={NIGHT}/zero.png", b"")
    place.put(f"images/dt={NIGHT}/_SUCCESS", b"")
    list_batch(limited(place, 1), NIGHT)
    pinned = read_batch(place.workspace, NIGHT)
    assert {
        item.uri.removeprefix(pinned.prefix): item.reason for item in rejected_objects(place.storage, pinned)
    } == {
        "trailing.jpg/": "suffix is none of .jpg, .jpeg, .png",
        "a/../b.jpg": "its key has . or .. as a part, and no browser can ask for it",
        "large.jpg": "image of 1,048,577 bytes; batch transform takes 1,048,576 here "
        "(transform.max_payload_mb in test.yaml)",
        "zero.png": "empty object (0 bytes)",
        "_SUCCESS": "suffix is none of .jpg, .jpeg, .png",
    }


def test_a_date_without_images_says_where_it_looked(place: Place):
    place.put(f"images/dt={NIGHT}/notes.txt", b"x")
    place.put(f"images/dt={NIGHT}/empty.jpg", b"")
    with pytest.raises(
        NoImages, match=rf"no images for {NIGHT} below s3://{place.bucket}/pets/images/dt={NIGHT}/"
    ) as caught:
        list_batch(place.workspace, NIGHT)
    assert "/empty.jpg: empty object (0 bytes); s3://" in str(caught.value)
    assert "/notes.txt: suffix is none of .jpg, .jpeg, .png" in str(caught.value)
    place.add_images({"late.jpg": 100})
    assert list_batch(place.workspace, NIGHT).images == 1  # nothing was pinned by the empty look


def test_images_may_lie_in_a_layout_and_a_bucket_of_ones_own(make_place):
    place = make_place()
    place.s3.create_bucket(Bucket=f"{place.bucket}-cam")
    place.s3.put_object(Bucket=f"{place.bucket}-cam", Key="yard/2026/11/01/x.png", Body=b"x")
    settings = {"prefix": f"s3://{place.bucket}-cam/yard/{{date:%Y/%m/%d}}/", "suffixes": [".png"]}
    workspace = make_place(batch=settings).workspace
    assert list_batch(workspace, NIGHT).images == 1
    (image,) = read_images(place.storage, read_batch(workspace, NIGHT), 0)
    assert image.uri == f"s3://{place.bucket}-cam/yard/2026/11/01/x.png"


def test_a_forced_epoch_belongs_to_the_run_that_forced_it(place: Place):
    assert batch_id(place.workspace, NIGHT, "run-a") == NIGHT
    assert batch_id(place.workspace, NIGHT, "run-a", force_new=True) == f"{NIGHT}.1"
    assert batch_id(place.workspace, NIGHT, "run-b", force_new=True) == f"{NIGHT}.2"
    assert batch_id(place.workspace, NIGHT, "run-a", force_new=True) == f"{NIGHT}.1"  # its retry
    assert batch_id(place.workspace, NIGHT, "run-c") == NIGHT


def test_a_date_that_is_none_is_refused_before_anything_is_written(place: Place):
    with pytest.raises(ConfigurationError, match="YYYY-MM-DD"):
        batch_id(place.workspace, "2026-11-31", "run", force_new=True)
    assert list(place.storage.list("")) == []
