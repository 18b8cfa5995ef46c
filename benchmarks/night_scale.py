"""What each step of a night costs as the night grows: processor time, memory and requests.

    python -m benchmarks.night_scale --sizes 1000 10000 100000 1000000

A night is fabricated (fabricated_night.py): images, outputs and answers exist only as what S3, SageMaker and
A2I would say of them, answered in process (counted_s3.py says what that leaves out). growth.py says how it
is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import growth
from benchmarks.fabricated_night import STEPS, begin, open_night


def main(arguments: Sequence[str] | None = None) -> list[growth.Row]:
    night = growth.Subject(
        module="benchmarks.night_scale",
        what="images",
        sizes=(1_000, 10_000, 100_000),
        steps=STEPS,
        begin=_begin,
        open=open_night,
    )
    return growth.run(night, __doc__.splitlines()[0], arguments)


def _begin(folder: Path, images: int) -> None:
    begin(open_night(folder, images))


if __name__ == "__main__":
    growth.end_with_parent()
    main()
