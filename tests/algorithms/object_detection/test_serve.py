"""The serve command over HTTP: answers in the documented forms, and refusals with a reason."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from include.algorithms.object_detection import artifact
from include.algorithms.object_detection.artifact import Artifact, ArtifactSettings
from include.algorithms.object_detection.hyperparameters import parse_hyperparameters
from include.algorithms.object_detection.learner import Learner
from tests.algorithms.object_detection.jobs import Job, records
from tests.algorithms.serving import ask, served


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """An untrained model behind a real server process."""
    job = Job(tmp_path_factory.mktemp("ml"))
    settings = parse_hyperparameters({"num_classes": "10", "num_training_samples": "1", "image_shape": "96"})
    kept = ArtifactSettings.model_validate(settings, from_attributes=True)
    variables = Learner(settings, 1, seed=0).variables
    variables["params"]["head_objectness"]["bias"] += 4.0  # so that it finds something
    artifact.write(job.container.model, Artifact(variables, kept))
    with served("object_detection", job.root) as client:
        yield client


@pytest.mark.parametrize("kind", ["image/jpeg", "image/png", "application/x-image"])
def test_an_image_is_answered_with_rows_best_first_and_normalised(server, kind):
    rows = np.array(ask(server, records(1)[0][0], kind).json()["prediction"])
    assert rows.shape[1] == 6
    assert (rows[:, 0] == rows[:, 0].astype(int)).all()
    assert (np.diff(rows[:, 1]) <= 0).all()
    assert ((rows[:, 2:] >= 0) & (rows[:, 2:] <= 1)).all()


def test_the_pixel_form_says_the_same_in_pixels(server):
    image = records(1)[0][0]
    rows = ask(server, image).json()["prediction"]
    answer = ask(server, image, Accept="application/json;annotation=1").json()
    assert answer["image_size"] == [{"width": 128, "height": 128, "depth": 3}]
    assert len(answer["annotations"]) == len(rows)
    first = answer["annotations"][0]
    assert (first["class_id"], first["left"]) == (int(rows[0][0]), round(rows[0][2] * 128))


@pytest.mark.parametrize("body", [b"", b"hello", records(1)[0][0][:700]])
def test_a_body_that_is_no_whole_image_is_refused_with_a_reason(server, body):
    answer = ask(server, body)
    assert answer.status_code == 400
    assert "image" in answer.json()["error"]


def test_another_content_type_is_refused(server):
    assert ask(server, b"1,2,3", "text/csv").status_code == 415


def test_requests_at_the_same_time_get_their_own_answers(server):
    images = [image for image, _ in records(4)]
    alone = [ask(server, image).json() for image in images]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda image: ask(server, image).json(), images * 4))
    for index, answer in enumerate(together):
        np.testing.assert_allclose(answer["prediction"], alone[index % 4]["prediction"], atol=1e-5)


def test_batch_transform_learns_how_to_send(server):
    parameters = server.get("/execution-parameters").json()
    assert parameters["BatchStrategy"] == "SINGLE_RECORD"
    assert parameters["MaxConcurrentTransforms"] >= 1
    assert parameters["MaxPayloadInMB"] == 6
