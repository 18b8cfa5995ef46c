"""The page of a classifier: its own numbers, pictures and words, and none of a detector's."""

from __future__ import annotations

import re

import pytest

from include.loop import report
from include.loop.core.records.facts import Facts
from tests.loop.report.classified import EMU, JOB, make_classified
from tests.loop.report.test_page import Outline
from tests.support.cloud import LocalCloud

OF_A_DETECTOR = r"\bmAP|\bAPs?\b|\bbox|\bobject|\bdetect"


@pytest.mark.parametrize("multi_label", [False, True])
def test_a_round_of_a_classifier_is_told_without_a_word_of_boxes(
    cloud: LocalCloud, bucket: str, multi_label: bool
) -> None:
    rounds = make_classified(cloud, bucket, multi_label=multi_label)
    report.publish(rounds.workspace, JOB)
    facts = Facts.read(rounds.storage, JOB)
    assert facts.problems == ()
    # With many labels it is surest that there is no emu on one, and no cat on the other.
    sure = [0.975, 0.9] if multi_label else [0.95, 0.8]
    mistakes = {item.image[-6:]: item.mistake.score for item in facts.mistakes if item.mistake}
    assert mistakes == dict(zip(["05.png", "06.png"], sure, strict=True))
    assert all(item.label["review"] in ([2], [0], 2, 0) for item in facts.mistakes)
    text = rounds.storage.read(f"reports/{JOB}/index.html").decode()
    assert EMU not in text
    assert "&lt;b&gt;emu &amp; {0}&lt;/b&gt; $x$" in text
    shown, past = Outline(text).text, Outline(rounds.storage.read("reports/index.html").decode()).text
    for page in (shown, past, " ".join(re.findall(r'(?:alt|aria-label)="([^"]*)"', text))):
        assert not re.search(OF_A_DETECTOR, page, re.IGNORECASE), page
    assert "ROC curve of all classes together on day" in shown
    assert "best validation accuracy 0.700 in epoch 3" in text
    if multi_label:
        assert "AUPRC by slice" in shown
        assert re.search(r"cat\s*4 → 7\s*4 → 1\s*0 → 1", shown)  # found, missed, wrongly said
        assert f"“{EMU}” missed: 1 image" in shown
    else:
        assert "gain of +0.083 accuracy" in shown
        assert "Confusion of the champion on day" in shown
        assert f"“{EMU}” taken for “cat”: 1 image" in shown
        assert f"05.png (day): “{EMU}” taken for “cat”" in shown
        assert "after: cat 0.95 (wrong)" in shown
        assert "Not promoted" in shown  # twenty-four images are too few to be sure
