"""YAML that people write by hand, as plain data: bounded, unambiguous, and refused by file and line.

Takes a file, gives a ``Document``: its value, and the line and the words of each field for the messages of
whoever checks them. A plain word is a whole number, a decimal one, true, false, null or else text; what YAML
would silently turn into something else (yes, 2026-01-02, 010, tags) stays text or is refused. Size, depth and
what aliases unfold to are limited.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from include.loop.core.errors import ConfigurationError

# Far above what a person writes: the shipped files have at most 5 KB, 150 nodes and 5 levels.
MOST_BYTES = 256 * 1024
MOST_NODES = 20_000  # counted after aliases were unfolded; a text counts one more per 64 characters
DEEPEST = 20

_TRUTHS = re.compile(r"yes|no|on|off", re.IGNORECASE)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|nan)", re.IGNORECASE)
_MERGE = "tag:yaml.org,2002:merge"
_TEXT = "tag:yaml.org,2002:str"
_FLOAT = "tag:yaml.org,2002:float"


@dataclass(frozen=True)
class Document:
    """``value`` is None for an empty file."""

    value: Any
    root: yaml.Node | None

    def node(self, path: tuple[Any, ...]) -> yaml.Node | None:
        """The node at a path of keys and indices, or the last one on the way that the file has."""
        node = self.root
        for part in path:
            inner: yaml.Node | None = None
            if isinstance(node, yaml.MappingNode):
                inner = next((value for key, value in node.value if key.value == part), None)
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                inner = node.value[part]
            if inner is None:
                break
            node = inner
        return node

    def line(self, path: tuple[Any, ...]) -> int:
        node = self.node(path)
        return 1 if node is None else int(node.start_mark.line) + 1

    def words(self, path: tuple[Any, ...]) -> str:
        """A field as it was typed; empty for lists and mappings."""
        node = self.node(path)
        return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def read_yaml(path: Path) -> Document:
    """ConfigurationError ``FILE:LINE: what is wrong and what is allowed`` for anything but plain data."""
    text = read_text(path, MOST_BYTES)
    try:
        return _parse(text)
    except _Refused as error:
        raise ConfigurationError(f"{path}:{_line(error, text)}: {error.problem}") from None
    except yaml.YAMLError as error:
        parts = (getattr(error, name, None) for name in ("context", "problem", "reason"))
        said = ", ".join(part for part in parts if part)
        hint = "; indent with spaces, not tabs" if "\\t" in said else ""
        raise ConfigurationError(f"{path}:{_line(error, text)}: not valid YAML: {said}{hint}") from None


# A task asks for its environment some fifteen times, and composing it takes 20 ms. The text is the key: a
# changed file is composed anew. Callers make settings of a document and never change it.
@lru_cache(maxsize=16)
def _parse(text: str) -> Document:
    loader = _Loader(text)
    root = loader.get_single_node()
    return Document(None if root is None else loader.construct_document(root), root)


def read_text(path: Path, most_bytes: int) -> str:
    """A file of UTF-8, with or without a byte order mark; ConfigurationError when it is larger or other."""
    with path.open("rb") as stream:
        body = stream.read(most_bytes + 1)
    if len(body) > most_bytes:
        raise ConfigurationError(f"{path}: larger than the {most_bytes:,} bytes that are allowed")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        found = body[error.start]
        raise ConfigurationError(
            f"{path}:{line}: not UTF-8 (byte 0x{found:02x}); save the file as UTF-8"
        ) from None


class _Refused(yaml.MarkedYAMLError):
    """Valid YAML that is not allowed here."""

    def __init__(self, problem: str, place: Any) -> None:
        super().__init__(problem=problem, problem_mark=place.start_mark)


class _Loader(yaml.SafeLoader):
    """Composes nodes within the limits, so that what is built of them is small and plain."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 -- as PyYAML has it; filled below

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._count = self._depth = self._deepest = 0
        self._unfolded: dict[yaml.Node, tuple[int, int]] = {}  # what an alias to a node adds: nodes, levels

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, super().compose_node(parent, index))
        if getattr(event, "tag", None) not in (None, "!"):
            raise _Refused(f"tags ({event.tag}) are not read here: write plain values", event)
        before, deepest = self._count, self._deepest
        self._depth += 1
        self._deepest = self._depth
        self._add(1 + len(getattr(event, "value", "")) // 64, event)
        node = super().compose_node(parent, index)
        if node is not None:
            self._unfolded[node] = self._count - before, self._deepest - self._depth + 1
        self._depth -= 1
        self._deepest = max(deepest, self._deepest)
        return node

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        node = super().compose_scalar_node(anchor)
        if node.style is None and _TRUTHS.fullmatch(node.value):
            raise _Refused(f'write true or false, or "{node.value}" in quotes for the text', node)
        too_large = node.tag == _FLOAT and not math.isfinite(float(node.value))
        if too_large or (node.style is None and _NOT_FINITE.fullmatch(node.value)):
            raise _Refused(f"{node.value} is not a finite number", node)
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if key.tag == _MERGE:
                continue
            if key.tag != _TEXT:
                hint = f'; put it in quotes: "{key.value}"' if isinstance(key, yaml.ScalarNode) else ""
                raise _Refused(f"field names must be text{hint}", key)
            if key.value in seen:
                raise _Refused(f"{key.value!r} is written twice, first in line {seen[key.value]}", key)
            seen[key.value] = key.start_mark.line + 1
        return node

    def _alias(self, event: yaml.AliasEvent, node: yaml.Node | None) -> yaml.Node:
        if node is None or node not in self._unfolded:
            raise _Refused(f"*{event.anchor} stands inside of what it refers to", event)
        nodes, levels = self._unfolded[node]
        self._deepest = max(self._deepest, self._depth + levels)
        self._add(nodes, event)
        return node

    def _add(self, nodes: int, event: yaml.Event) -> None:
        self._count += nodes
        if self._deepest > DEEPEST:
            raise _Refused(f"nested more than {DEEPEST} levels deep", event)
        if self._count > MOST_NODES:
            raise _Refused(f"more than {MOST_NODES:,} values, aliases unfolded", event)


def _line(error: yaml.YAMLError, text: str) -> int:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        return int(mark.line) + 1
    return text.count("\n", 0, getattr(error, "position", 0)) + 1


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    # No leading zeros, no other base: 007 is a name. 18 digits are what every reader of it can hold.
    ("int", r"[-+]?(0|[1-9][0-9]{0,17})", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*|(?=[eE])))([eE][-+]?[0-9]{1,3})?", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))
