"""What each step of a night costs as the night grows: processor time, memory and requests.

    python -m benchmarks.night_scale --sizes 1000 10000 100000 1000000

A night is fabricated (fabricated_night.py): images, outputs and answers exist only as what S3, SageMaker and
A2I would say of them, answered in process (counted_s3.py says what that leaves out). Each step runs in a
process of its own, so that its peak memory is its own, on what the step before has left. Seconds are the
processor's, without what answering took; the exponent is that of the growth since the size before. A step
that takes longer than --most-seconds is stopped, and the steps behind it are left out at this size.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
MEASURES = {"cpu_seconds": "CPU s", "peak_mb": "peak MB", "requests": "requests"}
TELL_EVERY = 15.0


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--only", metavar="STEP", help="tell of this step; those before it run as well")
    parser.add_argument("--latency-ms", type=float, default=0, help="that each request waits for its answer")
    parser.add_argument("--most-seconds", type=float, default=900, help="of a step at one size")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    parser.add_argument("--one", nargs=3, metavar=("STEP", "IMAGES", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        step, images, folder = options.one
        _run_one(step, int(images), Path(folder), options)
        return []
    rows: list[Row] = []
    try:
        for images in sorted(options.sizes):
            rows += _night(images, options)
    finally:  # also what was measured before somebody has stopped it
        if options.only:
            rows = [row for row in rows if row["step"] == options.only]
        print("\n".join(table(rows)))
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return rows


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The rows as a Markdown table, by step and size, with the exponents of growth in brackets."""
    yield f"| step | images | {' | '.join(MEASURES.values())} | kinds |"
    yield "|---|---:|---:|---:|---:|---|"
    for step in dict.fromkeys(row["step"] for row in rows):
        before: Row = {}
        for row in (row for row in rows if row["step"] == step):
            cells = [_cell(row, before, name) for name in MEASURES]
            kinds = ", ".join(f"{count:,} {name}" for name, count in sorted(row["kinds"].items()))
            stopped = f"stopped after {row['wall_seconds']:.0f} s; " if row["stopped"] else ""
            yield f"| {step} | {row['images']:,} | {' | '.join(cells)} | {stopped}{kinds} |"
            before = {} if row["stopped"] else row


def exponent(row: Row, before: Row, name: str) -> float | None:
    """k, when the number grows with images to the power of k; None where nothing can be said."""
    if not before or row["stopped"] or row["images"] == before["images"] or min(row[name], before[name]) <= 0:
        return None
    return math.log(row[name] / before[name]) / math.log(row["images"] / before["images"])


def _cell(row: Row, before: Row, name: str) -> str:
    found = exponent(row, before, name)
    number = f"{row[name]:,.2f}" if name == "cpu_seconds" else f"{row[name]:,.0f}"
    return number if found is None else f"{number} ({found:.2f})"


def _night(images: int, options: argparse.Namespace) -> Iterator[Row]:
    from benchmarks.fabricated_night import STEPS

    if options.only and options.only not in STEPS:
        raise SystemExit(f"--only {options.only}: must be one of {', '.join(STEPS)}")
    with tempfile.TemporaryDirectory(prefix="nightloop-night-") as folder:
        _in_process("begin", images, folder, options)
        for step in STEPS:
            row = _in_process(step, images, folder, options)
            yield row
            if row["stopped"] or step == options.only:
                return


def _in_process(step: str, images: int, folder: str, options: argparse.Namespace) -> Row:
    """A step in a process group of its own, which ends with this one, however that ends."""
    _tell(f"{images:,} images: {step}")
    limits = ["--latency-ms", str(options.latency_ms), "--most-seconds", str(options.most_seconds)]
    command = [sys.executable, "-m", "benchmarks.night_scale", *limits, "--one", step, str(images), folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, process_group=0) as child:  # noqa: S603
        try:
            output, _ = child.communicate()
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
    if child.returncode:
        raise SystemExit(f"{step} of {images:,} images ended with {child.returncode}")
    row: Row = json.loads(output.splitlines()[-1])
    _tell(f"    {row['cpu_seconds']:.2f} CPU s, {row['peak_mb']:.0f} MB, {row['requests']:,} requests")
    return row


def _run_one(step: str, images: int, folder: Path, options: argparse.Namespace) -> None:
    """The measured process: its last line is the row."""
    import imagehash  # noqa: F401 -- what every step loads is not what a step costs
    import pandas as pd  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    from benchmarks.fabricated_night import STEPS, begin, open_night

    night = open_night(folder, images, options.latency_ms / 1000)
    calls = night.calls
    Path("/proc/self/clear_refs").write_text("5")  # peak memory counts from here
    floor, began, started = _peak(), time.process_time(), time.monotonic()

    def row(told: object, stopped: bool) -> Row:
        return {
            "step": step,
            "images": images,
            "cpu_seconds": round(time.process_time() - began - calls.answering, 3),
            "peak_mb": round(_peak(), 1),
            "floor_mb": round(floor, 1),
            "requests": sum(calls.made.values()),
            "kinds": dict(calls.made),
            "wall_seconds": round(time.monotonic() - started, 1),
            "told": told,
            "stopped": stopped,
        }

    def stop(*_: object) -> None:
        print(json.dumps(row(None, stopped=True)), flush=True)
        os._exit(0)

    def tell() -> None:
        while True:
            time.sleep(TELL_EVERY)
            _tell(f"    {time.monotonic() - started:.0f} s, {sum(calls.made.values()):,} requests so far")

    if step == "begin":
        begin(night)
        print(json.dumps(row(None, stopped=False)))
        return
    threading.Thread(target=tell, daemon=True).start()
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, options.most_seconds)
    told = STEPS[step](night)
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(json.dumps(row(told, stopped=False)))


def _peak() -> float:
    """The most memory of this process in MB since the peak was reset. ``ru_maxrss`` would begin with that of
    the process which started this one.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: the step's process ends too
    main()
