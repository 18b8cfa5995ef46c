"""A template rendered for its author: without S3, and every tag marked with its line of the template.

Takes a template's text and a sample of the input; ``check`` and ``initial_answer`` read what it gives.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Any

from include.review_server.templates.elements import Tag
from include.review_server.templates.liquid import Rendered, Templates
from include.review_server.templates.places import liquid_spans

# Stands for a signed URL: nothing is fetched while checking.
GRANTED = "https://granted.invalid/"

_LINE = "data-template-line"
_TAG = re.compile(r"<[a-zA-Z][\w-]*(?=[\s/>])")


def render_for_check(text: str, task_input: Any, absent: set[int] | None = None) -> Rendered:
    """The template rendered without S3, every tag marked with its line of the template.

    ``absent`` gets the index in the text of each variable that was written out and is not in the input.
    """
    tagged, marks = _marked(text)
    missing: set[int] = set()
    templates = Templates(lambda location: f"{GRANTED}{location.bucket}/{location.key}", missing.add)
    rendered = templates.render(tagged, task_input)
    if absent is not None:
        absent.update(index - marks.before(index) for index in missing)
    return rendered


def line_of(tag: Tag) -> int | None:
    """The template's line of a tag that ``render_for_check`` marked."""
    line = tag.attributes.get(_LINE, "")
    return int(line) if line.isdecimal() and len(line) < 10 else None


class _Marks:
    """Where marks were put in (by index in the marked text), and how long they are together."""

    def __init__(self) -> None:
        self._at: list[int] = []
        self.lengths = [0]

    def add(self, at: int, length: int) -> None:
        self._at.append(at)
        self.lengths.append(self.lengths[-1] + length)

    def before(self, index: int) -> int:
        """The number of characters that marks before that index take."""
        return self.lengths[bisect_left(self._at, index)]


def marked(text: str) -> str:
    """The template with every tag marked, for whoever does not render it."""
    return _marked(text)[0]


def _marked(text: str) -> tuple[str, _Marks]:
    """Each tag with its line in an attribute."""
    parts: list[str] = []
    marks = _Marks()
    spans = iter(liquid_spans(text))
    span = next(spans, None)
    position, line = 0, 1
    for match in _TAG.finditer(text):
        while span and span.end <= match.start():
            span = next(spans, None)
        if span and span.start <= match.start():
            continue  # a comparison
        line += text.count("\n", position, match.end())
        mark = f' {_LINE}="{line}"'
        parts += [text[position : match.end()], mark]
        marks.add(match.end() + marks.lengths[-1], len(mark))
        position = match.end()
    return "".join([*parts, text[position:]]), marks
