"""A template with crowd-bounding-box, and what it says."""

from __future__ import annotations

from typing import Any

from tests.review_server.components.conftest import Task, as_attribute

BOXES = [
    {"height": 40, "label": "cat", "left": 20, "top": 30, "width": 60},
    {"height": 90, "label": "dog", "left": 150, "top": 60, "width": 100},
]
LABELS = "['cat', 'dog', 'bird']"


def template(initial: Any = None, labels: str = LABELS, image: str = "plain") -> str:
    preset = f'initial-value="{as_attribute(initial)}"' if initial is not None else ""
    return f"""
      <script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
      <crowd-form>
        <crowd-bounding-box name="result" header="Draw" labels="{labels}" {preset}
          src="{{{{ 's3://photos/{image}.jpg' | grant_read_access }}}}">
          <full-instructions header="How">All of it</full-instructions>
          <short-instructions>Shortly</short-instructions>
        </crowd-bounding-box>
      </crowd-form>"""


def boxes(task: Task) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = task.value()["boundingBoxes"]
    return found
