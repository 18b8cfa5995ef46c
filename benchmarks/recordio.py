"""How fast images are packed into RecordIO and read back, beside a plain copy of the same files.

    python -m benchmarks.recordio [--images 100000] [--kilobytes 10] [--folder DIR]

A list of images with one to five boxes each is packed, in turn with a loop that reads the same files and
appends them to one; then the file is read record by record, in turn with a loop that reads and writes it by
the megabyte. Each in a process of its own, best of three; the peak of its memory is told for a tenth of the
images and for all of them. Seconds are of the CPU and files in the page cache: what is compared is the work,
whatever the disk and the neighbours do.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from include import recordio

TIMES = 3
MEGABYTE = 1 << 20
Work = Callable[[Path, int], int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--kilobytes", type=float, default=10, help="of an image, on average")
    parser.add_argument("--folder", type=Path, help="where the files are made; default: the system's")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        make_images(folder, options.images, int(options.kilobytes * 1000))
        print(f"{'':12}{'images':>9}{'images/s':>11}{'MB/s':>8}{'of a copy':>11}{'peak memory, MB':>17}")
        for count in sorted({max(1, options.images // 10), options.images}):
            compare(folder, count)


def compare(folder: Path, count: int) -> None:
    """Pack and read so many images, each in turn with its copy."""
    for name, work, copy in (("pack", pack, copy_files), ("read", read, copy_file)):
        runs = [(measured(copy, folder, count), measured(work, folder, count)) for _ in range(TIMES)]
        (plain, _, _), (seconds, size, peak) = (min(column) for column in zip(*runs, strict=True))
        rate, speed = count / seconds, size / seconds / 1e6
        print(f"{name:12}{count:>9,}{rate:>11,.0f}{speed:>8,.0f}{plain / seconds:>11.0%}{peak:>17,.0f}")


def measured(work: Work, folder: Path, count: int) -> tuple[float, int, float]:
    """Seconds, bytes, and the megabytes that its process had at most."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (work, folder, count))


def _measured(work: Work, folder: Path, count: int) -> tuple[float, int, float]:
    started = time.process_time()
    size = work(folder, count)
    seconds = time.process_time() - started
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return seconds, size, int(found[1]) / 1000 if found else 0.0


def pack(folder: Path, count: int) -> int:
    """The first images of the list as RecordIO; how many bytes."""
    rec, index = folder / f"{count}.rec", folder / f"{count}.idx"
    with (folder / "all.lst").open("rb") as lines, rec.open("wb") as stream, index.open("wb") as places:
        writer = recordio.Writer(stream, places)
        first = (line for line, _ in zip(recordio.read_list(lines), range(count), strict=False))
        assert not list(recordio.pack_list(first, lambda path: (folder / path).read_bytes(), writer))
    assert writer.records == count
    return writer.offset


def copy_files(folder: Path, count: int) -> int:
    """The same files, one behind the other."""
    with (folder / "copy").open("wb") as stream:
        return sum(stream.write((folder / _path(number)).read_bytes()) for number in range(count))


def read(folder: Path, count: int) -> int:
    """Every record with its label and its image."""
    size = found = 0
    with (folder / f"{count}.rec").open("rb", buffering=MEGABYTE) as stream:
        for placed in recordio.read_records(stream):
            assert isinstance(placed.record, recordio.Record)
            size += len(placed.record.image)
            found += 1
    assert found == count
    return size


def copy_file(folder: Path, count: int) -> int:
    """The same file by the megabyte, to another one."""
    with (folder / f"{count}.rec").open("rb") as source, (folder / "copy").open("wb") as stream:
        return sum(stream.write(piece) for piece in iter(lambda: source.read(MEGABYTE), b""))


def make_images(folder: Path, count: int, size: int) -> None:
    """Files that begin as JPEGs do and hold noise, half to one and a half times as large, and their list."""
    dice = random.Random(1)
    with (folder / "all.lst").open("w") as lines:
        for number in range(count):
            path = folder / _path(number)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"\xff\xd8\xff\xe0" + dice.randbytes(dice.randint(size // 2, size * 3 // 2)))
            boxes = [recordio.Object(number % 20, 0.1, 0.2, 0.5, 0.6)] * dice.randint(1, 5)
            label = recordio.write_objects(boxes)
            lines.write(recordio.format_line(recordio.ListLine(number, label, _path(number))))


def _path(number: int) -> str:
    return f"{number // 1000:04d}/{number:08d}.jpg"


if __name__ == "__main__":
    main()
