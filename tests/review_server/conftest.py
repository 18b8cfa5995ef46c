"""A running review server per module, on the session's local cloud."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.review_server.rig import Rig
from tests.support.cloud import LocalCloud


@pytest.fixture(scope="module")
def rig(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(cloud, tmp_path_factory.mktemp("review")) as running:
        yield running
