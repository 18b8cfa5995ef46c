"""The first process of a container: starts the algorithm, carries requests to it, and ends with it.

Started by ``container`` as ``python -I -S init.py CONTROL LISTENER PORT COMMAND…``. CONTROL is a socket to
the instance: ``T`` asks the algorithm to end, its end-of-file means that the instance is gone and everything
dies; the algorithm's exit status goes the other way. LISTENER, when it is not -1, is a socket that listens
outside of the container's network: what connects there is led to PORT inside.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import socket
import sys
import threading
import time

_NICENESS = 5  # work gives way to what waits for an answer: the scheduler, the portal, the cloud itself
_OOM_SCORE = "500"  # when memory runs out, the kernel ends the job that took it and not the cloud
# Not the address space: XLA reserves tens of GiB that it never touches.
_LIMITS = {
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_FSIZE: 64 << 30,  # bytes of one file
    resource.RLIMIT_NOFILE: 16_384,
}
_PROCESSES = 4_096  # counted for the container alone in a namespace of its own, else for all of the user
_BUFFER = 256 << 10
_LAST_ANSWERS = 5.0  # seconds for what the algorithm has said, to reach who asked
_PR_SET_DUMPABLE = 4


def main(control_fd: int, listener_fd: int, port: int, command: list[str]) -> int:
    control = _own(control_fd)
    alone = os.getpid() == 1  # in a process namespace of its own
    _restrict(alone)
    # A group of its own: an algorithm that signals its group must not meet what stands around it.
    group = 0 if alone else os.getpgrp()
    listener = _own(listener_fd) if listener_fd >= 0 else None
    child = os.posix_spawn(command[0], command, os.environ, setsigdef=[signal.SIGPIPE], setpgroup=group)
    threading.Thread(target=_obey, args=(control, child), daemon=True).start()
    relay = Relay(listener, port) if listener is not None else None
    status = _reap(child)
    if relay is not None:
        relay.finish()
    with contextlib.suppress(OSError):
        control.sendall(f"{status}\n".encode())
    return status if status >= 0 else 128 - status


def _own(descriptor: int) -> socket.socket:
    """A socket that was handed down to this process, and goes no further."""
    os.set_inheritable(descriptor, False)
    return socket.socket(fileno=descriptor)


def _restrict(alone: bool) -> None:
    os.nice(_NICENESS)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(_OOM_SCORE)
    for kind, most in (_LIMITS | ({resource.RLIMIT_NPROC: _PROCESSES} if alone else {})).items():
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
    # The algorithm must not look into this process and take its sockets, which lead outside.
    with contextlib.suppress(AttributeError):  # not Linux
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _obey(control: socket.socket, child: int) -> None:
    with contextlib.suppress(OSError):
        while order := control.recv(1):
            if order == b"T":
                os.kill(child, signal.SIGTERM)
    if os.getpid() != 1:
        os.killpg(0, signal.SIGKILL)
    os._exit(128 + signal.SIGKILL)  # the kernel ends all others of a process namespace with its first


def _reap(child: int) -> int:
    """The algorithm's exit code, negative for a signal. Orphans of its own come to their end here too."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


class Relay:
    """Carries each connection of the listener to the port inside, until the process ends."""

    def __init__(self, listener: socket.socket, port: int) -> None:
        self._listener, self._port = listener, port
        self._answers: set[threading.Thread] = set()
        threading.Thread(target=self._run, daemon=True).start()

    def finish(self) -> None:
        """What listened inside has ended: let its last answers arrive."""
        deadline = time.monotonic() + _LAST_ANSWERS
        for thread in list(self._answers):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while True:
            outside, _ = self._listener.accept()
            threading.Thread(target=self._carry, args=(outside,), daemon=True).start()

    def _carry(self, outside: socket.socket) -> None:
        with outside:
            try:
                inside = socket.create_connection(("127.0.0.1", self._port))
            except OSError:  # nobody listens yet: who asks sees a closed connection and asks again
                return
            with inside:
                for sock in (outside, inside):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                back = threading.Thread(target=_pump, args=(inside, outside), daemon=True)
                self._answers.add(back)
                back.start()
                _pump(outside, inside)
                back.join()
                self._answers.discard(back)


def _pump(source: socket.socket, target: socket.socket) -> None:
    """All that comes from one side goes to the other, and so does the end of it."""
    buffer = memoryview(bytearray(_BUFFER))
    with contextlib.suppress(OSError):
        while count := source.recv_into(buffer):
            target.sendall(buffer[:count])
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    os._exit(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
