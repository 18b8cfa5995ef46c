"""The portal's benchmark still finds its way about the portal: its times are nobody's business here."""

from __future__ import annotations

import subprocess
import sys


def test_planted_errors_are_found_and_mended_with_either_hand() -> None:
    command = [
        sys.executable, "-m", "benchmarks.portal",
        "--parts", "next,actions", "--tasks", "2", "--pictures", "1",
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr[-4000:]}"
    *_, by_mouse, by_keyboard = ran.stdout.splitlines()
    assert by_mouse.startswith("by mouse: ")
    assert by_keyboard.startswith("by keyboard: ")
    assert by_mouse.endswith("1 of 1 right")
    assert by_keyboard.endswith("1 of 1 right")
