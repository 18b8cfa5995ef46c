"""The command line of the stack, as a shell uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from include.stack.settings import PROJECT


def stack(*words: str, home: Path, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    variables = os.environ | {"NIGHTLOOP_HOME": str(home), "NIGHTLOOP_CLOUD_PORT": "4999"}
    command = [sys.executable, "-m", "include.stack", *words]
    return subprocess.run(
        command, cwd=PROJECT, env=variables, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
    )


def test_a_second_shell_gets_the_address_and_the_keys_of_the_cloud(tmp_path):
    lines = stack("env", home=tmp_path).stdout.splitlines()
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:4999" in lines
    assert any(line.startswith("export AWS_SHARED_CREDENTIALS_FILE=") for line in lines)


def test_a_reader_that_goes_away_early_ends_the_command_without_a_word(tmp_path):
    """As in `make status | head -1`."""
    read, write = os.pipe()
    os.close(read)
    try:
        ended = stack("env", home=tmp_path, stdout=write)
    finally:
        os.close(write)
    assert (ended.returncode, ended.stderr) == (141, "")


def test_a_program_that_is_not_there_is_told_in_a_line(tmp_path: Path):
    ended = stack("run", "include.loop", "data", "count", "x", home=tmp_path)
    assert (ended.returncode, ended.stderr) == (
        1,
        "\ninclude.loop cannot be run: No such file or directory. Did you mean python -m include.loop?\n",
    )


def test_a_command_is_told_how_it_was_begun_so_that_its_hints_can_be_copied(tmp_path: Path):
    ended = stack("run", "sh", "-c", "echo $NIGHTLOOP_BEGINNING; umask", home=tmp_path)
    mask = os.umask(0)
    os.umask(mask)
    # And what it makes is as open as the person wants it, while the stack's own is closed.
    assert ended.stdout == f"{sys.executable} -m include.stack run\n{mask:04o}\n"
