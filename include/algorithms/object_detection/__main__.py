"""`python -m include.algorithms.object_detection train|serve`: SageMaker's container contract."""

from __future__ import annotations

import functools
import signal
import sys
import threading

from include.algorithms.container import Container, run


def main(arguments: list[str]) -> int:
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
