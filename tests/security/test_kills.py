"""kill -9 of the cloud, again and again: nothing is torn, nothing is lost, nobody is left behind."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.support.cloud import ROOT

KILLS = 50
_TROUBLE = (ClientError, BotoCoreError)

# Puts an object twice and dies at one of the renames of the second time, then says what a new start finds.
# With "same tick" the two files get the same time, as on a machine that is fast enough for one tick of the
# file system's clock: times cannot tell then what belongs together.
_TWICE = """
import asyncio, os, signal, sys
from pathlib import Path
root, point, same_tick = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "same tick"
from include.local_cloud import object_files
from ministack.services import s3
def call(method, path, body=b"", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(s3.handle_request(method, path, named, body, {}))
object_files.install(root)
call("PUT", "/bucket")
call("PUT", "/bucket/k", b"1" * 1_000, content_type="image/png", x_amz_meta_which="one")
if not os.fork():
    done, replace = 0, os.replace
    def counted(source, target):
        global done
        done += 1
        if done == point:
            if same_tick:
                for path in Path(root).rglob("k*"):
                    os.utime(path, (1, 1))
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
    os.replace = counted
    call("PUT", "/bucket/k", b"2" * 1_800, content_type="image/jpeg", x_amz_meta_which="two")
    os.kill(os.getpid(), signal.SIGKILL)
os.wait()
s3._buckets._data.clear()
object_files.install(root)
status, headers, body = call("GET", "/bucket/k")
told = [headers.get(name) for name in ("Content-Type", "x-amz-meta-which", "Content-Length", "ETag")]
print(repr((status, body, *told)))
print(sorted(path.name for path in root.rglob("k*")))
"""


@pytest.mark.parametrize(("point", "which"), [(1, "one"), (2, "two"), (3, "two")])
@pytest.mark.parametrize("tick", ["same tick", "later"])
def test_an_object_written_again_is_the_old_one_or_the_new_one(
    tmp_path: Path, point: int, which: str, tick: str
) -> None:
    command = [sys.executable, "-c", _TWICE, str(tmp_path), str(point), tick]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    found, files = said.stdout.splitlines()[-2:]
    body, kind = {"one": (b"1" * 1_000, "image/png"), "two": (b"2" * 1_800, "image/jpeg")}[which]
    etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    assert found == repr((200, body, kind, which, str(len(body)), etag))
    assert files == "['k', 'k.meta.json']"
