"""Worker task templates: Liquid as AWS speaks it, rendered with a task's input.

Takes a template's text and the parsed input, gives HTML and a list of errors. Everything is escaped for its
place on its way out (``escaping``) but for ``skip_autoescape``. It knows S3 only through the
function that signs a location. ``frame_document`` makes the HTML a page that runs with our components.
"""

from __future__ import annotations

import html as markup
import re
from collections.abc import Callable, Collection, ItemsView, Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any, TextIO

from liquid import Environment, RenderContext, Undefined
from liquid.ast import Node
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.capture_tag import CaptureNode, CaptureTag
from liquid.builtin.tags.cycle_tag import CycleNode, CycleTag
from liquid.builtin.tags.echo_tag import EchoNode, EchoTag
from liquid.exceptions import FilterArgumentError, LiquidError
from liquid.stringify import to_liquid_string
from markupsafe import Markup, escape

from include.review_server.s3_location import S3Location
from include.review_server.templates import elements
from include.review_server.templates.escaping import (
    Address,
    Captured,
    CapturedText,
    Raw,
    escaped,
    is_structure,
    json_text,
)
from include.review_server.templates.html_tokens import Kind, Token, tokens
from include.review_server.templates.places import Place, Places, never_closed

_CONFINE = (Path(__file__).parents[1] / "components" / "confine.js").read_text("utf-8")
# Where templates load Amazon's elements from; whatever the host, the file's name tells it.
_AMAZON_FILE = "crowd-html-elements"
_AMAZON_FILES = {"script": "src", "link": "href"}
# Liquid's lexer looks at the rest of the template for each; a few may stand in a raw block.
_MOST_OPEN = 100


@dataclass(frozen=True)
class RenderingError:
    """One thing that is wrong with a template, in the API's form."""

    code: str
    message: str
    line: int | None = None  # of the template, from 1, where Liquid knows it


@dataclass(frozen=True)
class Rendered:
    """HTML for the worker's browser, and what is wrong with it.

    ``content`` is empty when the template could not be rendered at all. With elements that are not supported
    it is there: the page works but for them, and shows their names.
    """

    content: str
    errors: tuple[RenderingError, ...] = ()
    presigned: tuple[str, ...] = ()  # addresses in a page for the frame that came signed (``documents``)


def frame_document(rendered: str, components_url: str) -> str:
    """A complete page from a rendered template: Amazon's script is replaced by ours, its styles go.

    ``components_url`` is the folder of the components, without a slash at the end
    (``component_files.components_url``). A template that loads no script gets ours as well.
    """
    source = markup.escape(f"{components_url}/crowd.js")
    script = f'<script type="module" crossorigin="anonymous" src="{source}"></script>'
    body = _without_amazons_files(rendered)
    # First in the page: a module waits for the document anyway, and the browser fetches it sooner.
    doctype = re.match(r"\s*<!doctype[^>]*>", body, re.IGNORECASE)
    rest = body[doctype.end() :] if doctype else body
    language = "" if re.search(r"<html\b", rest, re.IGNORECASE) else '<html lang="en">'
    return (
        f'<!doctype html>{language}<meta charset="utf-8"><script>{_CONFINE}</script>{script}<meta '
        f'name="viewport" content="width=device-width, initial-scale=1"><title>Task</title>{rest}'
    )


def _without_amazons_files(html: str) -> str:
    """Without Amazon's script and styles: the components bring their own."""
    parts: list[str] = []
    position = 0
    opened: Token | None = None
    for token in tokens(html):
        if opened and token.kind is Kind.END:
            parts.append(html[position : opened.start])
            position = token.end
        opened = None
        if token.kind is not Kind.START or token.name not in _AMAZON_FILES:
            continue
        if _AMAZON_FILE in token.attributes(html).get(_AMAZON_FILES[token.name], "").lower():
            if token.name == "script":
                opened = token
            else:
                parts.append(html[position : token.start])
                position = token.end
    return "".join([*parts, html[position:]])


