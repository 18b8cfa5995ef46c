"""A worker template that lists classes by itself, next to those of the pipeline.

Templates are told the classes (``task.input.labels``), and most write these; one that has a list of its own
is not wrong, but what is not in it nobody can answer. Takes the template's text, gives sentences; pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser

# In the relaxed form in which crowd elements take lists.
_TEXT = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
_SET_BY_SCRIPT = re.compile(r"\.(labels|categories)\s*(=(?!=)|\.push\b)")
_NUMBERED = re.compile(r"\d+:(.+)", re.DOTALL)
TOLD = 10


def warnings(template: str, classes: Sequence[str]) -> list[str]:
    """What is to be known about the lists of a template's elements; nothing where they are the pipeline's."""
    lists = _Lists()
    lists.feed(template)
    lists.close()
    if not lists.found or _SET_BY_SCRIPT.search(template) or any("{" in text for text in lists.found):
        return []
    listed = {one or two for text in lists.found for one, two in _TEXT.findall(text)}
    plain = {_without_number(name) for name in listed}
    missing = [name for name in classes if name not in listed | plain]
    unknown = sorted(name for name in listed if name not in classes and _without_number(name) not in classes)
    told = []
    if missing:
        told.append(
            f"the template has a list of its own without {_names(missing)}: reviewers cannot choose what is "
            "not in it. The pipeline's classes are `{{ task.input.labels | to_json | escape }}`"
        )
    if unknown:
        told.append(
            f"the template lists {_names(unknown)}, no class of the pipeline: such an answer is no label"
        )
    return told


def _without_number(name: str) -> str:
    match = _NUMBERED.fullmatch(name)
    return match[1] if match else name


def _names(names: Sequence[str]) -> str:
    more = len(names) - TOLD
    return ", ".join(repr(name) for name in names[:TOLD]) + (f" and {more} more" if more > 0 else "")


class _Lists(HTMLParser):
    """The ``labels`` and ``categories`` of all crowd elements, as they are written."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag.startswith("crowd-"):
            self.found += [value or "" for name, value in attrs if name in {"labels", "categories"}]
