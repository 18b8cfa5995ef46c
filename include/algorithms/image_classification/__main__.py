"""`python -m include.algorithms.image_classification train|serve`: SageMaker's container contract."""

from __future__ import annotations

import sys

from include.algorithms.entrypoint import main

if __name__ == "__main__":
    sys.exit(main("include.algorithms.image_classification", sys.argv[1:]))
