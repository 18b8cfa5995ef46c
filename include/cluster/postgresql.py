"""What the image postgres does when it starts: make the databases at the first time, then be the server.

Takes POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB and the files in docker-entrypoint-initdb.d. PostgreSQL
refuses to run as root: then it runs as the user `postgres`, who gets its data as a folder that root opened.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from include.stack.settings import StackError

_READY = "made-by-nightloop"  # the last file of a new data directory


def main() -> None:
    data, scripts = Path(os.environ["PGDATA"]).resolve(), Path(os.environ["NIGHTLOOP_INITDB"])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POSTGRES_")}
    if not (data / _READY).exists():
        _make(data, scripts, environment)
    folder, options = _as_server(data)
    arguments = [
        "postgres",
        "-D",
        folder,
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "unix_socket_directories=",
    ]
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(options["group"])
        os.setuid(options["user"])
    os.chdir("/")
    os.execvpe("postgres", arguments, environment)  # noqa: S606, S607 -- of the system's packages


def _as_server(data: Path) -> tuple[str, dict[str, Any]]:
    """How the server's programs name the data directory, and as whom they run.

    Nobody but root may pass through the folders above it, and they stay so: the programs get it opened.
    """
    if os.geteuid() != 0:
        return str(data), {}
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        raise StackError(
            "PostgreSQL does not run as root, and there is no user `postgres`: be another user"
        ) from None
    for path in (data, *data.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid)
    opened = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    os.set_inheritable(opened, True)
    options = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "pass_fds": (opened,)}
    return f"/proc/self/fd/{opened}", options


def _make(data: Path, scripts: Path, environment: dict[str, str]) -> None:
    for left in data.iterdir():  # of a first start that was cut off
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    data.chmod(0o700)
    folder, options = _as_server(data)

    def run(words: list[str], sql: str = "") -> None:
        subprocess.run(words, input=sql, text=True, check=True, cwd="/", env=environment, **options)  # noqa: S603

    user, database = os.environ["POSTGRES_USER"], os.environ["POSTGRES_DB"]
    # Without a server nobody can connect, and with one only by the password.
    run(["initdb", "-D", folder, "-U", user, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"])
    statements = [
        f"ALTER USER {user} PASSWORD '{os.environ['POSTGRES_PASSWORD']}';",
        f"CREATE DATABASE {database};",
        *(script.read_text().strip() for script in sorted(scripts.glob("*.sql"))),
    ]
    # -j: a statement ends at a semicolon before an empty line. -F: the disk is waited for once, below.
    run(["postgres", "--single", "-j", "-F", "-D", folder, "postgres"], "\n\n".join([*statements, ""]))
    run(["initdb", "-D", folder, "--sync-only"])
    (data / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
    (data / _READY).touch()


if __name__ == "__main__":
    try:
        main()
    except (StackError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"postgres: {error}")
