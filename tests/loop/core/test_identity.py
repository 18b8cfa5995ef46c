"""Names are computed from the thing, fit the services' limits, and never meet by accident."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.core import identity
from include.loop.core.errors import ConfigurationError

A2I_NAME = re.compile(r"^[a-z0-9](-*[a-z0-9])*$")  # HumanLoopName in the A2I runtime's model
PIPELINES = st.from_regex(r"[a-z0-9](-?[a-z0-9]){0,11}", fullmatch=True).filter(lambda name: len(name) <= 24)
DATES = st.dates(date(2000, 1, 1), date(2099, 12, 31)).map(str)
EPOCHS = st.integers(0, 999)
ARN = "arn:aws:sagemaker:us-east-1:000000000000:flow-definition/x"


@given(PIPELINES, DATES, EPOCHS, st.text(min_size=1), st.text())
def test_loop_names_fit_the_api_and_belong_to_their_batch(pipeline, day, epoch, image, etag):
    batch = identity.make_batch(day, epoch)
    name = identity.loop_name(pipeline, batch, image, etag, ARN)
    assert len(name) <= 63
    assert A2I_NAME.match(name)
    assert identity.is_loop_of(identity.loop_prefix(pipeline, batch), name)


@given(PIPELINES, DATES, EPOCHS, EPOCHS)
def test_loops_of_one_epoch_are_not_taken_for_those_of_another(pipeline, day, one, other):
    name = identity.loop_name(pipeline, identity.make_batch(day, one), "s3://b/k", "e", ARN)
    prefix = identity.loop_prefix(pipeline, identity.make_batch(day, other))
    assert identity.is_loop_of(prefix, name) == (one == other)


@given(st.tuples(st.text(), st.text(), st.text()), st.tuples(st.text(), st.text(), st.text()))
def test_loop_names_differ_when_image_version_or_flow_differ(one, other):
    names = [identity.loop_name("p", "2026-11-01", *parts) for parts in (one, other)]
    assert (names[0] == names[1]) == (one == other)


@given(PIPELINES, DATES, EPOCHS, st.integers(1, 9999))
def test_job_names_fit_the_api_with_every_epoch_and_attempt(pipeline, day, epoch, attempt):
    slug = identity.batch_slug(identity.make_batch(day, epoch))
    assert len(identity.attempt_name(identity.job_stem(pipeline, slug, "model"), attempt)) <= 63


@given(DATES, EPOCHS)
def test_a_batch_keeps_its_date(day, epoch):
    assert str(identity.batch_date(identity.make_batch(day, epoch))) == day


@given(st.lists(st.text()))
def test_shares_are_repeatable_and_below_one(parts):
    value = identity.share(*parts)
    assert 0 <= value < 1
    assert value == identity.share(*parts)


def test_hashes_keep_the_boundary_between_their_parts():
    assert identity.content_hash("ab", "c") != identity.content_hash("a", "bc")


@pytest.mark.parametrize("text", ["2026-02-30", "20261101", "2026-11-1", "yesterday", "", "2026-11-01T00:00"])
def test_what_is_no_calendar_date_is_refused_with_the_form_that_is_wanted(text):
    with pytest.raises(ConfigurationError, match="YYYY-MM-DD"):
        identity.check_date(text)


@pytest.mark.parametrize("batch", ["2026-11-01.0", "2026-11-01.", "2026-11-01.1.1", "2026-11-01.1000", "x"])
def test_what_is_no_batch_id_is_refused(batch):
    with pytest.raises(ConfigurationError):
        identity.batch_slug(batch)
