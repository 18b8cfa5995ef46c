"""What starts processes is marked by itself, and tried once more."""

from __future__ import annotations

import pytest

from tests.review_server.rig import Rig


def test_a_test_that_starts_a_process_is_marked_and_gets_one_more_try(
    rig: Rig, request: pytest.FixtureRequest
) -> None:
    """It does not ask for the local cloud itself: the review server does."""
    again = request.node.get_closest_marker("flaky")
    assert (request.node.get_closest_marker("process") is not None, again.kwargs) == (True, {"reruns": 1})


def test_a_test_that_starts_nothing_has_one_try(request: pytest.FixtureRequest) -> None:
    assert [mark.name for mark in request.node.iter_markers()] == []
