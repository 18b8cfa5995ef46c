"""`python -m include.algorithms.object_detection train|serve`: SageMaker's container contract."""

from __future__ import annotations

import sys

from include.algorithms.entrypoint import main

if __name__ == "__main__":
    sys.exit(main("include.algorithms.object_detection", sys.argv[1:]))
