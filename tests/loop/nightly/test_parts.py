"""A night in parts: what is asked is what would be asked of the whole, and nobody holds the whole."""

from __future__ import annotations

import pytest

from include.loop.core import layout
from include.loop.core.errors import Fatal
from include.loop.core.records import tables
from include.loop.core.records.nightly import Batch, BatchPart
from include.loop.core.records.parts import all_images, parts_of
from include.loop.models.champion import promote
from include.loop.nightly import predictions, triage
from include.loop.nightly.batch import list_batch, read_batch
from tests.loop.models.test_champion import challenger
from tests.loop.nightly.triaged import read_rows
from tests.loop.place import NIGHT, Place
from tests.support.sagemaker import detector

AGAIN = f"{NIGHT}.1"


@pytest.fixture
def crowned(make_place) -> Place:
    place = make_place(triage={"threshold": 0.5, "audit_share": 0.2, "cap": 3})
    job = f"{place.bucket}-one"
    promote(place.workspace, challenger(place, job, None))
    place.s3.put_object(Bucket=place.bucket, Key=f"{job}.tar.gz", Body=detector(1))
    place.add_images({f"{n}.jpg": 30 * n for n in range(7)})
    place.put(f"images/dt={NIGHT}/3.txt", b"no image")
    place.put(f"images/dt={NIGHT}/4.jpg", b"no image either")
    return place


def test_in_parts_a_night_is_predicted_by_groups_and_asks_about_the_same_images(
    crowned: Place, monkeypatch: pytest.MonkeyPatch
):
    workspace = crowned.workspace
    whole = list_batch(workspace, AGAIN)
    assert (whole.images, whole.rejected, whole.parts) == (7, 1, 1)
    crowned.finish(predictions.predict, AGAIN)
    asked = triage.triage(workspace, AGAIN)

    monkeypatch.setattr(tables, "PART_ROWS", 2)
    monkeypatch.setattr(predictions, "GROUP_PARTS", 2)
    listed = list_batch(workspace, NIGHT)
    assert (listed.images, listed.rejected, listed.parts) == (7, 1, 4)
    predicted = crowned.finish(predictions.predict, NIGHT)
    assert (predicted.predicted, predicted.missing) == (6, 1)
    assert len(set(predicted.jobs)) == 2
    found = triage.triage(workspace, NIGHT)
    assert vars(found) | {"batch": AGAIN, "triage_uri": asked.triage_uri} == vars(asked)
    assert read_rows(crowned.storage, NIGHT) == read_rows(crowned.storage, AGAIN)
    (one,) = predictions.predictions_of(
        workspace, NIGHT, [f"s3://{crowned.bucket}/pets/images/dt={NIGHT}/6.jpg"]
    )
    assert one.endswith("/6.jpg")


def test_before_every_part_is_weighed_nobody_is_chosen(crowned: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "PART_ROWS", 4)
    list_batch(crowned.workspace, NIGHT)
    crowned.finish(predictions.predict, NIGHT)
    first = triage.triage_part(crowned.workspace, NIGHT, 0)
    assert (first.images, first.part) == (4, 0)
    with pytest.raises(Fatal, match=r"part 1 of batch .* is not weighed: s3://.*/part-00001\.parquet is"):
        triage.decide(crowned.workspace, NIGHT)


def test_two_listings_at_once_leave_one_that_is_whole(crowned: Place, monkeypatch: pytest.MonkeyPatch):
    """The tables of the one that comes second have other names, and nobody speaks of them."""
    workspace, storage = crowned.workspace, crowned.storage
    list_batch(workspace, NIGHT)
    first = read_batch(workspace, NIGHT)
    before = list(all_images(storage, first))
    crowned.add_images({"late.jpg": 1})
    storage.s3.delete_object(Bucket=crowned.bucket, Key=storage.resolve(layout.batch_file(NIGHT))[1])
    assert list_batch(workspace, NIGHT).images == 8
    assert list(all_images(storage, first)) == before


def test_an_image_is_looked_for_in_the_one_part_that_may_have_it():
    parts = (
        BatchPart(location="a", images=2, first="s3://b/b", last="s3://b/d"),
        BatchPart(location="b", images=0, rejected=2),
        BatchPart(location="c", images=1, first="s3://b/é", last="s3://b/é"),
    )
    pinned = Batch(batch=NIGHT, prefix="s3://b/", parts=parts)
    names = {"s3://b/a", "s3://b/b", "s3://b/c", "s3://b/d", "s3://b/e", "s3://b/é", "s3://b/ê", "s3://c/b"}
    assert parts_of(pinned, names) == {0: {"s3://b/b", "s3://b/c", "s3://b/d"}, 2: {"s3://b/é"}}
