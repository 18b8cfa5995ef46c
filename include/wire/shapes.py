"""Values by the letter of a botocore shape: from the wire, checked, and back to the wire.

``parse`` turns JSON into Python (timestamps become aware datetimes, blobs bytes) and drops members that the
model does not know, as AWS does. ``violations`` lists every constraint of the model that a value breaks, in
AWS's own words. ``serialise`` is the way back and keeps modelled members only. It knows botocore's models.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from botocore.utils import parse_timestamp

from include.wire.messages import AwsError

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
}

_BITS = {"integer": 31, "long": 63}
# No time of any of AWS's forms is longer.
_LONGEST_TIME = 64


def parse(shape: Shape, value: Any, where: str = "") -> Any:
    """The JSON value as Python. Raises ``SerializationException`` when its JSON type is not the shape's."""
    if value is None:
        return None
    if shape.type_name == "timestamp":
        return _timestamp(value, where)
    if shape.type_name == "blob":
        return _blob(value, where)
    if not _has_type(value, _PYTHON_TYPES[shape.type_name]):
        raise AwsError(
            "SerializationException",
            f"{where or 'the request'} must be a JSON {shape.type_name}, not {type(value).__name__}",
        )
    if shape.type_name in _BITS and not -(1 << _BITS[shape.type_name]) <= value < 1 << _BITS[shape.type_name]:
        raise AwsError("SerializationException", f"{where} is too large a number for a {shape.type_name}")
    if isinstance(shape, StructureShape):
        known = {
            name: member
            for name, member in shape.members.items()
            if value.get(_wire_name(name, member)) is not None
        }
        return {name: parse(m, value[_wire_name(name, m)], _join(where, name)) for name, m in known.items()}
    if isinstance(shape, ListShape):
        return [parse(shape.member, item, f"{where}.{i}") for i, item in enumerate(value)]
    if isinstance(shape, MapShape):
        return {key: parse(shape.value, item, _join(where, key)) for key, item in value.items()}
    return value


def parse_text(shape: Shape, text: str, where: str) -> Any:
    """A value that came as text, in the path, the query or a header."""
    if shape.type_name in ("integer", "long"):
        try:
            return parse(shape, int(text), where)
        except ValueError:
            raise AwsError(
                "SerializationException", f"{where} must be an integer, not {text!r:.80}"
            ) from None
    if shape.type_name == "boolean":
        return text.lower() == "true"
    return parse(shape, text, where)


def violations(shape: Shape, value: Any, where: str = "") -> Iterator[str]:
    """Each broken constraint as one sentence: required members, ranges, lengths, patterns, enums."""
    if isinstance(shape, StructureShape):
        for name in shape.required_members:
            if value.get(name) is None:
                place = _join(where, name)
                yield f"Value null at '{place}' failed to satisfy constraint: Member must not be null"
        for name, member in value.items():
            yield from violations(shape.members[name], member, _join(where, name))
        return
    if isinstance(shape, ListShape):
        yield from _outside(shape, len(value), value, where, "length")
        for i, item in enumerate(value):
            yield from violations(shape.member, item, f"{where}.{i + 1}.member")
        return
    if isinstance(shape, MapShape):
        yield from _outside(shape, len(value), value, where, "length")
        for key, item in value.items():
            yield from violations(shape.key, key, where)
            yield from violations(shape.value, item, _join(where, key))
        return
    if shape.type_name in ("string", "blob"):
        yield from _outside(shape, len(value), value, where, "length")
    elif shape.type_name in ("integer", "long", "float", "double"):
        yield from _outside(shape, value, value, where, "value")
    if isinstance(shape, StringShape):
        if shape.enum and value not in shape.enum:
            yield _broken(value, where, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
        pattern = _compiled(shape.metadata.get("pattern"))
        if pattern and not pattern.fullmatch(value):
            yield _broken(value, where, f"Member must satisfy regular expression pattern: {pattern.pattern}")


def serialise(shape: Shape, value: Any, timestamps: str = "unixTimestamp") -> Any:
    """The Python value as JSON-able data: modelled members that are not None, and nothing else."""
    if isinstance(shape, StructureShape):
        return {
            _wire_name(name, member): serialise(member, value[name], timestamps)
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if isinstance(shape, ListShape):
        return [serialise(shape.member, item, timestamps) for item in value]
    if isinstance(shape, MapShape):
        return {key: serialise(shape.value, item, timestamps) for key, item in value.items()}
    if shape.type_name == "timestamp":
        return timestamp_text(value, shape.serialization.get("timestampFormat", timestamps))
    if shape.type_name == "blob":
        return base64.b64encode(value).decode("ascii")
    return value


def timestamp_text(value: datetime, form: str) -> float | str:
    """A time in one of the three forms of the AWS protocols."""
    moment = value.astimezone(UTC)
    if form == "iso8601":
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if form == "rfc822":
        return format_datetime(moment, usegmt=True)
    return round(moment.timestamp(), 3)


def _has_type(value: Any, expected: tuple[type, ...]) -> bool:
    # Python counts a bool as an int; JSON and AWS do not.
    return isinstance(value, expected) and (bool in expected or not isinstance(value, bool))


def _wire_name(name: str, member: Shape) -> str:
    return str(member.serialization.get("name", name))


def _join(where: str, name: str) -> str:
    # AWS spells the path of a member with small first letters, whatever the model says.
    small = name[:1].lower() + name[1:]
    return f"{where}.{small}" if where else small


def _timestamp(value: Any, where: str) -> datetime:
    try:
        if isinstance(value, str) and len(value) > _LONGEST_TIME:
            raise ValueError(value[:_LONGEST_TIME])
        moment: datetime = parse_timestamp(value)
    except (ValueError, TypeError, OverflowError):
        raise AwsError("SerializationException", f"{where} must be a timestamp, not {value!r:.80}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _blob(value: Any, where: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise AwsError("SerializationException", f"{where} must be base64 text") from None


def _outside(shape: Shape, size: float, value: Any, where: str, what: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        yield _broken(value, where, f"Member must have {what} greater than or equal to {low}")
    if high is not None and size > high:
        yield _broken(value, where, f"Member must have {what} less than or equal to {high}")


def _broken(value: Any, where: str, rule: str) -> str:
    shown = str(value)
    # A three-megabyte input that is one character too long must not come back whole in its own error.
    shown = shown if len(shown) <= 256 else shown[:256] + "…"
    return f"Value '{shown}' at '{where}' failed to satisfy constraint: {rule}"


@lru_cache(maxsize=4096)
def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    """The pattern, or None when there is none or it speaks Java's dialect (``\\p{L}`` and the like)."""
    if pattern is None:
        return None
    try:
        return re.compile(pattern)
    except re.error:
        return None
