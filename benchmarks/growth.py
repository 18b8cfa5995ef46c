"""What each step of something costs as that grows: processor time, memory and requests.

Takes a ``Subject``: its steps, in an order in which each goes on with what the one before has left in a
folder, and what its size counts. Each step runs in a process of its own, so that its peak memory is its own.
Seconds are the processor's, without what answering took (counted_s3.py); the exponent is that of the growth
since the size before. A step that takes longer than --most-seconds is stopped, and the steps behind it are
left out at this size.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.fabricated_night import Night

Row = dict[str, Any]
MEASURES = {"cpu_seconds": "CPU s", "peak_mb": "peak MB", "requests": "requests"}
TELL_EVERY = 15.0


@dataclass(frozen=True)
class Subject:
    """``module`` is the program, ``what`` the word for its sizes. ``begin`` makes what is there before the
    first step; ``open`` gives it as the steps so far have left it, with the seconds that a request waits.
    """

    module: str
    what: str
    sizes: Sequence[int]
    steps: Mapping[str, Callable[[Night], object]]
    begin: Callable[[Path, int], None]
    open: Callable[[Path, int, float], Night]


def run(subject: Subject, description: str, arguments: Sequence[str] | None = None) -> list[Row]:
    """The program: every step at every size, told as a table."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[*subject.sizes], help=f"numbers of {subject.what}"
    )
    parser.add_argument("--only", metavar="STEP", help="tell of this step; those before it run as well")
    parser.add_argument("--latency-ms", type=float, default=0, help="that each request waits for its answer")
    parser.add_argument("--most-seconds", type=float, default=900, help="of a step at one size")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    parser.add_argument("--one", nargs=3, metavar=("STEP", "SIZE", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.only and options.only not in subject.steps:
        raise SystemExit(f"--only {options.only}: must be one of {', '.join(subject.steps)}")
    if options.one:
        step, size, folder = options.one
        _run_one(subject, step, int(size), Path(folder), options)
        return []
    rows: list[Row] = []
    try:
        for size in sorted(options.sizes):
            rows += _all_steps(subject, size, options)
    finally:  # also what was measured before somebody has stopped it
        if options.only:
            rows = [row for row in rows if row["step"] == options.only]
        print("\n".join(table(rows, subject.what)))
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return rows


def table(rows: Sequence[Row], what: str) -> Iterator[str]:
    """The rows as a Markdown table, by step and size, with the exponents of growth in brackets."""
    yield f"| step | {what} | {' | '.join(MEASURES.values())} | kinds |"
    yield "|---|---:|---:|---:|---:|---|"
    for step in dict.fromkeys(row["step"] for row in rows):
        before: Row = {}
        for row in (row for row in rows if row["step"] == step):
            cells = [_cell(row, before, name) for name in MEASURES]
            kinds = ", ".join(f"{count:,} {name}" for name, count in sorted(row["kinds"].items()))
            stopped = f"stopped after {row['wall_seconds']:.0f} s; " if row["stopped"] else ""
            yield f"| {step} | {row['size']:,} | {' | '.join(cells)} | {stopped}{kinds} |"
            before = {} if row["stopped"] else row


def exponent(row: Row, before: Row, name: str) -> float | None:
    """k, when the number grows with the size to the power of k; None where nothing can be said."""
    if not before or row["stopped"] or row["size"] == before["size"] or min(row[name], before[name]) <= 0:
        return None
    return math.log(row[name] / before[name]) / math.log(row["size"] / before["size"])


def _cell(row: Row, before: Row, name: str) -> str:
    found = exponent(row, before, name)
    number = f"{row[name]:,.2f}" if name == "cpu_seconds" else f"{row[name]:,.0f}"
    return number if found is None else f"{number} ({found:.2f})"


def _all_steps(subject: Subject, size: int, options: argparse.Namespace) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="nightloop-growth-") as folder:
        _in_process(subject, "begin", size, folder, options)
        for step in subject.steps:
            row = _in_process(subject, step, size, folder, options)
            yield row
            if row["stopped"] or step == options.only:
                return


def _in_process(subject: Subject, step: str, size: int, folder: str, options: argparse.Namespace) -> Row:
    """A step in a process group of its own, which ends with this one, however that ends."""
    tell(f"{size:,} {subject.what}: {step}")
    limits = ["--latency-ms", str(options.latency_ms), "--most-seconds", str(options.most_seconds)]
    command = [sys.executable, "-m", subject.module, *limits, "--one", step, str(size), folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, process_group=0) as child:  # noqa: S603
        try:
            output, _ = child.communicate()
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
    if child.returncode:
        raise SystemExit(f"{step} of {size:,} {subject.what} ended with {child.returncode}")
    row: Row = json.loads(output.splitlines()[-1])
    tell(f"    {row['cpu_seconds']:.2f} CPU s, {row['peak_mb']:.0f} MB, {row['requests']:,} requests")
    return row


def _run_one(subject: Subject, step: str, size: int, folder: Path, options: argparse.Namespace) -> None:
    """The measured process: its last line is the row."""
    import imagehash  # noqa: F401 -- what every step loads is not what a step costs
    import pandas as pd  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    work: Callable[[Night], object]
    if step == "begin":
        work, latency, limit = (lambda _: subject.begin(folder, size)), 0.0, 0.0
    else:
        work, latency, limit = subject.steps[step], options.latency_ms / 1000, options.most_seconds
    night = subject.open(folder, size, latency)
    calls = night.calls
    Path("/proc/self/clear_refs").write_text("5")  # peak memory counts from here
    floor, began, started = _peak(), time.process_time(), time.monotonic()

    def row(told: object, stopped: bool) -> Row:
        return {
            "step": step,
            "size": size,
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

    def go_on() -> None:
        while True:
            time.sleep(TELL_EVERY)
            tell(f"    {time.monotonic() - started:.0f} s, {sum(calls.made.values()):,} requests so far")

    threading.Thread(target=go_on, daemon=True).start()
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, limit)
    told = work(night)
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(json.dumps(row(told, stopped=False)))


def _peak() -> float:
    """The most memory of this process in MB since the peak was reset. ``ru_maxrss`` would begin with that of
    the process which started this one.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def tell(text: str) -> None:
    """Progress, for who waits."""
    print(text, file=sys.stderr, flush=True)


def end_with_parent() -> None:
    """On a polite kill, end as on Ctrl-C: the process of the step ends too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
