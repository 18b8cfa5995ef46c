"""How long an answer is looked at and can be taken back, as options of a program."""

from __future__ import annotations

import argparse

from include.review_server.settings import ReviewSettings


def patience_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--least-seconds`` and ``--undo-seconds``, with the review server's own defaults."""
    parser.add_argument(
        "--least-seconds",
        type=float,
        default=ReviewSettings.least_seconds,
        metavar="SECONDS",
        help="a worker's page sends no answer to a task that was seen for less (default: %(default)s)",
    )
    parser.add_argument(
        "--undo-seconds",
        type=float,
        default=ReviewSettings.undo_seconds,
        metavar="SECONDS",
        help="an answer can be taken back for so long, and is final then; 0: at once (default: %(default)s)",
    )
