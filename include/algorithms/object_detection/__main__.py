"""`python -m include.algorithms.object_detection train|serve`: the two commands of SageMaker's container contract."""

from __future__ import annotations

import sys

from include.algorithms.container import Container, run


def main(arguments: list[str]) -> int:
    if arguments == ["train"]:
        from include.algorithms.object_detection.train import train

        return run(Container.here(), train)
    if arguments == ["serve"]:
        from include.algorithms.object_detection.serve import serve

        return run(Container.here(), serve)
    print("usage: python -m include.algorithms.object_detection train|serve", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
