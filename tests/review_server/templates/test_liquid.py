"""Worker templates: Liquid with AWS's filters, by the operation and by the renderer."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.review_server.s3_location import S3Location
from include.review_server.templates.liquid import Templates
from tests.review_server.rig import Rig, refused
from tests.support.cloud import ROLE

templates = Templates(lambda location: f"https://signed/{location.bucket}/{location.key}?a=1&b=2")


def _render(content: str, task_input: Any = None) -> str:
    rendered = templates.render(content, task_input)
    assert not rendered.errors
    return rendered.content


@pytest.mark.parametrize(
    ("template", "html_text"),
    [
        ("{{ task.input.text }}", "&lt;b&gt; &amp; &#39;x&#39;"),
        ("{{ task.input.text | escape }}", "&lt;b&gt; &amp; &#39;x&#39;"),
        ("{{ task.input.text | escape | escape_once }}", "&lt;b&gt; &amp; &#39;x&#39;"),
        ("{{ task.input.text | skip_autoescape }}", "<b> & 'x'"),
        ("<i x='{{ task.input.labels | to_json }}'>", "<i x='[&#34;a&#34;, &#34;b\\u0027&#34;]'>"),
        ("{{ task.input.labels | to_json | escape }}", "[&#34;a&#34;, &#34;b\\u0027&#34;]"),
        ("{{ task.input.box-metadata | to_json | skip_autoescape }}", '{"x": 1}'),
        (
            "{% assign j = task.input.labels | to_json %}<script>{{ j }}{% echo j %}</script>{{ j }}",
            '<script>["a", "b\\u0027"]["a", "b\\u0027"]</script>[&#34;a&#34;, &#34;b\\u0027&#34;]',
        ),
        ("{{ task.input.image | grant_read_access }}", "https://signed/photos/a b.jpg?a=1&amp;b=2"),
        ("{{ task.input.missing.deeper }}", ""),
        ("{% for pair in task.input.box %}{{ pair[0] }}={{ pair[1] }};{% endfor %}", "left=1;top=2;"),
        ("{% capture x %}{{ task.input.text }}{% endcapture %}{{ x }}", "&lt;b&gt; &amp; &#39;x&#39;"),
        ("{% if task.input.box.left == 1 %}yes{% else %}no{% endif %}", "yes"),
    ],
)
def test_filters_do_what_aws_documents(template: str, html_text: str):
    task_input = {
        "text": "<b> & 'x'",
        "labels": ["a", "b'"],
        "image": "s3://photos/a b.jpg",
        "box": {"left": 1, "top": 2},
        "box-metadata": {"x": 1},
    }
    assert _render(template, task_input) == html_text


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda x: st.lists(x) | st.dictionaries(st.text(), x),
)


@given(_json)
def test_json_in_a_script_or_attribute_is_the_value_and_ends_neither(value: Any):
    text = _render("<script>{{ task.input | to_json }}</script>", value)[8:-9]
    assert json.loads(text) == value
    assert not set("<>&'") & set(text)
    attribute = _render("{{ task.input | to_json }}", value)
    assert '"' not in attribute
    assert json.loads(html.unescape(attribute)) == value
    assert _render("{{ task.input | to_json | escape }}", value) == attribute


@pytest.mark.parametrize(
    "content",
    [
        "{{ task.input | no_such_filter }}",
        "{% if %}",
        "{{ task.input",
        "{% include 'secret' %}",
        "{{ 'https://example.com/x.jpg' | grant_read_access }}",
        "{% for i in (1..100000000) %}x{% endfor %}",
    ],
)
def test_a_broken_template_is_told_and_never_raises(content: str):
    rendered = templates.render(content, {})
    assert rendered.content == ""
    assert rendered.errors[0].code
    assert rendered.errors[0].message


def test_render_ui_template_gives_html_or_errors(rig: Rig):
    render = rig.sagemaker.render_ui_template
    reply = render(
        UiTemplate={"Content": "<p>{{ task.input.x }}</p>"}, Task={"Input": '{"x": "<y>"}'}, RoleArn=ROLE
    )
    assert reply["RenderedContent"] == "<p>&lt;y&gt;</p>"
    assert reply["Errors"] == []
    reply = render(UiTemplate={"Content": "{{ x | nope }}"}, Task={"Input": "{}"}, RoleArn=ROLE)
    assert reply["RenderedContent"] == ""
    assert "nope" in reply["Errors"][0]["Message"]
    arn = rig.sagemaker.create_human_task_ui(HumanTaskUiName="rendered", UiTemplate={"Content": "<i/>"})[
        "HumanTaskUiArn"
    ]
    assert render(HumanTaskUiArn=arn, Task={"Input": "{}"}, RoleArn=ROLE)["RenderedContent"] == "<i/>"
    largest = {"Input": '"' + "x" * 127_998 + '"'}
    assert render(HumanTaskUiArn=arn, Task=largest, RoleArn=ROLE)["Errors"] == []
    unknown = arn.replace("rendered", "unknown")
    code, _, _ = refused(render, HumanTaskUiArn=unknown, Task={"Input": "{}"}, RoleArn=ROLE)
    assert code == "ResourceNotFound"


@pytest.mark.parametrize(
    "changes",
    [
        {"UiTemplate": None},
        {"HumanTaskUiArn": "arn:aws:sagemaker:us-east-1:000000000000:human-task-ui/x"},
        {"Task": {"Input": "no json"}},
        {"Task": {"Input": "1"}},
        {"Task": {"Input": '"' + "x" * 127_999 + '"'}},
    ],
)
def test_render_ui_template_refuses_what_the_model_refuses(rig: Rig, changes: dict[str, Any]):
    request = {"UiTemplate": {"Content": "x"}, "Task": {"Input": "{}"}, "RoleArn": ROLE} | changes
    request = {key: value for key, value in request.items() if value is not None}
    assert refused(rig.sagemaker.render_ui_template, **request)[:2] == ("ValidationException", 400)


def test_a_granted_url_reads_that_object_and_no_other(rig: Rig):
    bucket = rig.bucket()
    for key in ("a b+ü.jpg", "secret.jpg"):
        rig.s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    reply = rig.sagemaker.render_ui_template(
        UiTemplate={"Content": "{{ task.input.image | grant_read_access | skip_autoescape }}"},
        Task={"Input": json.dumps({"image": f"s3://{bucket}/a b+ü.jpg"})},
        RoleArn=ROLE,
    )
    url = reply["RenderedContent"]
    assert "X-Amz-Signature" in url
    assert re.search(r"X-Amz-Expires=900\b", url)
    assert httpx.get(url).content.decode() == "a b+ü.jpg"
    altered = re.sub(r"/a[^?]*\?", "/secret.jpg?", url)
    assert httpx.get(altered).status_code == 403


@pytest.mark.parametrize(
    ("text", "bucket", "key"),
    [
        ("s3://photos/k/x.jpg", "photos", "k/x.jpg"),
        ("s3://photos/k?x#y%20z", "photos", "k?x#y%20z"),
        ("s3://photos//k\u2028\n[x", "photos", "/k\u2028\n[x"),
        ("https://s3.amazonaws.com/photos/k%20x", "photos", "k x"),
        ("http://s3.eu-west-1.amazonaws.com/photos/k", "photos", "k"),
        ("https://photos.s3.us-east-1.amazonaws.com/k/x", "photos", "k/x"),
        ("https://photos.s3.amazonaws.com/k", "photos", "k"),
    ],
)
def test_s3_locations_are_read_as_s3_writes_them(text: str, bucket: str, key: str):
    assert S3Location.parse(text) == S3Location(bucket, key)


@pytest.mark.parametrize(
    "text", ["", "photo.jpg", "s3:///x", "https://example.com/b/k", "file:///etc/passwd"]
)
def test_other_locations_are_refused(text: str):
    with pytest.raises(ValueError, match="s3://bucket/key"):
        S3Location.parse(text)


def test_an_element_that_is_not_supported_is_listed_and_the_rest_rendered(rig: Rig):
    content = "<crowd-form>\n<crowd-text-ranking name='a'></crowd-text-ranking></crowd-form>"
    reply = rig.sagemaker.render_ui_template(
        UiTemplate={"Content": content}, Task={"Input": "{}"}, RoleArn=ROLE
    )
    assert reply["RenderedContent"] == content
    (error,) = reply["Errors"]
    assert error["Code"] == "UnsupportedElement"
    assert "crowd-text-ranking" in error["Message"]
    assert "line 2" in error["Message"]
