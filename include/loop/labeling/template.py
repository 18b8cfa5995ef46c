"""The worker task template of a labeling job.

Ground Truth's own functions tell a template the image and the labels (``task.input.taskObject``,
``task.input.labels``) and nothing else: so what the pipeline's file says to the reviewers is put into the
text before the job is made.
"""

from __future__ import annotations

import html
import re

# As the templates of human loops write it, so that a team's own may serve both.
_INSTRUCTIONS = re.compile(r"\{\{-?\s*task\.input\.instructions\s*(\|\s*escape\s*)?-?\}\}")


def with_instructions(template: str, instructions: str) -> str:
    """The template with the instructions in the place of ``{{ task.input.instructions }}``, as text."""
    text = html.escape(instructions).replace("{", "&#123;").replace("}", "&#125;")  # or Liquid would read it
    return _INSTRUCTIONS.sub(lambda _: text, template)