class Templates:
    """Renders templates. ``sign`` turns an S3 location into a short-lived URL.

    ``missing`` is told of each variable that was written out and is not in the input: where its name begins
    in the template. Without it such a variable is empty text, as in any Liquid.
    """

    def __init__(
        self, sign: Callable[[S3Location], str], missing: Callable[[int], None] | None = None
    ) -> None:
        self._sign = sign
        undefined = _reporting(missing) if missing else Undefined
        self._environment = _BoundedEnvironment(autoescape=True, undefined=undefined)
        self._environment.add_tag(_Output)
        self._environment.add_tag(_Echo)
        self._environment.add_tag(_Capture)
        self._environment.add_tag(_Cycle)
        self._environment.add_filter("to_json", json_text)
        self._environment.add_filter("escape", _escape)
        self._environment.add_filter("skip_autoescape", _skip_autoescape)
        self._environment.add_filter("grant_read_access", self._grant_read_access)

    def render(self, content: str, task_input: Any) -> Rendered:
        """The template with ``task.input`` filled in. Never raises for what a template's author wrote."""
        open_ended = never_closed(content)
        if len(open_ended) > _MOST_OPEN:
            return Rendered("", (_never_closed(content, open_ended[0]),))
        try:
            html = self._environment.from_string(content).render(task={"input": task_input})
        except LiquidError as error:
            context = error.context()
            line = context[0] if context else None
            return Rendered("", (RenderingError(type(error).__name__, str(error), line),))
        except RecursionError:
            return Rendered("", (RenderingError("TooDeep", "template or input is nested too deeply"),))
        except MemoryError:
            raise  # not this template's line: whoever gave the memory says how much it was
        except Exception as error:
            # What Liquid's filters let through: numbers too large for text, odd arguments, codecs.
            return Rendered("", (RenderingError(type(error).__name__, f"a filter failed: {error}"),))
        unknown = elements.unsupported(elements.tags(html))
        return Rendered(
            html,
            tuple(
                RenderingError("UnsupportedElement", f"<{tag.name}> (line {tag.line}) is not supported")
                for tag in unknown
            ),
        )

    def filters(self, content: str) -> dict[str, int]:
        """The filters that a template uses, and in which line first. Raises ``LiquidError``."""
        if len(open_ended := never_closed(content)) > _MOST_OPEN:
            raise LiquidError(_never_closed(content, open_ended[0]).message, token=None)
        used = self._environment.from_string(content).analyze(include_partials=False).filters
        return {name: content.count("\n", 0, spans[0].index) + 1 for name, spans in used.items()}

    @property
    def known_filters(self) -> Collection[str]:
        return self._environment.filters.keys()

    def _grant_read_access(self, value: object) -> str:
        try:
            return Address(self._sign(S3Location.of_object(str(value))))
        except ValueError as error:
            raise FilterArgumentError(f"grant_read_access: {error}", token=None) from None


def _never_closed(content: str, index: int) -> RenderingError:
    line = content.count("\n", 0, index) + 1
    return RenderingError("NeverClosed", f"{content[index : index + 2]} is never closed", line)


class _BoundedEnvironment(Environment):
    # What a template may take is bounded by the process it runs in (render_worker). These limits are met
    # sooner and say in which line.
    context_depth_limit = 30
    loop_iteration_limit = 200_000
    output_stream_limit = 16 * 1024 * 1024


def _reporting(missing: Callable[[int], None]) -> type[Undefined]:
    class Reporting(Undefined):
        def __str__(self) -> str:
            self._report()
            return ""

        def __iter__(self) -> Iterator[Any]:
            self._report()
            return iter(())

        def items(self) -> ItemsView[Any, object]:
            self._report()  # a loop over what is not there
            return super().items()

        def _report(self) -> None:
            if self.token is not None:
                missing(self.token.start_index)

    return Reporting


class _OutputNode(OutputNode):
    """An output that is escaped for where it stands."""

    __slots__ = ()

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return buffer.write(_written(self, self.expression.evaluate(context)))


class _Output(Output):
    node_class = _OutputNode


class _EchoNode(_OutputNode, EchoNode):
    pass


class _Echo(EchoTag):
    node_class = _EchoNode


class _CycleNode(CycleNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        group = str(self.group.evaluate(context)) if self.group else ""
        values = [argument.evaluate(context) for argument in self.args]
        index = context.cycle(group or str(values), len(values))
        return buffer.write(_written(self, values[index])) if index < len(values) else 0


class _Cycle(CycleTag):
    node_class = _CycleNode


class _CaptureNode(CaptureNode):
    def _assign(self, context: RenderContext, buf: StringIO) -> None:
        places = _places_of(self.token.source)
        is_text = places.at(self.token.start_index) is not Place.SCRIPT and _writes(self.block, context)
        context.assign(self.name, (CapturedText if is_text else Captured)(buf.getvalue()))


def _writes(node: Node, context: RenderContext) -> bool:
    """Whether anything in a block is an output."""
    if isinstance(node, OutputNode | CycleNode):
        return True
    return any(_writes(child, context) for child in node.children(context))


class _Capture(CaptureTag):
    node_class = _CaptureNode


def _written(node: Node, value: object) -> str:
    """A value as a node of the template writes it."""
    return escaped(value, _places_of(node.token.source).spot(node.token.start_index))


# Of the template that is being rendered: each of its outputs asks.
_places_of = lru_cache(maxsize=1)(Places)


def _skip_autoescape(value: object) -> Raw:
    return Raw(_text(value))  # what the template's author asked for


def _escape(value: object) -> Markup:
    return escape(_text(value))


def _text(value: object) -> str:
    return json_text(value, compact=True) if is_structure(value) else str(to_liquid_string(value, False))
