"""Commands that a message proposes, so that they can be copied as they stand."""

from __future__ import annotations

import os

PROGRAM = "python -m include.loop"
DAGS = "airflow dags"
# Set by ``python -m include.stack run``: how it was called. Without it a command has no credentials.
BEGINNING = "NIGHTLOOP_BEGINNING"


def runnable(command: str) -> str:
    """A command as it has to be typed here."""
    return f"{os.environ.get(BEGINNING, '')} {command}".lstrip()


def with_commands_runnable(text: str) -> str:
    """A text of any module, with each command of this program or of Airflow as it has to be typed here."""
    return text.replace(PROGRAM, runnable(PROGRAM)).replace(DAGS, runnable(DAGS))
