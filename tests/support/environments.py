"""Virtual environments beside ours, for clients that cannot live in it; made by ``.ci/setup`` and kept.

``make test`` makes them before the tests; a test that finds none makes it, and other workers wait for it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.cloud import ROOT


def python_of(name: str, requirements: str, constraints: str) -> Path:
    """The Python of ``.nightloop/environments/{name}``; the files are named from the project's root."""
    place = ROOT / ".nightloop" / "environments" / name
    command = ["bash", ".ci/setup", "--environment", str(place), requirements, constraints]
    subprocess.run(command, cwd=ROOT, check=True)
    return place / "bin" / "python"
