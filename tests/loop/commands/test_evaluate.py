"""``evaluate``: any model's numbers on any labels, of either task, and the page that shows them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from include.loop.__main__ import main
from include.loop.core import layout
from tests.loop.labelled import set_champion
from tests.loop.manifests.lines import grade, write
from tests.loop.place import Place, labelled, picture
from tests.loop.terminal import at_terminal

# Of six images: true class and scores, with the numbers that scikit-learn finds for them.
SCORED = [
    (0, (0.7, 0.2, 0.1)),
    (0, (0.4, 0.5, 0.1)),
    (1, (0.2, 0.6, 0.2)),
    (1, (0.3, 0.3, 0.4)),
    (2, (0.1, 0.2, 0.7)),
    (2, (0.3, 0.1, 0.6)),
]
NAMES = ["good", "bad", "ugly"]


def test_a_classifier_has_its_confusion_and_curves_and_what_it_has_predicted_is_not_asked_again(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
):
    at_terminal(place, monkeypatch, tmp_path)
    settings = {"task": "image-classification", "classes": NAMES, "label_attribute": "grade"}
    (tmp_path / "pipelines/pets.yaml").write_text(yaml.safe_dump(settings))
    set_champion(place, "d")
    lines, outputs = [], []
    for number, (true, scores) in enumerate(SCORED):
        uri = place.put(f"in/{number}.jpg", picture(40 * number, f"{number}"))
        out = place.put(f"out/{number}.jpg.out", json.dumps({"prediction": scores}).encode())
        found = place.storage.find(uri)
        assert found is not None
        outputs.append({"image": uri, "etag": found[1], "out": out})
        lines.append(grade(uri, true, NAMES[true]))
    known = {"job": None, "seconds": 0, "images": 0, "outputs": outputs}
    place.storage.write_json(layout.outputs_file("job-1", "x"), known)
    place.storage.write_lines("test.manifest", lines)
    command = ["evaluate", place.storage.uri("test.manifest"), "--model", "champion"]
    page = place.storage.uri("page.html")
    assert main([*command, "--out", page, "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["challenger"]
    assert scores["score"] == pytest.approx(0.6667, abs=1e-4)
    assert scores["confusion"]["good"] == {"good": 1, "bad": 1}
    assert scores["confusion"]["ugly"] == {"ugly": 2}
    assert {0.95833, 0.94444} <= {value for value in scores["more"].values() if value is not None}
    assert scores["classes"]["bad"]["more"]["AUROC"] == 0.875
    shown = place.storage.read(page).decode()
    assert "job-1 on test.manifest" in shown
    assert "<svg" in shown


def test_a_manifest_with_nothing_to_measure_says_why(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
):
    at_terminal(place, monkeypatch, tmp_path)
    set_champion(place, "d")
    manifest = write(tmp_path / "m", [labelled("s3://b/1.jpg", class_id=7)])
    assert main(["evaluate", manifest, "--model", "champion"]) == 1
    assert "no line can be measured with: line 1: class_id 7 is not one of" in capsys.readouterr().err
