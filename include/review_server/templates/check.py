"""The template bench: what is wrong with a worker template, before anybody is paid to work with it.

Takes a template's text and a sample of the input, gives findings with the template's own lines. It renders as
the server does and reads the HTML; it needs no browser, no S3 and no database.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from include.review_server.templates import elements
from include.review_server.templates.blocked import blocked
from include.review_server.templates.elements import ELEMENTS, Tag
from include.review_server.templates.findings import Finding, in_order, warning
from include.review_server.templates.host_names import host_of
from include.review_server.templates.marked import GRANTED, line_of, render_for_check
from include.review_server.templates.places import LIQUID, Place, outputs
from include.review_server.templates.values import parse_relaxed

MOST_CHARACTERS = 128_000  # of UiTemplate.Content, in the API's model

_NAME = re.compile(r"[\w.\[\]'\"-]+")
_CHOICES = {"crowd-checkbox", "crowd-radio-button", "crowd-toggle-button"}


def check(text: str, task_input: Any, hosts: Collection[str] = ()) -> list[Finding]:
    """Everything that is wrong with a template when it is rendered with that input, by line.

    ``hosts`` are those that an owner has allowed it.
    """
    if len(text) > MOST_CHARACTERS:
        return [Finding("too-long", f"{len(text):,} characters; CreateHumanTaskUi takes {MOST_CHARACTERS:,}")]
    findings = [] if text.strip() else [Finding("empty", "the template is empty")]
    absent: set[int] = set()
    rendered = render_for_check(text, task_input, absent)
    findings += [
        Finding("liquid", str(error.message).split("\n")[0], error.line)
        for error in rendered.errors
        if error.code != "UnsupportedElement"
    ]
    findings += _missing(text, absent)
    if rendered.content:
        found = list(elements.tags(rendered.content))
        findings += _escaping(text)
        findings += structure(found)
        findings += foreign_images(found, hosts)
        findings += not_done(found)
        findings += blocked(found, rendered.content, hosts)
        for tag in found:
            findings += _content(tag, scripted=_sets_lists(text))
    return in_order(findings)


def _missing(text: str, absent: Iterable[int]) -> Iterator[Finding]:
    line, counted = 1, 0
    for index in sorted(absent):
        line += text.count("\n", counted, index)
        counted = index
        name = _NAME.match(text, index)
        variable = name[0] if name else "a variable"
        yield warning("missing-input", f"{variable} is not in the input", line)


def _escaping(text: str) -> Iterator[Finding]:
    """Outputs that could become markup or program, judged by where in the HTML they stand."""
    line, counted = 1, 0
    for output, place in outputs(text):
        line += text.count("\n", counted, output.start)
        counted = output.start
        written = text[output.start : output.end]
        filters = [part.split(":")[0].strip(" -") for part in written[2:-2].split("|")[1:]]
        shown = " ".join(written.split())
        if "skip_autoescape" in filters:
            message = (
                f"{shown} is not escaped: text of the input could run as a program in the worker's browser"
            )
            yield warning("unescaped-output", message, line)
        elif place is Place.COMMENT:
            continue
        elif "to_json" in filters and place is Place.BARE:
            message = f"{shown}: the attribute has no quotes; put it in quotes"
            yield warning("unescaped-output", message, line)
        elif place is Place.SCRIPT and "to_json" not in filters:
            message = (
                f"{shown} in a script arrives with entities in place of quotes and brackets; write | to_json"
            )
            yield warning("unescaped-output", message, line)
        elif place is Place.SCRIPT and "escape" in filters:
            message = f"{shown} in a script: escape turns quotes into entities; write only | to_json"
            yield warning("unescaped-output", message, line)


def structure(found: list[Tag]) -> Iterator[Finding]:
    """What is wrong with the elements themselves, whatever the input."""
    for tag in elements.unsupported(found):
        message = f"<{tag.name}> is not an element of this server"
        if tag.has("name"):
            message += ": its answer would be missing, and the task cannot be submitted"
        yield Finding("unknown-element", message, line_of(tag))
    yield from _form(found)
    for tag in found:
        element = ELEMENTS.get(tag.name)
        named = tag.has("name") or tag.group or (element and element.own_name)
        if element and element.answers and not named:
            message = f"<{tag.name}> has no name: its answer would be lost"
            yield Finding("missing-name", message, line_of(tag))
    yield from _names(found)


def foreign_images(found: list[Tag], hosts: Collection[str]) -> Iterator[Finding]:
    """Elements whose image is at an address that a task's page does not load."""
    for tag in found:
        element, source = ELEMENTS.get(tag.name), tag.attributes.get("src", "").strip()
        if not element or not element.image or not source or LIQUID in source:
            continue
        if not source.startswith((GRANTED, "data:")) and host_of(source) not in hosts:
            message = (
                f"<{tag.name}>: src is not an S3 object passed through grant_read_access; a task's page "
                "shows no other image, unless an owner allows its host"
            )
            yield Finding("image-not-granted", message, line_of(tag))


