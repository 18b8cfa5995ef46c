"""Many objects are asked for by pages, and the answer is that of asking one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from include.loop.core.stats import MANY, stat_all
from include.loop.core.storage import in_parallel
from tests.loop.place import Place


@pytest.fixture
def calls(place: Place) -> Iterator[Counter[str]]:
    counted: Counter[str] = Counter()

    def count(model: object, **_: object) -> None:
        counted[model.name] += 1  # type: ignore[attr-defined]

    place.s3.meta.events.register("before-call.s3", count)
    yield counted
    place.s3.meta.events.unregister("before-call.s3", count)


def test_objects_side_by_side_cost_a_page_and_the_answers_are_those_of_single_questions(
    place: Place, calls: Counter[str]
):
    names = [f"many/{n:04} é#?.jpg" for n in range(1100)] + [f"few/{n}.jpg" for n in range(MANY - 1)]
    names += [f"many/deeper/{n}.jpg" for n in range(MANY - 1)]
    uris = list(in_parallel(lambda name: place.put(name, name.encode()), names))
    many, others = uris[:1100], uris[1100:]
    gone = [place.storage.uri(f"many/{n:04}-gone.jpg") for n in (0, 500, 2000)]
    expected = {item.uri: item for item in in_parallel(place.storage.stat, uris) if item}
    single = len(others)
    for asked, by_page, by_name in (
        # The last of them would be alone on a second page.
        ([*many[:550], *others, *gone], 1, single + 1),
        ([*many, *others, *gone], 2, single),
        # Far apart: the page tells of 14, and no other one is asked for.
        (many[::72], 1, 2),
    ):
        calls.clear()
        found = stat_all(place.storage, reversed(asked))
        assert calls == {"ListObjectsV2": by_page} | ({"HeadObject": by_name} if by_name else {})
        assert found == {uri: expected[uri] for uri in asked if uri not in gone}
