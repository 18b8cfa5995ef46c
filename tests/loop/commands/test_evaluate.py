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
from tests.loop.served import Serving
from tests.loop.terminal import at_terminal
from tests.support.cloud import FAKE_IMAGE

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


def test_an_endpoint_is_measured_on_labels_under_another_name(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
):
    serving = Serving(place)
    at_terminal(place, monkeypatch, tmp_path, image=FAKE_IMAGE, deployment={"endpoint": serving.endpoint})
    serving.serve_champion("one")
    lines = [labelled(place.put(f"in/{level}.jpg", picture(level))) for level in (200, 220)]
    lines += [labelled(place.put("in/bad.jpg", b"no picture")), b"{"]  # type: ignore[list-item]
    kind = {"type": "groundtruth/object-detection"}
    for line in lines[:3]:
        line["box"] = line.pop("review")
        line["box-metadata"] = line.pop("review-metadata") | kind
    manifest, page = write(tmp_path / "m.manifest", lines), tmp_path / "page.html"
    assert main(["evaluate", manifest, "--out", str(page)]) == 0
    told = capsys.readouterr().out
    assert told.startswith("3 images, 3 objects\nmAP@0.5")
    assert "recall                   0.667\n" in told
    assert "1 lines were not measured with:\n  line 4: manifest line is not JSON\n" in told
    assert "1 images without a prediction count as nothing found: endpoint" in told
    assert f"endpoint {serving.endpoint} on m.manifest" in page.read_text()
    assert main(["evaluate", manifest, "--limit", "1", "--out", str(page), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["challenger"]["score"] == 1


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

    monkeypatch.chdir(tmp_path)
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "accuracy" in told
    assert "  good taken for bad: 1\n" in told
    assert (tmp_path / "evaluation.html").exists()


def test_a_manifest_with_nothing_to_measure_says_why(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
):
    at_terminal(place, monkeypatch, tmp_path)
    set_champion(place, "d")
    manifest = write(tmp_path / "m", [labelled("s3://b/1.jpg", class_id=7)])
    assert main(["evaluate", manifest, "--model", "champion"]) == 1
    assert "no line can be measured with: line 1: class_id 7 is not one of" in capsys.readouterr().err
