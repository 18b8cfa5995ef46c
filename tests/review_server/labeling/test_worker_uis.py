"""The interface for named entities, as a request without a template of its own gets it."""

from __future__ import annotations

import json
import re

import pytest

from include.review_server.labeling.requests import checked
from include.review_server.labeling.worker_uis import named_entities
from include.review_server.templates.check import check
from include.review_server.templates.liquid import Templates
from include.wire import AwsError
from tests.review_server.labeling.jobs import labeling_request

ARN = "arn:aws:sagemaker:eu-west-1:394669845002:human-task-ui/NamedEntityRecognition"


def _file(**members: object) -> bytes:
    return json.dumps({"labels": [{"label": "person"}]} | members).encode()


def _rendered(template: str) -> str:
    task_input = {"taskObject": 'Nina said "{{ x }}"', "labels": ["person", "place"], "manifestLine": {}}
    assert check(template, task_input) == []
    rendered = Templates(lambda location: location.uri).render(template, task_input)
    assert rendered.errors == ()
    return rendered.content


def test_it_asks_about_the_text_with_the_instructions_of_the_category_file():
    instructions = {"shortInstruction": "<h1>Who {%?</h1>", "fullInstruction": "<p>All of {{ them }}</p>"}
    page = _rendered(named_entities("Who & {{ where }}", _file(instructions=instructions)))
    assert '["person"' in re.sub("&(quot|#34);", '"', page)
    assert "Who &amp; &#123;&#123; where }}" in page
    assert "<h1>Who &#123;%?</h1>" in page
    assert "<p>All of &#123;&#123; them }}</p>" in page


@pytest.mark.parametrize("members", [{}, {"instructions": None}, {"instructions": ["x"]}])
def test_a_category_file_without_instructions_will_do(members: dict[str, object]):
    assert 'name="crowd-entity-annotation"' in _rendered(named_entities("Who", _file(**members)))


def test_it_is_for_named_entities_alone():
    request = labeling_request("job", "bucket", kind="NamedEntityRecognition", attribute="ents")
    request["HumanTaskConfig"]["UiConfig"] = {"HumanTaskUiArn": ARN}
    assert checked(request).task_type
    other = labeling_request("job", "bucket")
    other["HumanTaskConfig"]["UiConfig"] = {"HumanTaskUiArn": ARN}
    with pytest.raises(AwsError, match="is not for BoundingBox: name a template"):
        checked(other)
