"""What the pipeline says to people gets into the template as text, and as nothing else."""

from __future__ import annotations

import pytest

from include.loop.labeling.template import with_instructions
from include.review_server.templates.liquid import Templates

HOSTILE = "Tick <b>all</b> {{ task.input.labels }} {% raw %} \"a\" & 'b'"


@pytest.mark.parametrize(
    "place",
    [
        "{{ task.input.instructions }}",
        "{{task.input.instructions|escape}}",
        "{{- task.input.instructions -}}",
    ],
)
def test_instructions_are_shown_as_they_were_written(place: str):
    made = with_instructions(f"<crowd-form><p>{place}</p></crowd-form>", HOSTILE)
    shown = Templates(lambda _: "").render(made, {"labels": ["cat"]}).content
    assert (
        "Tick &lt;b&gt;all&lt;/b&gt; &#123;&#123; task.input.labels &#125;&#125; &#123;% raw %&#125;" in shown
    )


def test_what_ground_truth_tells_a_template_stays_as_it_is():
    text = "{{ task.input.labels | to_json | escape }} {{ task.input.instructions_2 }}"
    assert with_instructions(text, "Look") == text
