"""What the servers write is for their owner alone, whatever the umask of whoever starts them."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.review_server import private_files
from include.stack.processes import _configuration, local_programs
from include.stack.settings import StackSettings
from tests.review_server.process import Process
from tests.support.cloud import ROOT, LocalCloud


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def _open_to_others(directory: Path, *but: str) -> list[str]:
    """What of the directory, itself included, others may read, write or enter."""
    paths = [
        directory,
        *(path for path in directory.rglob("*") if path.relative_to(directory).parts[0] not in but),
    ]
    return [
        str(path) for path in paths if stat.S_IMODE(path.lstat().st_mode) & 0o077 and not path.is_symlink()
    ]


def test_a_review_server_alone_writes_for_its_owner_only(cloud: LocalCloud, tmp_path: Path):
    data = tmp_path / "new" / "data"
    command = [sys.executable, "-m", "include.review_server"]
    add = ["members", "add", "ann", "--team", "t", "--data", str(data)]
    add += ["--credentials", str(data / "workers.json")]
    subprocess.run([*command, *add], cwd=ROOT, check=True, capture_output=True)
    assert {path.name for path in data.iterdir()} >= {"review.db", "workers.json"}
    assert not _open_to_others(tmp_path / "new")
    # The test's own log is the one file that the server did not make.
    with Process(cloud, data, own_keys=True).start():
        assert {path.name for path in data.iterdir()} >= {"review.db-wal", "review.db-shm", "api-keys"}
        assert not _open_to_others(data, "server.log")


def test_what_an_earlier_version_left_open_is_closed_at_the_start(cloud: LocalCloud, tmp_path: Path):
    data = tmp_path / "data"
    with Process(cloud, data).start() as server:
        server.kill()
        for path in (data, *data.glob("review.db*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        assert len(_open_to_others(data)) > 3
        server.start()
        assert not _open_to_others(data, "server.log")
    said = (data / "server.log").read_text()
    assert f"{data / 'review.db'} had mode 0644; now only its owner may use it" in said
    assert f"{data} had mode 0755" in said


def test_a_directory_that_is_everybodys_is_left_so(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    tmp_path.chmod(0o1777)
    (tmp_path / "review.db").touch(0o644)
    with caplog.at_level(logging.WARNING):
        private_files.tighten(tmp_path, "review.db", "never-made")
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o1777
    assert stat.S_IMODE((tmp_path / "review.db").stat().st_mode) == 0o600
    assert f"{tmp_path} has mode 1777: others may look into it" in caplog.text


def test_a_local_cloud_writes_for_its_owner_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(LocalCloud, "compiled", None)  # or this process would make the cache's directory
    with LocalCloud(tmp_path / "cloud") as cloud:
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket="photos")
        s3.put_object(Bucket="photos", Key="deep/1.jpg", Body=b"x")
        cloud.client("logs").create_log_group(logGroupName="group")
        cloud.stop()
    (tmp_path / "cloud" / "cloud.log").unlink()
    names = {path.name for path in (tmp_path / "cloud").rglob("*")}
    assert names >= {"1.jpg", "review.db", "endpoints.json", "credentials", "sagemaker.sqlite"}
    # The directory itself was made by the test.
    assert not _open_to_others(tmp_path / "cloud")


def test_a_stacks_directories_and_programs_are_closed(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    settings = StackSettings.from_environment({"NIGHTLOOP_HOME": str(tmp_path / "home")})
    settings.logs.mkdir(parents=True)
    settings.make_directories()
    assert not _open_to_others(settings.home)
    assert f"{settings.logs} was open to others" in capfd.readouterr().err
    configuration = _configuration(settings, local_programs(settings))
    assert "\numask = 077\n" in configuration, "supervisord's own is 022, whatever it inherits"
