"""The access keys that API callers sign with: a file in AWS's own credentials format, one profile per caller.

Made at the first start with one random key (profile ``default``), mode 0600. Any AWS tool can be pointed at
it with AWS_SHARED_CREDENTIALS_FILE. It holds the secrets themselves, because a signature can only be checked
with the secret. Read again whenever it changes: a key that is added or revoked counts from the next call on.
"""

from __future__ import annotations

import configparser
import io
import re
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from include.review_server import private_files

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True)
class ApiKey:
    """One caller's key. ``name`` is its profile in the file."""

    name: str
    id: str
    secret: str


class ApiKeys:
    """The keys of one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._read_as: tuple[int, int, int] | None = None
        self._secrets: dict[str, str] = {}

    def create(self) -> None:
        """Make the file with one key, unless it is there. Raises when it is there and cannot be used."""
        if not self.path.exists():
            self._write([_new_key("default")])
        self.secret("")

    def all(self) -> list[ApiKey]:
        """Every key. ``ValueError`` says what is wrong with the file."""
        return _parse(private_files.read(self.path), self.path) if self.path.exists() else []

    def add(self, name: str) -> ApiKey:
        """A new key for a caller. ``ValueError`` for a name that is taken or no profile name."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}", name):
            raise ValueError(f"a key's name has 1 to 64 letters, digits and _ . @ -, not {name!r}")
        keys = self.all()
        if any(key.name == name for key in keys):
            raise ValueError(f"there is a key {name} already: revoke it first, or take another name")
        added = _new_key(name)
        self._write([*keys, added])
        return added

    def revoke(self, name_or_id: str) -> ApiKey:
        """Take a key away; its next call is refused. ``LookupError`` when there is no such key."""
        keys = self.all()
        gone = next((key for key in keys if name_or_id in (key.name, key.id)), None)
        if gone is None:
            raise LookupError(f"no key is called {name_or_id!r}: `api-keys list` shows them")
        self._write([key for key in keys if key != gone])
        return gone

    def secret(self, key_id: str) -> str | None:
        """The secret of a key, or None when there is no such key."""
        with self._lock:
            about = self.path.stat()
            read_as = (about.st_ino, about.st_mtime_ns, about.st_size)
            if read_as != self._read_as:
                self._secrets = {key.id: key.secret for key in self.all()}
                self._read_as = read_as
            return self._secrets.get(key_id)

    def _write(self, keys: list[ApiKey]) -> None:
        file = configparser.RawConfigParser(default_section="")
        for key in keys:
            file[key.name] = {"aws_access_key_id": key.id, "aws_secret_access_key": key.secret}
        text = io.StringIO()
        file.write(text)
        private_files.write(self.path, text.getvalue())


def _new_key(name: str) -> ApiKey:
    # 20 characters and 40, as AWS's own keys have.
    return ApiKey(name, "AKIA" + "".join(secrets.choice(_BASE32) for _ in range(16)), secrets.token_hex(20))


def _parse(text: str, path: Path) -> list[ApiKey]:
    file = configparser.RawConfigParser(default_section="")
    try:
        file.read_string(text)
        keys = [
            ApiKey(name, file[name]["aws_access_key_id"], file[name]["aws_secret_access_key"])
            for name in file.sections()
        ]
    except (configparser.Error, KeyError) as error:
        raise ValueError(
            f"{path} is no credentials file: each [profile] needs aws_access_key_id and "
            f"aws_secret_access_key ({error})"
        ) from None
    if any(not key.id or len(key.secret) < 16 for key in keys):
        raise ValueError(f"{path}: every secret has at least 16 characters, and every key an id")
    return keys
