"""Clients that are not ours, each as a process of its own that knows the cloud by AWS's variables only."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.cloud import ROLE, LocalCloud
from tests.support.environments import python_of

STEPS = Path(__file__).parent / "steps"
_SECONDS = 800  # below the limit of these tests, so that one fails with what the client said


def run_steps(
    python: Path, script: str, cloud: LocalCloud, home: Path, **given: Any
) -> tuple[dict[str, Any], str]:
    """What the script found (its last line, JSON), and all that it and the SDK printed before."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "PYTHONUNBUFFERED": "1",
        **cloud.env(),
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(cloud.data / "sagemaker.yaml"),
        "SAGEMAKER_VALIDATE_ROLE": "false",  # SDK v3: no simulation of a role's policies
        "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
        # A proxy where nobody listens: whatever is asked of Amazon fails at once and is seen.
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    command = [str(python), str(STEPS / script), json.dumps({"role": ROLE, **given})]
    result = subprocess.run(
        command,
        env=environment,
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS,
    )
    assert result.returncode == 0, result.stdout
    *printed, found = result.stdout.rstrip("\n").split("\n")
    return json.loads(found), "\n".join(printed)


@pytest.fixture(scope="session")
def sagemaker2() -> Path:
    """The Python of an environment with ``sagemaker<3``."""
    return python_of(
        "sagemaker2",
        "tests/clients/sagemaker2-requirements.txt",
        "tests/clients/sagemaker2-constraints.txt",
    )
