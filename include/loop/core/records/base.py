"""What all stored JSON has in common: where it lies, which shape it has, and who wrote it.

``Record`` is one JSON object, ``Line`` one line of a JSON Lines object. A record says its schema version,
the code that wrote it and the hash of the pipeline's file. An older shape is brought up to date when it is
read (``upgrade``), so that nobody else knows that it ever was another one. Fields of a newer shape are
passed over.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from include import __version__
from include.loop.core import storage as files
from include.loop.core.errors import BadRecord, Fatal
from include.loop.core.storage import Storage

ROOT = Path(__file__).parents[4]
Location = Callable[..., str]


class Part(BaseModel):
    """An object inside a record."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Stored(Part):
    """LOCATION is the function of ``core/layout.py`` that says where it lies: ``staticmethod(layout.…)``."""

    LOCATION: ClassVar[Location]

    @classmethod
    def location(cls, *names: str | int) -> str:
        """Where it lies, below the pipeline's folder."""
        return cls.LOCATION(*names)

    @classmethod
    def upgrade(cls, value: dict[str, Any], version: int) -> dict[str, Any]:
        """The value of an older schema version as this one has it; the given value may be changed."""
        return value

    @classmethod
    def from_value(cls, value: Any) -> Self:
        """What was stored, of whatever version; BadRecord says which field is wrong."""
        if not isinstance(value, dict):
            raise BadRecord(f"must be a JSON object, not {type(value).__name__}")
        version = value.get("schema_version", 1)
        if type(version) is not int or version < 1:  # taken for version 1, today's fields would be lost
            raise BadRecord(f"schema_version: must be a whole number from 1, not {version!r:.40}")
        try:
            return cls.model_validate(cls.upgrade(dict(value), version))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the whole"
            raise BadRecord(f"{place}: {first['msg'].lower()}") from None
        except (AttributeError, KeyError, TypeError) as error:  # of an upgrade: an older shape it never had
            raise BadRecord(f"is of no version that was ever written: {error!r}") from None

    @classmethod
    def _of(cls, storage: Storage, location: str, value: Any) -> Self:
        try:
            return cls.from_value(value)
        except BadRecord as error:
            raise Fatal(
                f"{storage.uri(location)} is no {cls.__name__} record: {error}. Bring back the version of "
                "the object that the loop wrote"
            ) from None


class Record(_Stored):
    """One JSON object. ``schema_version`` is 1 where nothing else is said; ``written_by`` is a git commit or
    the version of the package, ``pipeline_sha256`` the hash of the pipeline's file at that time: both are put
    in on writing.
    """

    VERSION: ClassVar[int] = 1

    schema_version: int = 0
    written_by: str | None = None
    pipeline_sha256: str | None = None

    def model_post_init(self, context: Any) -> None:
        """A value in memory has today's shape, whatever it was read from."""
        object.__setattr__(self, "schema_version", max(self.schema_version, self.VERSION))

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        """The record in an object's bytes; BadRecord when it is none."""
        try:
            value = files.parse(body)
        except ValueError as error:
            raise BadRecord(f"is not JSON as it was written: {error}") from None
        return cls.from_value(value)

    @classmethod
    def find_at(cls, storage: Storage, location: str) -> Self | None:
        """As ``find``, at a place that was listed."""
        return cls.find_version_at(storage, location)[0]

    @classmethod
    def find_version_at(cls, storage: Storage, location: str) -> tuple[Self | None, str | None]:
        value, etag = storage.find_version(location)
        return (None if value is None else cls._of(storage, location, value)), etag

    @classmethod
    def of_bytes(cls, storage: Storage, location: str, body: bytes) -> Self:
        """The record in the bytes of an object that was read; otherwise as ``find``."""
        return cls._of(storage, location, storage.value(location, body))

    @classmethod
    def find(cls, storage: Storage, *names: str | int) -> Self | None:
        """None when there is no such object, Fatal when it is not what the loop wrote."""
        return cls.find_at(storage, cls.location(*names))

    @classmethod
    def find_version(cls, storage: Storage, *names: str | int) -> tuple[Self | None, str | None]:
        """The record and its ETag, for ``replace``; twice None when there is no such object."""
        return cls.find_version_at(storage, cls.location(*names))

    @classmethod
    def read(cls, storage: Storage, *names: str | int) -> Self:
        """As ``find``; FileNotFoundError when there is no such object."""
        found = cls.find(storage, *names)
        if found is None:
            raise FileNotFoundError(f"no object at {storage.uri(cls.location(*names))}")
        return found

    def dump(self, storage: Storage) -> bytes:
        """The bytes that are stored: they depend on the value, the code and the pipeline's file only."""
        # The version is that of this shape: of a newer record that was read, the newer fields are gone.
        stamp = {
            "schema_version": self.VERSION,
            "written_by": code_version(),
            "pipeline_sha256": storage.pipeline_sha256,
        }
        return files.dump(self.model_dump(mode="json") | stamp)

    def write(self, storage: Storage, *names: str | int) -> None:
        storage.write(self.location(*names), self.dump(storage))

    def write_once(self, storage: Storage, *names: str | int) -> Self:
        """Write unless something is there; what is there afterwards."""
        written = storage.write_once(self.location(*names), self.dump(storage))
        return self if written else self.read(storage, *names)

    def replace(self, storage: Storage, etag: str | None, *names: str | int) -> None:
        """Replace the object of this ETag (None: there was none); ConcurrentWrite when it changed since."""
        storage.replace(self.location(*names), self.dump(storage), etag)


class Line(_Stored):
    """One line of a JSON Lines object; it carries no stamp, the record beside it does."""

    @classmethod
    def read_all(cls, storage: Storage, *names: str | int) -> Iterator[Self]:
        """The lines of an object, streamed. FileNotFoundError when there is none, Fatal for a line that the
        loop did not write.
        """
        location = cls.location(*names)
        return (cls._of(storage, location, value) for value in storage.read_lines(location))

    @classmethod
    def write_all(cls, storage: Storage, lines: Iterable[Self], *names: str | int) -> int:
        """Write the object whole; how many lines."""
        return storage.write_lines(cls.location(*names), (line.to_value() for line in lines))

    def to_value(self) -> dict[str, Any]:
        """Without what is not said."""
        return self.model_dump(mode="json", exclude_none=True)


@cache
def code_version() -> str:
    """The git commit of this code, or the version of the package where it was copied without its history."""
    asked = ["git", "-C", str(ROOT), "rev-parse", "--show-toplevel", "HEAD"]
    try:
        run = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return __version__
    # Somebody else's repository may be around a copy.
    top, commit = run.stdout.splitlines()
    return commit if Path(top) == ROOT else __version__
