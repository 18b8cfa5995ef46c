"""The walls around a container: what its process sees, may write, and is told.

With bubblewrap and user namespaces: the system, Python and the algorithm's package read-only, the job's own
``/opt/ml`` and ``/tmp``, no network, no other process, nothing of the cloud's data. Without: a process of
this user, whose variables and limits are its only walls; ``missing`` says what to install. Takes directories,
gives a command's beginning and its environment.
"""

from __future__ import annotations

import functools
import glob
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from include.local_cloud.settings import PROJECT_ROOT, REGION

ML_ROOT, _CACHE = "/opt/ml", "/var/cache/algorithm"
_TMP = "/tmp"  # noqa: S108 -- the container's own
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/alternatives")
_SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/localtime", "/sys/devices/system/cpu")
_DEVICES = ("/dev/nvidia*", "/dev/kfd", "/dev/dri")
# Of /proc, what is the machine's and not a process's: to the kernel a container of root's cloud is root
# there, capabilities or not (core_pattern alone runs a program outside). bubblewrap takes it for closed.
_MACHINE = tuple(
    f"/proc/{name}" for name in ("sys", "mtrr", "pressure", "fs", "acpi", "scsi", "driver", "asound")
)
_KERNEL = tuple(
    f"/proc/{name}"
    for name in ("vmallocinfo", "slabinfo", "kpagecount", "kpageflags", "kpagecgroup", "timer_list", "keys")
)
# Of the cloud's own variables, what a container is to know: language, time, and how to compute.
_KEPT = re.compile(
    r"LANG|LANGUAGE|LC_\w+|TZ|LD_LIBRARY_PATH|\w+_NUM_THREADS|JAX_PLATFORMS|XLA_FLAGS|XLA_PYTHON_CLIENT_\w+"
    r"|CUDA_VISIBLE_DEVICES|NVIDIA_\w+|TF_CPP_\w+"
)
_NAMESPACES = (
    "bwrap",
    *(f"--unshare-{kind}" for kind in ("user", "ipc", "pid", "net", "uts", "cgroup-try")),
    *("--disable-userns", "--cap-drop", "ALL", "--uid", "65534", "--gid", "65534", "--hostname", "algo-1"),
    *("--as-pid-1", "--die-with-parent", "--proc", "/proc", "--dev", "/dev"),
    *(word for path in _MACHINE for word in ("--ro-bind-try", path, path)),
    *(word for path in _KERNEL if os.path.exists(path) for word in ("--ro-bind", "/dev/null", path)),
)
_PROBE_SECONDS = 60  # a busy machine must not be taken for one without namespaces


@dataclass(frozen=True)
class Room:
    """A container's directories on this machine. ``shown`` are more of them: path below /opt/ml → (directory,
    whether the container may write there).
    """

    scratch: Path  # for /tmp, and for what nobody looks at in /opt/ml
    cache: Path
    hidden: Path  # the cloud's data, wherever it lies
    package: str  # of the algorithm
    shown: Mapping[str, tuple[Path, bool]] = field(default_factory=dict)


@functools.cache
def missing() -> str:
    """What keeps containers of this machine without walls, and what to do; "" when nothing does."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed (on Debian: apt-get install bubblewrap)"
    try:
        probe = [*_NAMESPACES, *_readable(_shared()), "--", sys.executable, "-I", "-S", "-c", ""]
        tried = subprocess.run(probe, capture_output=True, timeout=_PROBE_SECONDS)  # noqa: S603 -- ours
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap cannot be run: {error}"
    if tried.returncode != 0:
        said = tried.stderr.decode(errors="replace").strip().splitlines()
        return (
            f"bubblewrap cannot make namespaces here ({said[-1] if said else tried.returncode}): allow user "
            "namespaces (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns)"
        )
    return ""


def warning() -> str:
    """One sentence for a log, or "" when containers have walls."""
    if not (reason := missing()):
        return ""
    return (
        f"jobs and models run without a sandbox, as processes of this user: {reason}. "
        "Until then, run only algorithms and models that you trust"
    )


def command(room: Room) -> list[str]:
    """What stands before the container's command; nothing without bubblewrap."""
    if missing():
        return []
    shared = [*_shared(), *_packages(room.package)]
    for name in ("tmp", "ml"):
        (room.scratch / name).mkdir(parents=True, exist_ok=True)
    room.cache.mkdir(parents=True, exist_ok=True)
    # What is mounted later lies above: a checkout below /tmp, or a Python, is to be seen in the container's.
    line = [*_NAMESPACES, "--bind", str(room.scratch / "tmp"), _TMP, *_readable(shared)]
    if any(room.hidden.is_relative_to(path) for path in shared):
        line += ["--tmpfs", str(room.hidden)]
    for pattern in _DEVICES:
        for path in glob.glob(pattern):
            line += ["--dev-bind", path, path]
    # Each directory that somebody outside reads again is a mount of its own: the container cannot put a link
    # in its place.
    line += ["--bind", str(room.scratch / "ml"), ML_ROOT, "--bind", str(room.cache), _CACHE]
    for name, (directory, writable) in room.shown.items():
        line += ["--bind" if writable else "--ro-bind", str(directory), f"{ML_ROOT}/{name}"]
    return [*line, "--remount-ro", "/", "--chdir", str(PROJECT_ROOT), "--"]


def environment(room: Room, tree: Path) -> dict[str, str]:
    """What every container is told, whoever asked for it; none of the cloud's own secrets."""
    kept = {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)}
    path = [str(PROJECT_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONUNBUFFERED": "1",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }
    if not missing():
        return kept | own | {"HOME": _TMP, "TMPDIR": _TMP, "XDG_CACHE_HOME": _CACHE}
    home = room.scratch / "tmp"
    home.mkdir(parents=True, exist_ok=True)
    places = {"HOME": home, "TMPDIR": home, "XDG_CACHE_HOME": room.cache, "SM_ML_ROOT": tree}
    return kept | own | {name: str(place) for name, place in places.items()}


def _shared() -> list[Path]:
    """Python and what it imports here, but for the project and /tmp: they have more in them than programs."""
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    paths = [sys.prefix, sys.base_prefix, *sys.path, *libraries]
    found = {Path(path).absolute() for path in paths if path and Path(path).is_dir()}
    found -= {PROJECT_ROOT, Path(_TMP)}  # a script of /tmp has it in sys.path: the container's is another one
    return sorted(path for path in found if not any(parent in found for parent in path.parents))


def _packages(algorithm: str) -> Iterator[Path]:
    """The project's own package, in which ``init`` lies, and the one that the algorithm is part of."""
    yield PROJECT_ROOT / "include"
    spec = importlib.util.find_spec(algorithm.partition(".")[0])
    for place in (spec and spec.submodule_search_locations) or []:
        yield Path(place).absolute()


def _readable(shared: list[Path]) -> Iterator[str]:
    for path in _SYSTEM:
        if os.path.islink(path):
            yield from ("--symlink", os.readlink(path), path)
        elif os.path.isdir(path):
            yield from ("--ro-bind", path, path)
    for path in _SYSTEM_FILES:
        yield from ("--ro-bind-try", path, path)
    for path in map(str, shared):
        yield from ("--ro-bind", path, path)
