"""What a template writes out, by its place: the value arrives whole, and nothing of it becomes a program."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.review_server.templates.liquid import Templates
from include.review_server.templates.places import Places
from include.review_server.templates.script_places import Script, ScriptPlaces

templates = Templates(lambda location: f"https://signed/{location.bucket}/{location.key}?a=1&b=2")
SIGNED = "https://signed/photos/x.jpg?a=1&b=2"
VALUES = {
    "list": ["a \"b\" 'c'", "<d>"],
    "object": {"label": "dog's", "left": 1},
    "text": 'it\'s \\ <b>\n"x"',
    "image": "s3://photos/x.jpg",
    "bad": "java\nscript:alert(1)",
    "site": "https://survey.example.org/1?a=b&c",
    "number": 5,
    "words": "4.5",
    "key": "left",
}
LIST, OBJECT = '["a \\"b\\" \\u0027c\\u0027","\\u003cd\\u003e"]', '{"label":"dog\\u0027s","left":1}'


def _render(content: str, task_input: Any = VALUES) -> str:
    rendered = templates.render(content, task_input)
    assert not rendered.errors
    return rendered.content


def _attribute(content: str, task_input: Any = VALUES) -> str | None:
    """The value that a browser gives the attribute ``x`` of the only tag; it has that and ``end``."""
    reader = _Tags(convert_charrefs=True)
    reader.feed(_render(content, task_input))
    (attributes,) = reader.found
    assert [name for name, _ in attributes] == ["x", "end"]
    return attributes[0][1]


class _Tags(HTMLParser):
    """The attributes of every tag."""

    def __init__(self, **options: bool) -> None:
        super().__init__(**options)
        self.found: list[list[tuple[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(attrs)


@pytest.mark.parametrize("quote", ['"', "'", ""])
@pytest.mark.parametrize("filters", ["", " | escape", " | to_json", " | to_json | escape"])
@pytest.mark.parametrize("name", ["list", "object"])
def test_structure_arrives_whole_in_an_attribute_however_it_is_written(name, filters, quote):
    value = _attribute(f"<i x={quote}{{{{ task.input.{name}{filters} }}}}{quote} end>")
    assert json.loads(value or "") == VALUES[name]
    if "to_json" not in filters:
        assert value == {"list": LIST, "object": OBJECT}[name]


def test_structure_without_a_filter_is_compact_json_everywhere():
    assert html.unescape(_render("<p>{{ task.input.list }}</p>")) == f"<p>{LIST}</p>"
    assert _render("<script>a = {{ task.input.object }};</script>") == f"<script>a = {OBJECT};</script>"
    assert "<!--" + html.unescape(_render("<!--{{ task.input.object }}-->")[4:-3]) == "<!--" + OBJECT
    assert _render("{{ task.input.list | skip_autoescape }}") == LIST
    assert "{" not in _render("<style>a { b: {{ task.input.object }} }</style>")[10:-10]


@given(st.text(st.characters(exclude_categories=("Cc", "Cs")) | st.sampled_from("\n\t")))
def test_no_text_ends_an_attribute(text: str):
    for quote in ('"', "'", ""):
        for filters in ("", " | escape", " | append: ''"):
            value = _attribute(f"<i x={quote}{{{{ task.input{filters} }}}}{quote} end>", text or "x")
            assert html.unescape(value or "") == html.unescape(text or "x")


@given(st.text())
def test_a_text_in_code_is_a_text_of_letters_and_escapes(text: str):
    for filters in ("", " | append: ''", " | escape"):
        written = _render(f"<script>const a = {{{{ task.input{filters} }}}};</script>", text)[18:-10]
        if not re.fullmatch(r"[\d.-]*|true|false|null|[\s,;\[\]{}]*", written):
            assert (
                re.fullmatch(r'"([A-Za-z0-9_ -]|\\u[0-9a-f]{4})*"', written)
                or json.loads(written) is not None
            )
        if not filters and written.startswith('"'):
            assert json.loads(written) == text


@given(st.text())
def test_no_text_ends_a_text_of_a_script(text: str):
    for quote in "'\"`":
        for filters in ("", " | to_json", " | escape"):
            script = f"<script>const a = {quote}{{{{ task.input{filters} }}}}{quote};</script>"
            written = _render(script, text)[19:-11]
            assert not re.search(r"['\"`<\n\r\u2028\u2029$]|\\(?!u)", written)
            if filters == " | to_json":
                assert json.loads(json.loads(f'"{written}"')) == text


@pytest.mark.parametrize(
    ("template", "written"),
    [
        ("<script>{{ task.input.number }} {{ task.input.words }}</script>", "<script>5 4.5</script>"),
        ("<script>box.{{ task.input.key }}</script>", "<script>box.left</script>"),
        ("<script>a = {{ task.input.key }}</script>", '<script>a = "left"</script>'),
        ("<script>a = {{ task.input.none | default: '[]' }}</script>", "<script>a = []</script>"),
        (
            "<script>a = '{{ task.input.image | grant_read_access }}'</script>",
            "<script>a = 'https:\\u002f\\u002fsigned\\u002fphotos\\u002fx.jpg?a=1&b=2'</script>",
        ),
        (
            "{% capture a %}[1, '{{ task.input.key }}']{% endcapture %}<script>{{ a }}</script>",
            "<script>[1, 'left']</script>",
        ),
        (
            "<style>a { background: url({{ task.input.image | grant_read_access }}) }</style>",
            f"<style>a {{ background: url({SIGNED}) }}</style>",
        ),
        ("<script>a = {% cycle task.input.key, 'b' %}</script>", '<script>a = "left"</script>'),
        ("<i x={% cycle task.input.words, 'b' %}>", "<i x=4.5>"),
        ("<script type='text/html'>{{ task.input.key }}</script>", "<script type='text/html'>left</script>"),
    ],
)
def test_what_templates_write_in_scripts_and_styles_works(template: str, written: str):
    assert _render(template) == written


@pytest.mark.parametrize("written", ["{{ task.input.bad }}", " {{ '' }}{{ task.input.bad | escape }}"])
def test_an_address_of_the_input_runs_nothing(written: str):
    for name in ("href", "src", "formaction"):
        link = _render(f'<a {name}="{written}">x</a>')
        assert "script:" not in html.unescape(link)
    assert html.unescape(_render('<a href="{{ task.input.site }}">')) == f'<a href="{VALUES["site"]}">'


def test_scripts_in_attributes_and_pages_in_attributes_are_escaped_for_both():
    handler = html.unescape(_render("<b onclick=\"f('{{ task.input.text }}', {{ task.input.list }})\">"))
    assert handler == "<b onclick=\"f('it\\u0027s \\u005c \\u003cb>\\u000a\\u0022x\\u0022', " + LIST + ')">'
    page = html.unescape(_render('<iframe srcdoc="<p>{{ task.input.text | escape }}</p>"></iframe>'))
    assert "<b>" not in page.replace("</iframe>", "")


def test_an_output_among_a_tags_names_makes_no_second_attribute():
    assert _render("<i {{ task.input }}>", "onclick=alert(1) a") == "<i data-onclick&#61;alert(1)&#32;a>"


@pytest.mark.parametrize(
    ("script", "place"),
    [
        ("a = @", Script.CODE),
        ("a = 'x' + @", Script.CODE),
        ("a = 'it\\'s @'", Script.TEXT),
        ('a = "@', Script.TEXT),
        ("// it's\n@", Script.CODE),
        ("// @", Script.COMMENT),
        ("<!-- it's\n'@", Script.TEXT),
        ("/* ' */ @", Script.CODE),
        ("/* ' @", Script.COMMENT),
        ("a = b / c; d = '@'", Script.TEXT),
        ("a = /['\"]/; @", Script.CODE),
        ("return /'/.test(@", Script.CODE),
        ("a = /x@", Script.TEXT),
        ("`a ${ {b: 1}.b + '`' + @", Script.CODE),
        ("`a ${ b } @", Script.TEXT),
        ("`a ${ `b ${ c } d` } ` + @", Script.CODE),
    ],
)
def test_a_script_is_read_as_a_browser_reads_it(script: str, place: Script):
    assert ScriptPlaces(script, 0, len(script)).at(script.index("@")) is place


def test_a_long_template_is_read_in_time_that_grows_with_its_length():
    for piece in ("'\\", "`${", "/[", "<a b={{ x }}", "<script>/*", '<a href="{{ x }}{{ x }}"'):
        text = piece * (128_000 // len(piece))
        places = Places(text)
        for span in places.spans[:: max(1, len(places.spans) // 1000)]:
            places.spot(span.start)
