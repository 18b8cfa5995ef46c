"""Two environment variables point any AWS tool at the local cloud: here, Amazon's own command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.cloud import LocalCloud

AWS = Path(sys.executable).parent / "aws"


def aws(cloud: LocalCloud, *arguments: str) -> str:
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "AWS_PAGER": "", **cloud.env()}
    command = [sys.executable, str(AWS), *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def test_aws_s3_lists_and_copies(cloud: LocalCloud, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "a b.txt").write_text("hello")
    aws(cloud, "s3", "cp", str(tmp_path), f"s3://{bucket}/folder/", "--recursive")
    assert "a b.txt" in aws(cloud, "s3", "ls", f"s3://{bucket}/folder/")
    assert bucket in aws(cloud, "s3", "ls")


def test_aws_sagemaker_and_a2i_answer(cloud: LocalCloud) -> None:
    assert "TrainingJobSummaries" in json.loads(aws(cloud, "sagemaker", "list-training-jobs"))
    assert "FlowDefinitionSummaries" in json.loads(aws(cloud, "sagemaker", "list-flow-definitions"))
