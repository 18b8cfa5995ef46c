"""The serve command over HTTP: scores in the documented forms."""

from __future__ import annotations

import pytest

from include.algorithms.image_classification.artifact import Artifact, Kind, read, write
from tests.algorithms.image_classification.jobs import picture
from tests.algorithms.serving import ask, served


@pytest.fixture(scope="module")
def server(trained):
    with served("image_classification", trained.root) as client:
        yield client


@pytest.mark.parametrize("kind", ["image/jpeg", "image/png", "application/x-image"])
def test_an_image_is_answered_with_a_score_for_each_class_which_sum_to_one(server, kind):
    for colour in range(3):
        answer = ask(server, picture(colour, 500, size=(90, 50)), kind)
        scores = answer.json()
        assert answer.headers["content-type"] == "application/json"
        assert len(scores) == 3
        assert sum(scores) == pytest.approx(1, abs=1e-6)
        assert max(scores) == scores[colour]


def test_json_lines_are_answered_with_a_prediction(server):
    answer = ask(server, picture(1, 500), Accept="application/jsonlines")
    assert answer.json() == {"prediction": ask(server, picture(1, 500)).json()}
    assert "\n" not in answer.text


def test_what_is_no_image_is_refused_with_a_reason(server):
    answer = ask(server, b"hello")
    assert answer.status_code == 400
    assert "not an image" in answer.json()["error"]
    assert ask(server, b"1,2,3", "text/csv").status_code == 415


def test_in_a_transform_job_scores_of_several_classes_are_a_prediction_and_independent(trained, tmp_path):
    found = read(trained.root / "model")
    kind = Kind(**{**found.kind.model_dump(), "multi_label": True})
    found.variables["params"]["head"]["bias"] += 9.0  # every class is there
    write(tmp_path / "model", Artifact(found.variables, kind), 0)
    with served("image_classification", tmp_path, SAGEMAKER_BATCH="true") as client:
        scores = ask(client, picture(0)).json()["prediction"]
    assert len(scores) == 3
    assert all(0 < score < 1 for score in scores)
    assert sum(scores) > 1.5