def not_done(found: list[Tag]) -> Iterator[Finding]:
    """What an element is asked for that it does not do here."""
    for tag in found:
        if tag.name != "crowd-textract-analyze-document":
            continue
        try:
            types = parse_relaxed(tag.attributes.get("block-types") or "[]")
        except ValueError:
            types = []  # said elsewhere, or the input gives it
        names = [str(name) for name in types] if isinstance(types, list) else []
        others = [name for name in names if name != "KEY_VALUE_SET" and LIQUID not in name]
        if others:
            message = (
                f"block-types of <{tag.name}>: only KEY_VALUE_SET can be corrected, not {', '.join(others)}"
            )
            yield warning("not-done", message, line_of(tag))
        if "no-geometry-edit" not in tag.attributes:
            message = f"<{tag.name}>: places cannot be edited here; write no-geometry-edit to say so"
            yield warning("not-done", message, line_of(tag))


def _form(found: list[Tag]) -> Iterator[Finding]:
    forms = [tag for tag in found if tag.name == "crowd-form"]
    if not forms and not any(tag.name in ELEMENTS and ELEMENTS[tag.name].alone for tag in found):
        yield Finding("no-submit", "there is no <crowd-form>: nothing can be submitted")
    for tag in found:
        element = ELEMENTS.get(tag.name)
        if forms and element and element.answers and not element.alone and not tag.in_form:
            message = f"<{tag.name}> is outside <crowd-form>: its answer would be lost"
            yield Finding("outside-form", message, line_of(tag))
        if tag.name == "crowd-form" and tag.in_form:
            yield warning("nested-form", "<crowd-form> inside another", line_of(tag))
    if len(forms) > 1:
        yield warning("several-forms", "more than one <crowd-form>: only one is submitted", line_of(forms[1]))


def _content(tag: Tag, *, scripted: bool) -> Iterator[Finding]:
    """What an element is given."""
    element = ELEMENTS.get(tag.name)
    if element is None:
        return
    line = line_of(tag)
    for attribute in element.lists:
        # A script may fill the list later.
        if not scripted or tag.attributes.get(attribute, "").strip(" []"):
            yield from _list(tag, attribute, element)
    for attribute in element.structures:
        yield from _initial(tag, attribute)
    if element.text and not tag.has("text"):
        yield Finding("missing-text", f"<{tag.name}> has no text", line)
    if element.image and not tag.attributes.get("src", "").strip():
        yield Finding("missing-image", f"<{tag.name}> has no src", line)


def _list(tag: Tag, attribute: str, element: elements.Element) -> Iterator[Finding]:
    line = line_of(tag)
    code = f"bad-{attribute}"
    if not tag.has(attribute):
        yield Finding(code, f"<{tag.name}> has no {attribute}", line)
        return
    try:
        value = parse_relaxed(tag.attributes[attribute])
    except ValueError as error:
        yield Finding(code, f"{attribute} of <{tag.name}>: {error}", line)
        return
    if not isinstance(value, list) or not value:
        yield Finding(code, f"{attribute} of <{tag.name}> must be a list with at least one text", line)
        return
    # Some elements take objects that say more than the name.
    member = "label" if element.text else "name"
    value = [item.get(member) if isinstance(item, dict) else item for item in value]
    if not all(isinstance(item, str) and item.strip() for item in value):
        yield Finding(code, f"{attribute} of <{tag.name}> must be texts that are not empty", line)
        return
    twice = [text for text, count in Counter(value).items() if count > 1]
    if twice:
        yield Finding(code, f"{attribute} of <{tag.name}> has {twice[0]!r} more than once", line)
    if element.at_most and len(value) > element.at_most:
        message = f"{attribute} of <{tag.name}>: {len(value)}, and {element.at_most} are allowed"
        yield Finding(code, message, line)


def _initial(tag: Tag, attribute: str) -> Iterator[Finding]:
    if not tag.has(attribute):
        return
    try:
        value = parse_relaxed(tag.attributes[attribute])
    except ValueError as error:
        yield Finding("bad-value", f"{attribute} of <{tag.name}>: {error}", line_of(tag))
        return
    if attribute == "initial-value" and value is not None and not isinstance(value, (list, dict)):
        yield Finding("bad-value", f"{attribute} of <{tag.name}> must be a list of shapes", line_of(tag))


def _names(found: list[Tag]) -> Iterator[Finding]:
    seen: set[str] = set()
    for tag in found:
        element = ELEMENTS.get(tag.name)
        name = tag.attributes.get("name", "")
        if not element or not element.answers or not name or tag.name in _CHOICES:
            continue
        if name in seen:
            message = f"the name {name!r} is used twice: one answer would replace the other"
            yield warning("duplicate-name", message, line_of(tag))
        seen.add(name)


def _sets_lists(text: str) -> bool:
    """Whether a script of the template sets labels or categories."""
    return bool(re.search(r"\.(labels|categories)\s*(=(?!=)|\.push\b)", text))
