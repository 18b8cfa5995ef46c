"""A bucket in which a test puts rounds together."""

from __future__ import annotations

import pytest

from tests.loop.report.rounds import Rounds, make_rounds
from tests.support.cloud import LocalCloud


@pytest.fixture
def rounds(cloud: LocalCloud, bucket: str) -> Rounds:
    return make_rounds(cloud, bucket)
