"""Templates as other people write them for AWS: each is clean on the bench, works in a browser, and answers.

They follow the manners that public collections have (custom labels by script, hierarchical choices, extra
validation, drop-downs, helper inputs whose names begin with an underscore); the texts are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.review_server.templates.check import check
from tests.review_server.components.conftest import HEIGHT, WIDTH, Task

SCRIPT = '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>\n'
IMAGE = 'src="{{ task.input.taskObject | grant_read_access }}"'
HELP = (
    '<full-instructions header="How">Long</full-instructions><short-instructions>Short</short-instructions>'
)
SIZE = {"height": HEIGHT, "width": WIDTH}
INPUT = {
    "taskObject": "s3://photos/plain.jpg",
    "sound": "s3://photos/tone.wav",
    "labels": ["news", "blog's"],
    "text": 'It said: "rain" & wind',
}


def _custom_labels(task: Task) -> None:
    task.page.get_by_role("textbox").fill("wheel")
    task.page.get_by_role("button", name="Add label").click()
    task.page.get_by_role("button", name="wheel").click()
    task.drag((10, 20), (60, 80))


def _draw(task: Task) -> None:
    task.drag((10, 20), (60, 80))


def _first(task: Task) -> None:
    task.keys("1")


def _validated(task: Task) -> None:
    task.click(40, 50)
    task.page.locator("crowd-button[form-action=submit]").click()
    assert task.page.get_by_text("Two points, please").is_visible()
    task.keys("2")
    task.click(80, 90)


def _nothing(task: Task) -> None:
    pass


def _choose_by_name(task: Task) -> None:
    task.page.get_by_role("radio", name="B").check()
    task.page.get_by_label("Why").fill("clearer")


def _triangle(task: Task) -> None:
    for x, y in [(20, 20), (120, 30), (60, 110), (60, 110)]:
        task.click(x, y)
    task.page.get_by_role("textbox").fill("AB 123")


def _labels_in_order(task: Task) -> None:
    bad, good = (task.page.get_by_text(text).bounding_box() for text in ("bad", "good"))
    assert bad is not None
    assert good is not None
    assert bad["x"] < good["x"]


BOX = {"height": 60, "label": "car", "left": 10, "top": 20, "width": 50}

TEMPLATES: dict[str, tuple[str, Callable[[Task], None], dict[str, Any]]] = {
    "labels that the worker adds": (
        f"""<crowd-form>
          <crowd-input name="_new" id="new"></crowd-input><crowd-button id="add">Add label</crowd-button>
          <crowd-bounding-box id="box" name="result" header="h" labels="['car']" {IMAGE}>
          {HELP}</crowd-bounding-box>
        </crowd-form>
        <script>
          document.addEventListener('all-crowd-elements-ready', function () {{
            document.getElementById('add').onclick = function () {{
              const box = document.getElementById('box');
              box.labels = box.labels.concat(document.getElementById('new').value);
            }};
          }});
        </script>""",
        _custom_labels,
        {
            "_new": "wheel",
            "result": {"boundingBoxes": [BOX | {"label": "wheel"}], "inputImageProperties": SIZE},
        },
    ),
    "labels by a drop-down": (
        f"""<crowd-form>
          <select id="kind" name="kind"><option value="vehicle">Vehicles</option></select>
          <crowd-bounding-box name="result" header="h" labels="[]" {IMAGE}>{HELP}</crowd-bounding-box>
          <crowd-button form-action="submit" variant="primary">Send</crowd-button>
        </crowd-form>
        <script>
          const lists = {{ vehicle: ['car', 'bus'] }};
          document.addEventListener('all-crowd-elements-ready', () => {{
            const kind = document.getElementById('kind').value;
            document.querySelector('crowd-bounding-box').labels = lists[kind];
          }});
        </script>""",
        _draw,
        {"kind": "vehicle", "result": {"boundingBoxes": [BOX], "inputImageProperties": SIZE}},
    ),
    "extra validation": (
        f"""<crowd-form>
          <crowd-keypoint name="result" header="h" labels="['left', 'right',]" {IMAGE}>
          {HELP}</crowd-keypoint>
          <crowd-alert type="error" style="display: none">Two points, please</crowd-alert>
        </crowd-form>
        <script>
          document.querySelector('crowd-form').onsubmit = function (event) {{
            const points = document.querySelector('crowd-keypoint').value.keypoints;
            document.querySelector('crowd-alert').style.display = points.length < 2 ? 'block' : 'none';
            if (points.length < 2) event.preventDefault();
          }};
        </script>""",
        _validated,
        {
            "result": {
                "inputImageProperties": SIZE,
                "keypoints": [{"label": "left", "x": 40, "y": 50}, {"label": "right", "x": 80, "y": 90}],
            }
        },
    ),
    "text in categories from the input": (
        """<crowd-form><crowd-classifier name="result" header="Which?"
          categories="{{ task.input.labels | to_json | escape }}">
          <classification-target><p>{{ task.input.text }}</p></classification-target>
          </crowd-classifier></crowd-form>""",
        _first,
        {"result": {"label": "news"}},
    ),
    "sound": (
        """<crowd-form><crowd-classifier name="result" categories="['happy', 'sad']" header="Mood">
          <classification-target><audio controls
            src="{{ task.input.sound | grant_read_access }}"></audio></classification-target>
          </crowd-classifier></crowd-form>""",
        _first,
        {"result": {"label": "happy"}},
    ),
    "image choice": (
        f"""<crowd-form><crowd-image-classifier {IMAGE} categories="['cat', 'dog']" header="h" name="result">
          {HELP}</crowd-image-classifier></crowd-form>""",
        _first,
        {"result": {"label": "cat"}},
    ),
    "several, or none": (
        f"""<crowd-form><crowd-image-classifier-multi-select {IMAGE} categories="['metal', 'rust']" header="h"
          name="result" exclusion-category="{{ text: 'None' }}">{HELP}</crowd-image-classifier-multi-select>
          </crowd-form>""",
        _first,
        {"result": {"labels": ["metal"]}},
    ),
    "side by side": (
        """<crowd-form><div style="display: flex"><p>A: x</p><p>B: y</p></div>
          <crowd-radio-group><crowd-radio-button name="best" value="a">A</crowd-radio-button>
          <crowd-radio-button name="best" value="b">B</crowd-radio-button></crowd-radio-group>
          <crowd-text-area name="why" label="Why" rows="4"></crowd-text-area></crowd-form>""",
        _choose_by_name,
        {"best": {"a": False, "b": True}, "why": "clearer"},
    ),
    "two scores": (
        """<crowd-form><p>{{ task.input.text }}</p>
          <crowd-slider name="fluency" min="1" max="5" value="3" pin></crowd-slider>
          <crowd-slider name="meaning" min="1" max="5" value="4" pin></crowd-slider></crowd-form>""",
        _nothing,
        {"fluency": 3, "meaning": 4},
    ),
    "outline and transcription": (
        f"""<crowd-form><crowd-polygon name="result" header="h" labels="['plate']" {IMAGE}>
          {HELP}</crowd-polygon>
          <crowd-input name="text" required></crowd-input>
          <crowd-button form-action="submit">Send</crowd-button></crowd-form>""",
        _triangle,
        {
            "result": {
                "inputImageProperties": SIZE,
                "polygons": [
                    {
                        "label": "plate",
                        "vertices": [{"x": 20, "y": 20}, {"x": 120, "y": 30}, {"x": 60, "y": 110}],
                    }
                ],
            },
            "text": "AB 123",
        },
    ),
    "labels of a slider by position, of the second version": (
        """<link rel="stylesheet" href="https://assets.crowd.aws/css/crowd-html-elements-v2.css">
          <crowd-form><crowd-slider name="score" min="1" max="3" value="2">
          <crowd-slider-label position="3">good</crowd-slider-label>
          <crowd-slider-label position="1">bad</crowd-slider-label></crowd-slider></crowd-form>""",
        _labels_in_order,
        {"score": 2},
    ),
    "categories by a loop, with loose names": (
        f"""<crowd-form><crowd-rekognition-detect-moderation-labels name="result" header="h"
          {IMAGE}
          categories='[
          {{% for label in task.input.labels %}} {{ name: "{{{{ label }}}}", parentName: "", }},
          {{% endfor %}} ]'>
          {HELP}</crowd-rekognition-detect-moderation-labels></crowd-form>""",
        _first,
        {"result": {"ModerationLabels": [{"name": "news", "parentName": ""}]}},
    ),
    "a plain drop-down": (
        f"""<crowd-form><img {IMAGE}><select name="colour"><option>red</option><option selected>blue</option>
          </select><input type="hidden" name="version" value="2"></crowd-form>""",
        _nothing,
        {"colour": "blue", "version": "2"},
    ),
    "a loop over the input": (
        """<crowd-form>{% for label in task.input.labels %}<crowd-checkbox name="kinds" value="{{ label }}">
          {{ label }}</crowd-checkbox>{% endfor %}</crowd-form>""",
        _nothing,
        {"kinds": {"news": False, "blog's": False}},
    ),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_it_is_clean_works_and_answers(task: Task, name: str):
    text, work, answer = TEMPLATES[name]
    assert check(SCRIPT + text, INPUT) == []
    task.open(SCRIPT + text, INPUT)
    work(task)
    assert task.submit() == answer
    assert task.messages("error") == []


ENTITIES = """<crowd-entity-annotation name="parts" header="h" labels="['person']" text="Ann went.">
  <div id="more"><crowd-radio-group>
    <crowd-radio-button name="topic" value="travel">Travel</crowd-radio-button>
  </crowd-radio-group></div></crowd-entity-annotation>
