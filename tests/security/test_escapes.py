"""No text of a task's input becomes markup or program, wherever a template writes it: also where a reader of
HTML or JavaScript that is no browser would take the place for another one.
"""

from __future__ import annotations

from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.review_server.templates.liquid import Templates

templates = Templates(lambda location: f"https://signed/{location.bucket}/{location.key}")
# Runs in code; elsewhere it is text. No escape of a script or a style has it in one piece.
_CODE = "alert(1)"


def _render(template: str, **task_input: object) -> str:
    rendered = templates.render(template, task_input)
    assert not rendered.errors, rendered.errors
    return rendered.content


@pytest.mark.parametrize(
    "template",
    [
        "{% capture c %}{{ task.input.x }}{% endcapture %}<script>a = {{ c }}</script>",
        "{% capture c %}{% if true %}{% echo task.input.x %}{% endif %}{% endcapture %}<b onclick='{{ c }}'>",
        "<script type=text/jscript>a = {{ task.input.x }}</script>",
        "<script type=text/livescript>a = {{ task.input.x }}</script>",
        "<script>a = {% liquid echo task.input.x %}</script>",
        "{% raw %}{{{% endraw %}<script>a = {{ task.input.x }}</script>",
        "<script>{% comment %}</script>{% endcomment %}a = {{ task.input.x }}</script>",
        "{%- comment -%}<!--{%- endcomment -%}<script>a = {{ task.input.x }}</script>",
        "<script><!--\na = '<script></script>'; b = {{ task.input.x }}</script>",
        "<!-- --!><script>a = {{ task.input.x }}</script> -->",
        "<script>if (a) /'/.test(b); c = {{ task.input.x }}</script>",
        "<script>if (a) /'/.test(b); c = {{ task.input.x | escape }}</script>",
        "<iframe srcdoc='<script>a = {{ task.input.x }}</script>'></iframe>",
        "<a href='javascript:f({{ task.input.x }})'>a</a>",
        "<a href=' java&#10;script&colon;{{ task.input.x }}'>a</a>",
        "<a href='{% if task.input.x %}javascript:f({{ task.input.x }}){% endif %}'>a</a>",
        "{% capture c %}f(){% endcapture %}<script>{{ c | append: task.input.x }}</script>",
        "{% capture c %}f(){% endcapture %}<script>{{ c | prepend: task.input.x }}</script>",
        "<script>{% capture c %}f(){% endcapture %}{{ c | replace: 'f', task.input.x }}</script>",
        "<script>{% capture c %}f(){% endcapture %}{{ c | replace_last: 'f', task.input.x }}</script>",
        "{% capture c %}f(){% endcapture %}<b onclick='{{ c | truncate: 2, task.input.x }}'>",
        "{% capture c %},{% endcapture %}<script>{{ task.input.x | split: 'q' | join: c }}</script>",
        "{% capture c %}f(){% endcapture %}{% assign d = task.input.x | escape %}"
        "<script>{{ c | append: d }}</script>",
    ],
)
def test_no_text_is_a_program(template: str):
    assert _CODE not in _render(template, x=_CODE)


@pytest.mark.parametrize(
    ("template", "x"),
    [
        ("<a href='{% if task.input.z %}#{% else %}{{ task.input.x }}{% endif %}'>", "javascript:alert"),
        ("<a href='{% if task.input.z %}https://a/{% endif %}{{ task.input.x }}'>", "javascript:alert"),
        ("<a href='{{ task.input.x }}:alert'>", "javascript"),
        ("<a href='{{ task.input.x }}&colon;alert'>", "java\tscript"),
        ("<iframe srcdoc='<a href=&quot;{{ task.input.x }}&quot;>'>", "javascript:alert"),
    ],
)
def test_no_text_makes_an_address_that_runs(template: str, x: str):
    reader = _Names()
    reader.feed(_render(template, x=x))
    (address,) = reader.values
    if template.startswith("<iframe"):
        inner = _Names()
        inner.feed(address)
        (address,) = inner.values
    assert not "".join(address.split()).startswith("javascript:")


