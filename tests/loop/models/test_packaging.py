"""Whatever a verdict or a person says, SageMaker takes it."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from include.loop.core import layout
from include.loop.models import registry
from include.loop.models.packaging import MAX_PROPERTIES, MAX_PROPERTY, MAX_TEXT, one_line, property_text
from tests.loop.models.test_registry import judged
from tests.loop.place import Place

TEXTS = st.text(max_size=400) | st.text("a (%;é\n", min_size=200, max_size=2000)


@given(TEXTS)
def test_a_property_holds_letters_digits_spaces_and_a_few_signs(text: str):
    """CustomerMetadataValue of the API model: [\\p{L}\\p{Z}\\p{N}_.:/=+-@], 1 to 256."""
    found = property_text(text)
    assert 1 <= len(found) <= MAX_PROPERTY
    assert all(char in "_.:/=+-@" or unicodedata.category(char)[0] in "LZN" for char in found)


@given(TEXTS)
def test_a_comment_is_one_line(text: str):
    """ApprovalDescription of the API model: .*, at most 1,024."""
    found = one_line(text)
    assert len(found) <= MAX_TEXT
    assert len(found.splitlines()) <= 1


def test_more_slices_than_sagemaker_takes_are_no_reason_to_fail(place: Place):
    job = judged(place, "many")
    location = layout.verdict_file(job)
    verdict = place.storage.read_json(location)
    scores = {f"slice-{number:02}": 0.5 for number in range(60)}
    place.storage.write_json(location, verdict | {"score": scores})
    arn = registry.register(place.workspace, job).package_arn
    found = place.sagemaker.describe_model_package(ModelPackageName=arn)["CustomerMetadataProperties"]
    assert len(found) == MAX_PROPERTIES
    assert found["score-slice-00"] == "0.5"
