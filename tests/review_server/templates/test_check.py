"""The template bench: each kind of fault is found on its line, and a sound template is clean."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from include.review_server.__main__ import main
from include.review_server.templates.check import MOST_CHARACTERS, check
from include.review_server.templates.elements import tags
from include.review_server.templates.initial_answer import immediate_answer
from include.review_server.templates.liquid import frame_document
from include.review_server.templates.marked import GRANTED, render_for_check
from include.review_server.templates.values import parse_relaxed

SHIPPED = Path("include/pipelines/templates")
DEFAULT = SHIPPED / "bounding-box.liquid.html"
BOX = {"label": "a", "left": 1.6, "top": 2, "width": 3, "height": 4}
INPUT = {
    "taskObject": "s3://photos/x.jpg",
    "labels": ["a", "b"],
    "initialValue": [BOX],
    "instructions": "Draw.",
    "text": "some text",
}
IMAGE = 'src="{{ task.input.taskObject | grant_read_access }}"'


def _found(inner: str, task_input: Any = INPUT) -> list[tuple[str, int | None]]:
    text = f"<crowd-form>\n{inner}\n</crowd-form>"
    return [(finding.code, finding.line) for finding in check(text, task_input)]


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("bounding-box", 2),
        ("image-classification", 10),
        ("image-classification", 11),  # more than crowd-image-classifier takes
        ("multi-label", 2),
        ("multi-label", 60),
        ("labeling/bounding-box", 2),
        ("labeling/image-classification", 10),
        ("labeling/image-classification", 11),
        ("labeling/multi-label", 2),
    ],
)
def test_the_shipped_templates_are_clean(name, labels):
    asked = INPUT | {"labels": [f"class {n}" for n in range(labels)], "exclusion": {"text": "none of these"}}
    assert check((SHIPPED / f"{name}.liquid.html").read_text(), asked) == []


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        ("<crowd-text-ranking name='x'></crowd-text-ranking>", "unknown-element"),
        ("<crowd-input></crowd-input>", "missing-name"),
        (f"<crowd-bounding-box name='x' {IMAGE}></crowd-bounding-box>", "bad-labels"),
        (f"<crowd-bounding-box name='x' {IMAGE} labels='[]'></crowd-bounding-box>", "bad-labels"),
        (f"<crowd-bounding-box name='x' {IMAGE} labels='[1]'></crowd-bounding-box>", "bad-labels"),
        (f"<crowd-polygon name='x' {IMAGE} labels=\"['a', 'a']\"></crowd-polygon>", "bad-labels"),
        (f"<crowd-polygon name='x' {IMAGE} labels=\"['a'\"></crowd-polygon>", "bad-labels"),
        ("<crowd-classifier name='x'></crowd-classifier>", "bad-categories"),
        (
            f"<crowd-keypoint name='x' {IMAGE} labels=\"['a']\" initial-value='[{{'></crowd-keypoint>",
            "bad-value",
        ),
        ("<crowd-polygon name='x' labels=\"['a']\"></crowd-polygon>", "missing-image"),
        ("<crowd-entity-annotation name='x' labels=\"['a']\"></crowd-entity-annotation>", "missing-text"),
        (
            "<crowd-entity-annotation name='x' text='t' labels=\"[{}]\"></crowd-entity-annotation>",
            "bad-labels",
        ),
        (
            "<crowd-polygon name='x' labels=\"['a']\" src='https://x.org/a.jpg'></crowd-polygon>",
            "image-not-granted",
        ),
        ("<p>{{ task.input.text | skip_autoescape }}</p>", "unescaped-output"),
        ("<crowd-classifier name='x' categories={{ task.input.labels | to_json }}>", "unescaped-output"),
        ('<script>const a = "{{ task.input.text }}";</script>', "unescaped-output"),
        ("<p>{{ task.input.nothing }}</p>", "missing-input"),
        ("{% for x in task.input.nothing %}{{ x }}{% endfor %}", "missing-input"),
        ("{{ task.input.text | nope }}", "liquid"),
        ("{% if %}", "liquid"),
        ('<script src="https://example.com/x.js"></script>', "foreign-address"),
        ("<crowd-input name='x'></crowd-input><crowd-input name='x'></crowd-input>", "duplicate-name"),
    ],
)
def test_each_fault_is_found_on_its_line(inner: str, code: str):
    assert (code, 2) in _found(inner)


@pytest.mark.parametrize(
    "inner",
    [
        "<crowd-input name='x' label='{{ task.input.text }}'></crowd-input>",
        "{% if task.input.nothing %}{{ task.input.nothing }}{% endif %}",
        "{{ task.input.nothing | default: 'x' }}",
        "<script>const a = {{ task.input.labels | to_json }};</script>",
        "<crowd-classifier name='x' categories='{{ task.input.labels | to_json }}'></crowd-classifier>",
        '<crowd-classifier name="x" categories="{{ task.input.labels | to_json }}"></crowd-classifier>',
        '<crowd-classifier name="x" categories="{{ task.input.labels | to_json | escape }}">'
        "</crowd-classifier>",
        "<!-- <crowd-nothing> {{ task.input.labels | to_json }} -->",
        f"<crowd-line name='x' {IMAGE} labels=''></crowd-line><script>x.labels = ['a']</script>",
        "<crowd-checkbox name='x' value='1'></crowd-checkbox>"
        "<crowd-checkbox name='x' value='2'></crowd-checkbox>",
        '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>',
        '<audio src="{{ task.input.taskObject | grant_read_access }}"></audio>',
    ],
)
def test_what_is_sound_is_not_complained_about(inner: str):
    assert _found(inner) == []


def test_the_whole_template():
    assert [f.code for f in check("<p>text</p>", {})] == ["no-submit"]
    assert "too-long" in [f.code for f in check("x" * (MOST_CHARACTERS + 1), {})]
    assert "too-long" not in [f.code for f in check("x" * MOST_CHARACTERS, {})]
    entity = (
        "<crowd-entity-annotation name='e' text='t' labels=\"[{label: 'a'}, 'b']\"></crowd-entity-annotation>"
    )
    assert check(entity, {}) == []
    assert immediate_answer(entity, {}).content == {"e": {"entities": []}}
    outside = "<crowd-form></crowd-form><crowd-input name='a'></crowd-input>"
    assert [f.code for f in check(outside, {})] == ["outside-form"]


def test_the_answer_of_an_immediate_submit():
    answer = immediate_answer(DEFAULT.read_text(), INPUT)
    assert answer.content == {
        "annotatedResult": {
            "boundingBoxes": [{"height": 4, "label": "a", "left": 2, "top": 2, "width": 3}],
            "initialValueModified": False,
            "inputImageProperties": {"height": None, "width": None},
        }
    }
    assert answer.first == []


def test_the_immediate_answer_knows_groups_and_what_is_chosen_already():
    group = (
        "<crowd-form><crowd-radio-group name='g'><crowd-radio-button value='a' checked></crowd-radio-button>"
        "<crowd-radio-button value='b'></crowd-radio-button></crowd-radio-group><crowd-classifier name='c' "
        "categories=\"['x', 'y']\" initial-value='y'></crowd-classifier></crowd-form>"
    )
    answer = immediate_answer(group, {})
    assert answer.content == {"g": {"a": True, "b": False}, "c": {"label": "y"}}
    assert answer.first == []


def test_templates_of_adjustments_read_the_reviewed_label_of_the_manifests_line():
    # As AWS's own are written: JSON piece by piece in a quoted attribute, keys with hyphens.
    boxes = f"""<crowd-form><crowd-bounding-box name="boundingBox" {IMAGE} header="h"
      labels="{{{{ task.input.labels | to_json }}}}"
      initial-value="[{{% for box in task.input.manifestLine.box.annotations %}}
        {{% capture class_id %}}{{{{ box.class_id }}}}{{% endcapture %}}
        {{% assign label = task.input.manifestLine.box-metadata.class-map[class_id] %}}
        {{ label: {{{{ label | to_json }}}}, left: {{{{ box.left }}}}, top: {{{{ box.top }}}},
          width: {{{{ box.width }}}}, height: {{{{ box.height }}}} }},
      {{% endfor %}}]"></crowd-bounding-box></crowd-form>"""
    mask = f"""<crowd-form><crowd-semantic-segmentation name="mask" {IMAGE} header="h"
      labels="{{{{ task.input.labels | to_json }}}}"
      initial-value="{{ src: {{{{ task.input.manifestLine.seg-ref | grant_read_access | to_json }}}},
        labelMappings: {{ {{% for entry in task.input.manifestLine.seg-ref-metadata.internal-color-map %}}
          {{% if entry[1].class-name != 'BACKGROUND' %}}
            {{{{ entry[1].class-name | to_json }}}}: {{ color: {{{{ entry[1].hex-color | to_json }}}} }},
          {{% endif %}} {{% endfor %}} }} }}"></crowd-semantic-segmentation></crowd-form>"""
    names = ['a "quoted" one', "b's"]
    colours = {"0": {"class-name": "BACKGROUND", "hex-color": "#ffffff"}} | {
        str(number + 1): {"class-name": name, "hex-color": f"#00000{number}"}
        for number, name in enumerate(names)
    }
    line = {
        "box": {"annotations": [{"class_id": 1, "left": 1, "top": 2, "width": 3.5, "height": 4}]},
        "box-metadata": {"class-map": {"1": names[1]}},
        "seg-ref": "s3://masks/m.png",
        "seg-ref-metadata": {"internal-color-map": colours},
    }
    asked = {"taskObject": "s3://photos/x.jpg", "labels": names, "manifestLine": line}
    assert check(boxes, asked) == check(mask, asked) == []
    assert immediate_answer(boxes, asked).content["boundingBox"]["boundingBoxes"] == [
        {"label": "b's", "left": 1, "top": 2, "width": 4, "height": 4}
    ]
    (tag,) = [tag for tag in tags(render_for_check(mask, asked).content) if tag.name.endswith("segmentation")]
    assert parse_relaxed(tag.attributes["initial-value"]) == {
        "src": f"{GRANTED}masks/m.png",
        "labelMappings": {names[0]: {"color": "#000000"}, names[1]: {"color": "#000001"}},
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{ text: 'None' }", {"text": "None"}),
        ("['a', \"b\",]", ["a", "b"]),
        ("{\"a\": [1, -2.5, true, null], 'b': {}}", {"a": [1, -2.5, True, None], "b": {}}),
        (r"'it\'s é \u00e9'", "it's é é"),
        ("[]", []),
        ("{a-b: .5,}", {"a-b": 0.5}),
        ("[1, // one's\n /* it's */ 'http://x' // last\n]", [1, "http://x"]),
    ],
)
def test_relaxed_values(text: str, value: Any):
    assert parse_relaxed(text) == value


