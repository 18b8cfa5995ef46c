"""``train``: from two manifests to a model by one command, which sees how the job ends."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from include.loop.__main__ import main
from include.loop.commands.train import INTERRUPTED
from tests.loop.manifests.lines import boxes
from tests.loop.place import Place
from tests.loop.terminal import at_terminal
from tests.support.cloud import FAKE_IMAGE, eventually
from tests.support.sagemaker import trained

Train = Callable[..., int]


@pytest.fixture
def train(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Train:
    at_terminal(place, monkeypatch, tmp_path, image=FAKE_IMAGE, poll_seconds=0.1)
    picture = place.put("in/1.jpg", b"x")
    places = []
    for part in ("train", "validation"):
        place.storage.write_lines(f"in/{part}.manifest", [boxes(picture, 0)] * 3)
        places += [f"--{part}", place.storage.uri(f"in/{part}.manifest")]

    def run(*more: str) -> int:
        return main(["train", *places, *more])

    return run


def name_in(told: str) -> str:
    return next(line.split()[-1] for line in told.split("\n") if line.startswith("training job "))


def test_the_request_is_shown_and_not_sent(place: Place, train: Train, capsys: pytest.CaptureFixture):
    assert train("--print-request", "-p", "epochs=5", "--output", "s3://elsewhere/models") == 0
    request = json.loads(capsys.readouterr().out)
    assert request["HyperParameters"]["epochs"] == "5"
    assert request["OutputDataConfig"] == {"S3OutputPath": "s3://elsewhere/models"}
    found = place.sagemaker.list_training_jobs(NameContains=request["TrainingJobName"])
    assert found["TrainingJobSummaries"] == []


def test_a_job_is_followed_to_its_model_and_the_same_command_finds_it_again(
    place: Place, train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.setenv("NIGHTLOOP_BEGINNING", ".venv/bin/python -m include.stack run")
    assert train("--logs") == 0
    told = capsys.readouterr().out
    name = name_in(told)
    assert "box, 3 images, classes by index:\n  helmet\n" in told
    for part in ("Starting", "Downloading", "Training", "Uploading", "Completed", "score=0.75"):
        assert part in told
    model = f"s3://{place.bucket}/by-hand/models/{name}/output/model.tar.gz"
    assert place.storage.exists(model)
    hint = ".venv/bin/python -m include.stack run python -m include.loop predict IMAGE --model"
    assert told.endswith(f"{model}\nTo try it: {hint} {name}\n")

    assert train() == 0
    assert name_in(capsys.readouterr().out) == name
    assert train("--from", name) == 0
    further = name_in(capsys.readouterr().out)
    channels = place.sagemaker.describe_training_job(TrainingJobName=further)["InputDataConfig"]
    assert channels[2]["DataSource"]["S3DataSource"]["S3Uri"] == model


def test_a_job_that_fails_says_why_and_the_next_command_tries_again(
    train: Train, capsys: pytest.CaptureFixture
):
    failing = ("-p", "do=fail", "-p", "reason=ClientError: the labels make no sense")
    assert train(*failing) == 1
    captured = capsys.readouterr()
    first = name_in(captured.out)
    assert captured.err == f"{first} Failed: ClientError: the labels make no sense, exit code: 3\n"
    assert train(*failing, "--print-request") == 0
    name = json.loads(capsys.readouterr().out)["TrainingJobName"]
    assert name == first.removesuffix("1") + "2"


def test_whoever_stops_watching_is_told_how_to_go_on_and_how_to_stop(
    place: Place, train: Train, capsys: pytest.CaptureFixture
):
    """A job that is stopped then has ended: nobody waits for ever."""

    assert train("-p", "do=sleep", "--print-request") == 0
    name = json.loads(capsys.readouterr().out)["TrainingJobName"]  # others follow jobs by hand in this cloud

    def interrupt() -> None:
        jobs = {"NameContains": name}
        eventually(lambda: place.sagemaker.list_training_jobs(**jobs)["TrainingJobSummaries"])
        trained(place.cloud, name, "Training")
        os.kill(os.getpid(), signal.SIGINT)

    watcher = threading.Thread(target=interrupt)
    watcher.start()
    assert train("-p", "do=sleep") == INTERRUPTED
    watcher.join()
    captured = capsys.readouterr()
    assert name_in(captured.out) == name
    assert f"python -m include.loop train --attach {name}\n" in captured.err
    assert f"aws sagemaker stop-training-job --training-job-name {name}\n" in captured.err
    assert place.sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] == "InProgress"
    place.sagemaker.stop_training_job(TrainingJobName=name)
    assert main(["train", "--attach", name]) == 1
    assert f"{name} Stopped: " in capsys.readouterr().err


def test_a_wrong_name_of_the_labels_fails_before_any_job(train: Train, capsys: pytest.CaptureFixture):
    assert train("--label", "bocks") == 1
    assert "there are box (groundtruth/object-detection, in all 3 lines)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["--attach", "no-such-job"], "there is no training job no-such-job"),
        (["--train", "s3://b/m"], "give --train and --validation, or --attach"),
    ],
)
def test_a_command_that_says_too_little_is_refused(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    command: list[str],
    message: str,
):
    at_terminal(place, monkeypatch, tmp_path)
    assert main(["train", *command]) == 1
    assert message in capsys.readouterr().err
