"""An algorithm's ``serve`` as a process, and requests of it."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import httpx


@contextmanager
def served(algorithm, root, **environment):
    """A client of an algorithm's server over the model below ``root``, once it answers."""
    port = free_port()
    ports = {"SM_ML_ROOT": str(root), "SAGEMAKER_BIND_TO_PORT": str(port)}
    command = [sys.executable, "-m", f"include.algorithms.{algorithm}", "serve"]
    process = subprocess.Popen(command, env={**os.environ, **ports, **environment})
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
        try:
            wait_until_ready(client, process)
            yield client
        finally:
            process.terminate()
            process.wait(60)


def free_port():
    """Not one of those that the system gives to whoever asks for any: the server comes seconds later."""
    while True:
        port = random.randrange(20_000, 30_000)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def wait_until_ready(client, process):
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if client.get("/ping").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the server did not come up")


def ask(server, body, kind="application/x-image", **headers):
    return server.post("/invocations", content=body, headers={"Content-Type": kind, **headers})