<script>document.addEventListener("all-crowd-elements-ready", () => document
  .querySelector("crowd-entity-annotation").shadowRoot.querySelector("crowd-form").form.appendChild(more));</script>"""


def test_fields_may_be_added_to_an_annotation_of_text_as_aws_documents_it(task: Task):
    task.open(ENTITIES)
    topic = task.page.get_by_role("radio", name="Travel")
    topic.check()
    submit = task.page.locator("crowd-button[form-action=submit]").bounding_box()
    asked = topic.bounding_box()
    assert submit is not None
    assert asked is not None
    assert asked["y"] < submit["y"]
    assert task.submit() == {"parts": {"entities": []}, "topic": {"travel": True}}
    assert task.messages("error") == []


def _told(task: Task, template: str) -> str:
    task.open(template, INPUT, ready=False)
    task.page.wait_for_function("messages.some((m) => m.nightloop === 'error')")
    return " ".join(message["message"] for message in task.messages("error"))


def test_a_search_inside_of_an_element_is_told_with_what_to_use_instead(task: Task):
    told = _told(
        task,
        f"""<crowd-form><crowd-keypoint name="result" header="h" labels="['eye']" {IMAGE}></crowd-keypoint>
        </crowd-form><script>addEventListener("error", (event) => event.preventDefault());
          document.addEventListener("all-crowd-elements-ready", () => document
          .querySelector("crowd-keypoint").shadowRoot.querySelector("canvas.upper").width);</script>""",
    )
    assert '"canvas.upper" inside of <crowd-keypoint>' in told
    assert "use the element's attributes (header, src, name, labels" in told
    assert 'looked for this and found nothing: "canvas.upper" inside of <crowd-keypoint>' in told


@pytest.mark.parametrize("inner", ["", "<p>Read this.</p>", "<button>Send</button>"])
def test_a_form_that_asks_nothing_is_told(task: Task, inner: str):
    assert _told(task, f"<crowd-form>{inner}</crowd-form>") == "There is nothing to answer in this form"


def test_a_form_that_a_script_fills_is_not(task: Task):
    task.open(
        """<crowd-form id="form"></crowd-form><script>
          document.addEventListener("all-crowd-elements-ready", () => {
          form.innerHTML = '<crowd-input name="a" value="b"></crowd-input>'; });</script>"""
    )
    assert task.submit() == {"a": "b"}
    assert task.messages("error") == []


def test_a_page_in_a_frame_is_told_by_its_host(task: Task):
    told = _told(
        task,
        """<crowd-form><iframe src="https://films.example.org/embed/1"></iframe>
        <crowd-input name="a"></crowd-input></crowd-form>""",
    )
    assert (
        "a page in a frame from films.example.org, which is blocked here. A task shows no other page" in told
    )


def test_an_unknown_element_is_named(task: Task):
    told = _told(task, '<crowd-form><crowd-text-ranking name="a"></crowd-text-ranking></crowd-form>')
    assert told == "<crowd-text-ranking> is not supported here, so its answer cannot be given"
