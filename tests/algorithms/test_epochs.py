"""When pretrained features learn."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from include.algorithms.epochs import Epochs
from include.algorithms.pretrained import BACKBONE


@pytest.mark.parametrize(
    ("params", "expected"), [({BACKBONE: {}}, [True, True, False, False]), ({"stem": {}}, [False] * 4)]
)
def test_pretrained_features_stay_as_they_are_in_the_first_half_of_the_epochs(params, expected):
    job: Any = SimpleNamespace(
        learner=SimpleNamespace(variables={"params": params}), settings=SimpleNamespace(epochs=4)
    )
    assert [Epochs.is_frozen(job, epoch) for epoch in range(4)] == expected
