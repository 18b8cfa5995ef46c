"""What the images of docker-compose.yaml do, as programs of this machine do it.

For each: the directory that it works in, what its entry point sets and starts, and the signal that stops it.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from include.cluster.settings import ClusterSettings
from include.stack.secrets import passwords_file
from include.stack.settings import StackError


@dataclass(frozen=True)
class Image:
    """`words` makes the command of a process from that of its service; `environment` is the image's own.

    Paths are those of the container. A `stop_signal` goes to all processes of a service if `stops_children`.
    """

    directory: str
    environment: Callable[[ClusterSettings], dict[str, str]]
    words: Callable[[list[str], str, ClusterSettings], list[str]]
    stop_signal: str = "TERM"
    stops_children: bool = True


def image_of(name: str) -> Image:
    """By the name without its version: that is the system's own, or ours. StackError for another image."""
    found = _IMAGES.get(name.partition(":")[0])
    if found is None:
        raise StackError(
            f"nothing on this machine does what the image {name} does; known are {', '.join(_IMAGES)}"
            " (include/cluster/images.py)"
        )
    return found


def postgresql_programs() -> Path:
    """The folder of the newest PostgreSQL's server programs. StackError when there is none."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    found = str(versions[-1]) if versions else shutil.which("postgres")
    if not found:
        raise StackError("PostgreSQL's server programs are missing: .ci/system-packages postgresql")
    return Path(found).parent


def _airflow_environment(settings: ClusterSettings) -> dict[str, str]:
    return {
        "AIRFLOW_HOME": "/opt/airflow",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(settings.airflow.number),
        "AIRFLOW__API__BASE_URL": settings.airflow.url,
        "AIRFLOW__API__INSTANCE_NAME": "Nightloop (cluster)",
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",  # no name server is asked
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords_file(settings)),
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
        # Airflow sets these after making a log, whatever the umask says; its own are for a group.
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
    }


def _airflow_words(command: list[str], process: str, settings: ClusterSettings) -> list[str]:
    # A worker is called by its host, and all of them are on this one.
    own_name = ["--celery-hostname", process] if command[:2] == ["celery", "worker"] else []
    return ["airflow", *command, *own_name]


def _redis_words(command: list[str], process: str, settings: ClusterSettings) -> list[str]:
    if not shutil.which("redis-server"):
        raise StackError("Redis is missing: .ci/system-packages redis-server")
    listens = ["--bind", "127.0.0.1", "--port", str(settings.redis.number), "--dir", "/data"]
    # A title of its own would be written over the marker of the stack (include/stack/stray_processes.py).
    return [*command, *listens, "--set-proc-title", "no"]


_IMAGES = {
    "nightloop-airflow": Image("/opt/airflow", _airflow_environment, _airflow_words),
    "nightloop-review": Image("/opt/nightloop", lambda settings: {}, lambda command, *_: command),
    "postgres": Image(
        "/var/lib/postgresql/data",
        lambda settings: {
            "PGDATA": "/var/lib/postgresql/data",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(settings.postgres.number),
        },
        lambda *_: [sys.executable, "-m", "include.cluster.postgresql"],
        # "Fast": connections are ended. Its own processes are its own to end.
        stop_signal="INT",
        stops_children=False,
    ),
    "redis": Image("/data", lambda settings: {}, _redis_words),
}