@pytest.mark.parametrize(
    "page",
    [
        "<b onclick=&quot;f('QQ')&quot;>",
        "<a href=&quot;javascript:f('QQ')&quot;>",
        "<svg><script>a = 'QQ'</script></svg>",
        "<iframe srcdoc=&quot;<b onclick=f('QQ')>&quot;>",
    ],
)
def test_no_text_leaves_a_script_of_a_page_in_an_attribute(page: str):
    outer = '<iframe srcdoc="' + page.replace("QQ", "{{ task.input.x }}") + '">'
    text = _render(outer, x=f"');{_CODE}//%27&#39;&amp;#39;")
    while text != unescape(text):
        text = unescape(text)
    assert text.count("'") == 2
    assert _CODE not in text


@pytest.mark.parametrize("name", ["onclick", "ONCLICK", "href", "srcdoc", "formaction"])
@pytest.mark.parametrize("written", ["{{ task.input.x }}", "{{ task.input.a }}{{ task.input.b }}"])
def test_no_text_is_the_name_of_an_attribute_that_runs(name: str, written: str):
    for at in range(1, len(name)):
        reader = _Names()
        reader.feed(_render(f"<a {written}='alert(1)'>", x=name, a=name[:at], b=name[at:]))
        assert name.lower() not in reader.names
    assert _render(f"<a {written}='1'>", x="title", a="ti", b="tle") == "<a title='1'>"


@pytest.mark.parametrize("quote", ["'", '"', "`"])
def test_no_text_leaves_a_text_of_a_script_in_svg_or_in_an_address(quote: str):
    hostile = f"{quote}{quote};{_CODE}//%27%22%60 &#39;&#34;"
    for filters in ("", " | escape", " | to_json"):
        value = f"{quote}{{{{ task.input.x{filters} }}}}{quote}"
        script = _render(f"<svg><script>a = {value}</script></svg>", x=hostile)
        assert "&" not in script
        assert script.count(quote) == 2
        around = '"' if quote == "'" else "'"
        address = _render(f"<a href={around}javascript:f({value}){around}>", x=hostile)
        assert "%" not in address


@pytest.mark.parametrize("before", ["<", "</", "< ", "<{{ task.input.none }}", "<{% if true %} {% endif %}"])
def test_a_text_behind_an_angle_bracket_is_no_tag(before: str):
    for output in ("{{ task.input.x }}", "{{- task.input.x }}"):
        page = _render(f"<p>less {before}{output}</p>", x="img src=x onerror=alert(1) ")
        assert not {"<img", "</img"} & {page[i : i + length] for length in (4, 5) for i in range(len(page))}


@given(st.text(st.sampled_from("a=' \"\t\n\f/>`\\()onfocus")))
def test_no_text_leaves_a_handler_without_quotes(text: str):
    for handler in ("f('{{ task.input.x }}')", "f({{ task.input.x }})", "{{ task.input.x | escape }}"):
        reader = _Names()
        reader.feed(_render(f"<b onclick={handler}>", x=text))
        assert reader.names == ["onclick"]


def test_what_a_capture_holds_is_data_or_program_as_its_author_wrote_it():
    data = "{% capture c %}{% for i in task.input.x %}{'name': '{{ i }}'},{% endfor %}{% endcapture %}"
    assert (
        _render(data + "<script>[{{ c }}]</script>", x=["a", "b"])
        == "<script>[{'name': 'a'},{'name': 'b'},]</script>"
    )
    program = "<script>{% capture c %}f({{ task.input.x }}){% endcapture %}{{ c }}</script>"
    assert _render(program, x="a") == '<script>f("a")</script>'
    assert _render("{% capture c %}f(1){% endcapture %}<script>{{ c }}</script>") == "<script>f(1)</script>"
    both = "{% capture c %}f(1){% endcapture %}{% capture d %};g(){% endcapture %}"
    assert _render(both + "<script>{{ c | append: d }}</script>") == "<script>f(1);g()</script>"
    assert _render(both + "<script>{{ d | prepend: ';' | strip }}</script>") == "<script>;;g()</script>"


class _Names(HTMLParser):
    """The names of the attributes of all tags."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.names: list[str] = []
        self.values: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names += [name for name, _ in attrs]
        self.values += [value or "" for _, value in attrs]
