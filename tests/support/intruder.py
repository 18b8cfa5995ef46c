"""A training image that tries to get out of its container, and tells what it reached.

Hyperparameter ``do`` says how (see ``train``); others name what to look for. ``serve`` answers every request
with what ``reached`` finds.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(os.environ.get("SM_ML_ROOT", "/opt/ml"))
_NEW_USER_NAMESPACE = 0x10000000


def train() -> int:
    settings = json.loads((ROOT / "input/config/hyperparameters.json").read_text())
    paths = json.loads(settings.get("paths", "[]"))
    do = settings["do"]
    if do == "reach":
        found = reached(paths, json.loads(settings["ports"]), json.loads(settings["written"]))
        (ROOT / "model" / "found.json").write_text(json.dumps(found))
    elif do == "links":
        _links(*paths)
    elif do == "leave-behind":
        _leave_behind(settings["mark"])
    elif do == "bury":
        _bury(ROOT / "model")
        (ROOT / "model" / "weights").write_text("weights")
    return int(settings.get("exit", 0))


def reached(paths: Iterable[str], ports: Iterable[int], written: Iterable[str]) -> dict[str, object]:
    """Which of these can be read, connected to and written; and what this process is."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "read": [path for path in paths if _works(partial(_look, path))],
        "connected": [port for port in ports if _works(partial(_connect, port))],
        "written": [path for path in written if _works(partial(_write, path))],
        "first process": _works(
            lambda: [os.readlink(f"/proc/1/fd/{name}") for name in os.listdir("/proc/1/fd")]
        ),
        "processes": sum(name.isdecimal() for name in os.listdir("/proc")),
        "user namespace": ctypes.CDLL(None).unshare(_NEW_USER_NAMESPACE) == 0,
        "capabilities": status["CapEff"],
        "machine": _of_the_machine(),
        "environment": dict(os.environ),
        "home": os.listdir(os.environ["HOME"]),
    }


def _works(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def _look(path: str) -> object:
    return os.listdir(path) if os.path.isdir(path) else Path(path).read_bytes()


def _connect(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), timeout=5).close()


def _write(directory: str) -> None:
    path = Path(directory, "intruder")
    path.write_text("was here")
    path.unlink()


def _of_the_machine() -> list[str]:
    """What of the kernel's settings could be written: looked at and not tried, they are the machine's."""
    found = []
    for directory, folders, names in os.walk("/proc"):
        if directory == "/proc":
            folders[:] = [name for name in folders if not name.isdecimal() and "self" not in name]
        found += [path for name in names if os.access(path := f"{directory}/{name}", os.W_OK)]
    return [path for path in found if os.path.isfile(path)]  # and not a null device in its place


def _links(secret: str, folder: str) -> None:
    """Links to a file and a folder of the host, wherever somebody outside looks for files of ours."""
    for directory in (ROOT / "model", ROOT / "output/data", ROOT / "checkpoints"):
        (directory / "secret").symlink_to(secret)
        (directory / "folder").symlink_to(folder)
        os.mkfifo(directory / "pipe")
        (directory / "own").write_text("own")
        with contextlib.suppress(OSError):  # a link in its own place
            directory.rename(directory.with_name("elsewhere"))
            directory.symlink_to(folder)
    (ROOT / "output/failure").symlink_to(secret)
    for archive in ("model.tar.gz", "output.tar.gz"):
        with contextlib.suppress(OSError):
            (ROOT / archive).symlink_to(Path(folder, archive))


def _leave_behind(mark: str) -> None:
    """A process that has left its session, closed what it inherited and ignores requests to end."""
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    null = subprocess.DEVNULL
    subprocess.Popen(
        [sys.executable, "-c", code, mark], start_new_session=True, stdin=null, stdout=null, stderr=null
    )
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)  # its own group: nobody else may be in it
    time.sleep(0.3)


def _bury(directory: Path) -> None:
    """More directories below each other than a recursion can follow, the last of them closed."""
    descriptor = os.open(directory, os.O_RDONLY)
    for _ in range(1_050):
        os.mkdir("d", dir_fd=descriptor)
        below = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.mkdir("closed", 0, dir_fd=descriptor)


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._reply({})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._reply(reached(asked["paths"], asked["ports"], asked["written"]))

    def _reply(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve() -> int:
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Server).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit({"train": train, "serve": serve}[sys.argv[1]]())
