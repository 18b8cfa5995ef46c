"""What S3 does not give of a batch costs its image and not the night, and no image costs more time than there
is.
"""

from __future__ import annotations

from itertools import count

import pytest
from botocore.exceptions import ClientError

from include.loop.core.errors import Fatal
from include.loop.core.records.triage import Decision
from include.loop.core.withheld import why_withheld
from include.loop.nightly import looks, triage
from include.loop.nightly.batch import list_batch
from include.loop.nightly.choosing import ask
from include.loop.nightly.contents import Contents
from include.loop.nightly.looks import MOST_SECONDS, Looks
from include.loop.nightly.predictions import predict
from tests.loop.nightly.triaged import read_rows
from tests.loop.place import NIGHT, Place
from tests.loop.withheld import ARCHIVED, NO_GET, archive, denied


@pytest.fixture
def listed(place: Place) -> Place:
    archive(place, place.add_images({f"{n}.jpg": 100 + n for n in range(6)})[0])
    list_batch(place.workspace, NIGHT)
    place.finish(predict, NIGHT)
    return place


def reasons(place: Place) -> dict[str, str]:
    """Of the images that cannot be asked about, by file name."""
    return {
        row.image.rsplit("/", 1)[-1]: row.reason
        for row in read_rows(place.storage, NIGHT)
        if row.decision is Decision.UNREADABLE
    }


def test_archived_and_encrypted_images_cost_themselves_and_say_what_to_do(listed: Place):
    with denied(listed, "/1.jpg"):
        report = triage.triage(listed.workspace, NIGHT)
    assert (report.ask, report.unreadable) == (4, 2)
    told = reasons(listed)
    assert told["0.jpg"] == ARCHIVED
    assert told["1.jpg"].startswith(
        "the object is encrypted with a key that may not be used here: allow kms:Decrypt on that key"
    )
    assert "arn:aws:kms:us-east-1:111122223333:key/k" in told["1.jpg"]


def test_a_disabled_key_and_an_object_of_others_too(listed: Place):
    with (
        denied(listed, "/1.jpg", code="KMS.DisabledException", message="key/k is disabled."),
        denied(listed, "/2.jpg", message=NO_GET),
    ):
        assert triage.triage(listed.workspace, NIGHT).ask == 3
    told = reasons(listed)
    assert told["1.jpg"] == (
        "the key that the object is encrypted with cannot be used (KMS.DisabledException: key/k is disabled.)"
    )
    assert told["2.jpg"] == "the object may not be read here (AccessDenied): allow s3:GetObject on it"


@pytest.mark.parametrize("code", ["KMS.ThrottlingException", "KMS.DependencyTimeoutException"])
def test_a_key_service_that_is_busy_costs_no_image(code):
    busy = ClientError({"Error": {"Code": code, "Message": "Rate exceeded"}}, "GetObject")
    assert why_withheld(busy) is None, "the task is tried again"


def test_a_bucket_that_gives_nothing_fails_the_night_and_names_what_is_missing(place: Place):
    place.add_images({f"{n}.jpg": 100 + n for n in range(6)})
    list_batch(place.workspace, NIGHT)
    place.finish(predict, NIGHT)
    said = r"none of 6 images that people .* may be read; the first is s3://.*\.jpg: .* allow s3:GetObject"
    with denied(place, ".jpg", message=NO_GET), pytest.raises(Fatal, match=said):
        triage.triage(place.workspace, NIGHT)
    assert triage.triage(place.workspace, NIGHT).ask == 6  # once it is granted


def test_no_million_images_are_asked_for_before_that_is_said(place: Place, monkeypatch):
    images = [(uri, "1") for uri in place.add_images({f"{n}.jpg": 100 for n in range(40)})]
    monkeypatch.setattr(looks, "FIRST_DENIED", 5)
    look = Looks(place.workspace, Contents(place.workspace, NIGHT))
    seen = look(images)
    with denied(place, ".jpg"):
        assert [next(seen).denied for _ in range(4)] == [True] * 4
        with pytest.raises(Fatal, match="none of 5 images"):
            next(seen)


def test_when_the_time_is_up_those_that_were_looked_at_are_asked_about(listed: Place, caplog):
    triage.triage(listed.workspace, NIGHT)
    rows = [row for row in read_rows(listed.storage, NIGHT) if row.decision is Decision.ASK]
    ticks = count(0.0, MOST_SECONDS / 3)  # the first one is the start, then there are three in time
    look = Looks(listed.workspace, Contents(listed.workspace, NIGHT), lambda: next(ticks))
    asked = ask([(row, "why") for row in rows], 4, look)
    assert [row.image for row in asked] == [row.image for row in rows[:3]]
    assert "3 images were looked at in 900 seconds" in caplog.text
