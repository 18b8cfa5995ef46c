"""How long an answer is looked at and can be taken back, as options of a program."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from include.review_server.settings import MOST_SECONDS, ReviewSettings


def patience_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--least-seconds`` and ``--undo-seconds``, with the review server's own defaults."""
    parser.add_argument(
        "--least-seconds",
        type=_seconds("least_seconds"),
        default=ReviewSettings.least_seconds,
        metavar="SECONDS",
        help="a worker's page sends no answer to a task that was seen for less (default: %(default)s)",
    )
    parser.add_argument(
        "--undo-seconds",
        type=_seconds("undo_seconds"),
        default=ReviewSettings.undo_seconds,
        metavar="SECONDS",
        help="an answer can be taken back for so long, and is final then; 0: at once (default: %(default)s)",
    )


def _seconds(name: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        most = MOST_SECONDS[name]
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1
        if not 0 <= seconds <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to {most}")
        return seconds

    return read
