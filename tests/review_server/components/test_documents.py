"""crowd-textract-analyze-document: what was read from a document is corrected, and comes back as blocks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.review_server.components.conftest import Task, as_attribute


def _place(left: float, top: float) -> dict[str, Any]:
    return {"boundingBox": {"height": 0.05, "left": left, "top": top, "width": 0.2}}


BLOCKS: list[dict[str, Any]] = [
    {"blockType": "PAGE", "id": "p", "geometry": _place(0, 0)},
    {"blockType": "KEY_VALUE_SET", "id": "k", "entityTypes": ["KEY"], "confidence": 61.2,
     "geometry": _place(0.1, 0.2),
     "relationships": [{"type": "VALUE", "ids": ["v"]}, {"type": "CHILD", "ids": ["w1", "w2"]}]},
    {"blockType": "KEY_VALUE_SET", "id": "v", "entityTypes": ["VALUE"], "geometry": _place(0.5, 0.2),
     "relationships": [{"type": "CHILD", "ids": ["w3", "w4"]}]},
    {"blockType": "WORD", "id": "w1", "text": "Full", "geometry": _place(0.1, 0.2)},
    {"blockType": "WORD", "id": "w2", "text": "name:", "geometry": _place(0.2, 0.2)},
    {"blockType": "WORD", "id": "w3", "text": "Ann", "geometry": _place(0.5, 0.2)},
    {"blockType": "WORD", "id": "w4", "text": "Lee", "geometry": _place(0.6, 0.2)},
]  # fmt: skip
KEYS = [
    {"importantFormKey": "Name", "importantFormKeyAliases": ["full name"]},
    {"importantFormKey": "Phone"},
]
NAME = "AWS/Textract/AnalyzeDocument/Forms/V1"


def _template(blocks: Any = BLOCKS, flags: str = "") -> str:
    return f"""<crowd-form><crowd-textract-analyze-document header="Check" {flags}
      src="{{{{ task.input.image | grant_read_access }}}}" block-types="['KEY_VALUE_SET']"
      keys="{as_attribute(KEYS)}" initial-value="{as_attribute(blocks)}">
      <full-instructions header="How">All</full-instructions>
      <short-instructions>Shortly</short-instructions></crowd-textract-analyze-document></crowd-form>"""


def _capitals(value: Any) -> Any:
    """As Amazon Textract itself writes its blocks."""
    if isinstance(value, list):
        return [_capitals(item) for item in value]
    if isinstance(value, dict):
        return {key[0].upper() + key[1:]: _capitals(item) for key, item in value.items()}
    return value


@pytest.mark.parametrize("blocks", [BLOCKS, _capitals(BLOCKS), []])
def test_what_is_right_comes_back_as_it_was(task: Task, blocks: Any):
    task.open(_template(blocks))
    assert task.submit() == {NAME: {"blocks": blocks}}


def test_texts_are_corrected_and_missing_keys_filled_in(task: Task):
    page = task.open(_template())
    page.get_by_label("Value of Full name:").fill("Anne Lee")
    page.get_by_label("Key 1").fill("Name")
    page.get_by_label("Value of Phone").fill("555")
    rects = page.locator("crowd-textract-analyze-document rect.chosen")
    page.get_by_label("Key 1").focus()
    assert rects.count() == 2
    kept = task.value("crowd-form")
    blocks = task.submit()[NAME]["blocks"]
    by_id = {block["id"]: block for block in blocks}
    assert by_id["k"]["confidence"] == 61.2
    assert by_id["w3"]["text"] == "Anne Lee"
    assert by_id["w1"]["text"] == "Name"
    assert not {"w2", "w4"} & set(by_id)
    assert {"type": "CHILD", "ids": ["w3"]} in by_id["v"]["relationships"]
    key, value = [block for block in blocks[-5:] if block.get("entityTypes")]
    words = [by_id[block["relationships"][-1]["ids"][0]] for block in (value,)]
    assert [word["text"] for word in words] == ["555"]
    assert {"type": "VALUE", "ids": [value["id"]]} in key["relationships"]
    page = task.open(_template())
    page.evaluate("(content) => window.postMessage({nightloop: 'restore', content}, '*')", kept)
    page.wait_for_function(
        "document.querySelector('crowd-textract-analyze-document').rows[1].value === '555'"
    )
    assert page.get_by_label("Key 1").input_value() == "Name"


def test_keys_that_may_not_be_edited_are_shown_only(task: Task):
    page = task.open(_template(flags="no-key-edit no-geometry-edit"))
    assert page.get_by_label("Key 1").count() == 0
    assert page.get_by_text("Full name:").is_visible()
    assert page.get_by_text("Phone (not found)").is_visible()
