"""The worker interface that a labeling job names by ARN instead of bringing a template: named entities.

On AWS such interfaces are Ground Truth's own (account 394669845002), one for each kind of job; those for
video frames and point clouds are not here. Instructions come with the label category file. Pure.
"""

from __future__ import annotations

import html
import re
from typing import Any

from include.review_server.labeling.task_types import TASK_TYPES, TaskType
from include.wire import strictjson

NAMED_ENTITIES = "NamedEntityRecognition"

_ARN = re.compile(r":human-task-ui/(.+)\Z")
_TEMPLATE = """<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form>
  <crowd-entity-annotation
    name="{element}"
    header="{title}"
    labels="{{{{ task.input.labels | to_json | escape }}}}"
    text="{{{{ task.input.taskObject }}}}"
  >
    <full-instructions header="{title}">{full}</full-instructions>
    <short-instructions>{short}</short-instructions>
  </crowd-entity-annotation>
</crowd-form>
"""


def problem(arn: str, kind: TaskType | None) -> str | None:
    """Why a job of this type (None: a custom one) cannot have the interface of an ARN, or None."""
    found = _ARN.search(arn)
    name = found[1] if found else arn
    if name != NAMED_ENTITIES:
        return (
            f"the worker interface {name} is not here: put a worker task template into S3 and name it as "
            "UiTemplateS3Uri. Video frames and point clouds are not supported; task types are "
            + ", ".join(TASK_TYPES)
        )
    if kind is None or kind.name != NAMED_ENTITIES:
        asked = kind.name if kind else "a custom task"
        return f"the worker interface {name} is not for {asked}: name a template as UiTemplateS3Uri"
    return None


def named_entities(title: str, categories: bytes) -> str:
    """The template for named entities, with the instructions of the category file if it has any."""
    document: Any = strictjson.loads(categories.removeprefix(b"\xef\xbb\xbf"))
    said = document.get("instructions") if isinstance(document, dict) else None
    instructions = said if isinstance(said, dict) else {}
    return _TEMPLATE.format(
        element=TASK_TYPES[NAMED_ENTITIES].element,
        title=_no_liquid(html.escape(title)),
        short=_no_liquid(str(instructions.get("shortInstruction") or "")),
        full=_no_liquid(str(instructions.get("fullInstruction") or "")),
    )


def _no_liquid(text: str) -> str:
    """HTML whose braces are characters and no part of the template."""
    return text.replace("{", "&#123;")
