"""A fabricated year is one that the loop takes for its own, and a night after it does not read all of it."""

from __future__ import annotations

from pathlib import Path

from benchmarks.fabricated_year import FRESH, LABELS, REPLAYED, begin, open_year
from benchmarks.year import STEPS
from include.loop.dataset.label_pool import gather

NIGHTS = 30


def test_what_is_told_of_thirty_nights_takes_the_requests_of_a_few(tmp_path: Path) -> None:
    begin(tmp_path, NIGHTS, lambda _: None)
    told, read = {}, {}
    for name in ("history", "look_again", "lineage", "lineage_end"):
        year = open_year(tmp_path, NIGHTS)
        told[name], read[name] = STEPS[name](year), year.calls.made["GetObject"]
    assert told["look_again"] == 0
    assert told["lineage"] == "2026-10-31"
    assert "learned from" in str(told["lineage_end"])
    # The copy, what is not in it yet, and a few records beside.
    assert read["history"] <= FRESH + 4
    assert read["look_again"] <= FRESH + 6
    assert read["lineage"] <= 4
    pool = gather(open_year(tmp_path, NIGHTS).workspace)
    assert len(pool.known) > NIGHTS * LABELS
    year = open_year(tmp_path, NIGHTS)
    some = [entry for entry in pool.known if entry.loop][::7][:REPLAYED]
    lines = gather(year.workspace).lines(some)
    assert {line.value["loop"] for line in lines.values()} == {entry.loop for entry in some}
    assert year.calls.made["GetObject"] <= 3 * FRESH + 10
