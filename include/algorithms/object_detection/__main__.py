"""`python -m include.algorithms.object_detection train|serve`: SageMaker's container contract."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import signal
import sys
import threading
from pathlib import Path

from include.algorithms.container import Container, run


def main(arguments: list[str]) -> int:
    _keep_compilations()
    if arguments == ["train"]:
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())  # SageMaker leaves 120 seconds to save the model
        from include.algorithms.object_detection.train import train

        return run(Container.here(), functools.partial(train, stop=stop))
    if arguments == ["serve"]:
        from include.algorithms.object_detection.serve import serve

        return run(Container.here(), serve)
    print("usage: python -m include.algorithms.object_detection train|serve", file=sys.stderr)
    return 2


def _keep_compilations() -> None:
    """Let XLA keep compiled networks in the user's cache directory, where there is one: compiling costs a
    small job more time than learning. Must come before JAX is imported.
    """
    if home := os.environ.get("XDG_CACHE_HOME"):
        place = Path(home, "object-detection", _processor())
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(place))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")


def _processor() -> str:
    """A name for what this processor can do: code compiled for another one may not run on it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        lines = []
    features = next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
    return f"{platform.machine()}-{hashlib.sha256(features.encode()).hexdigest()[:12]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