@pytest.mark.parametrize(
    "text", ["", "[", "[,]", "alert(1)", "{a}", "'x", "[1 2]", "1 2", "[" * 99, "{__proto__}"]
)
def test_relaxed_values_that_are_none(text: str):
    with pytest.raises(ValueError, match="character"):
        parse_relaxed(text)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    sample = tmp_path / "input.json"
    sample.write_text(json.dumps(INPUT))
    assert main(["template", "check", str(DEFAULT), "--input", str(sample)]) == 0
    assert "boundingBoxes" in capsys.readouterr().out
    bad = tmp_path / "bad.html"
    bad.write_text("<crowd-form><crowd-input></crowd-input></crowd-form>")
    assert main(["template", "check", str(bad), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["findings"][0]["code"] == "missing-name"
    assert report["findings"][0]["line"] == 1
    assert main(["template", "check", str(tmp_path / "absent.html")]) == 1


def test_the_command_serves_the_task(tmp_path: Path):
    sample = tmp_path / "input.json"
    sample.write_text(json.dumps(INPUT))
    command = [sys.executable, "-m", "include.review_server", "template", "check", str(DEFAULT)]
    process = subprocess.Popen(
        [*command, "--input", str(sample), "--open"],
        stdout=subprocess.PIPE,
        text=True,
        env={"BROWSER": "true", "PATH": "/usr/bin:/bin"},
    )
    try:
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith("The task is at "))
        assert "http://127.0.0.1:" in line
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize(
    "template",
    [
        '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script><crowd-form></crowd-form>',
        "<SCRIPT src='//assets.crowd.aws/crowd-html-elements.js' defer></SCRIPT><crowd-form></crowd-form>",
        '<link rel=stylesheet href="https://assets.crowd.aws/css/crowd-html-elements-v2.css">'
        '<script src="https://assets.crowd.aws/crowd-html-elements-v2.js"></script><crowd-form></crowd-form>',
        "<crowd-form></crowd-form>",
    ],
)
def test_amazons_files_are_replaced_by_ours(template: str):
    page = frame_document(template, "https://review.example/components/1")
    assert "assets.crowd.aws" not in page
    assert page.count("https://review.example/components/1/crowd.js") == 1
    assert "<crowd-form></crowd-form>" in page
