"""The stack's own secrets: made once from random numbers, kept in files only their owner can read.

There is no default password anywhere; `make up` prints the one that was generated.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from include.stack.settings import StackSettings

ADMINISTRATOR = "admin"


@dataclass(frozen=True)
class Secrets:
    """What Airflow's processes share with each other, and the administrator's password."""

    fernet_key: str  # 32 random bytes, URL-safe base64, as cryptography.fernet wants them
    jwt_secret: str
    api_secret_key: str
    password: str


def passwords_file(settings: StackSettings) -> Path:
    """SimpleAuthManager's file: one JSON object, user name to password."""
    return settings.run / "airflow-passwords.json"


def load_or_create(settings: StackSettings) -> Secrets:
    """Return the stack's secrets, making them at the first call (files of mode 0600)."""
    path = settings.run / "secrets.json"
    if not path.exists():
        made = Secrets(
            fernet_key=base64.urlsafe_b64encode(os.urandom(32)).decode(),
            jwt_secret=secrets.token_urlsafe(48),
            api_secret_key=secrets.token_urlsafe(48),
            password=secrets.token_urlsafe(12),
        )
        write_private(passwords_file(settings), json.dumps({ADMINISTRATOR: made.password}) + "\n")
        write_private(path, json.dumps(asdict(made), indent=2) + "\n")
    return Secrets(**json.loads(path.read_text()))


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read at any moment: made with its mode, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as stream:
        stream.write(text)
    temporary.replace(path)
