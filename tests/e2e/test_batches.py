"""Batches as a team lives them: backfilled, repeated, interrupted, and with pictures of their own.

All of them meet one stack, where what an earlier test began may still be at work: each looks at its own
pipeline, and a second try goes on with what the first has begun, or takes a batch of its own.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from include.stack.airflow import dag_id
from tests.e2e.stack import GOING_HOME, INCREMENTAL_TRAINING, NIGHTLY_REVIEW, PATIENCE, Stack
from tests.support.cloud import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture
def attempt(request: pytest.FixtureRequest) -> int:
    """Which try of the test this is, from 1: what a batch was asked is not asked again."""
    return int(getattr(request.node, "execution_count", 1))


def test_a_backfill_learns_every_label_once_in_fewer_trainings_than_batches(stack: Stack) -> None:
    dates = ["2026-10-01", "2026-10-02", "2026-10-03"]
    with stack.reviewers():
        if not stack.runs(NIGHTLY_REVIEW, "backfill"):
            # The sample begins on the 1st: the day before has no images, and is part of the range.
            stack.airflow_cli(
                "backfill", "create", "--dag-id", NIGHTLY_REVIEW, "--max-active-runs", "4",
                "--from-date", "2026-09-30", "--to-date", dates[-1],
            )  # fmt: skip
        eventually(lambda: len(stack.runs(NIGHTLY_REVIEW, "backfill")) == 4, within=PATIENCE, pause=1)
        stack.settled(NIGHTLY_REVIEW)
    batches = stack.runs(NIGHTLY_REVIEW, "backfill")
    assert [run["state"] for run in batches] == ["success"] * 4

    empty = next(run for run in batches if run["logical_date"].startswith("2026-09-30"))
    assert stack.tasks(NIGHTLY_REVIEW, empty["dag_run_id"])["list_batch"] == "skipped"

    for date in dates:
        loops = stack.loops(date)
        assert loops
        assert set(loops.values()) == {"Completed"}
        assert sorted(stack.labelled(date)) == sorted(loops)
        assert stack.batch(date).labels()["answers"] == len(loops)

    # Whatever the gate says: nothing that was learned from a backfill is used before a person has agreed, and
    # nobody has yet.
    first = stack.batch(dates[0]).champion()
    eventually(lambda: stack.lessons()[0], within=PATIENCE, pause=2)
    assert stack.batch(dates[0]).champion() == first
    # Each training waits for a yes before the next one begins.
    eventually(
        lambda: stack.settled(INCREMENTAL_TRAINING) and stack.lessons()[0] >= set(dates),
        within=PATIENCE,
        pause=2,
    )
    stack.settled(INCREMENTAL_TRAINING)
    jobs = [job for job in stack.jobs() if job.kind == "training"]
    assert [job.status for job in jobs] == ["Completed"] * len(jobs)
    assert len(jobs) - 1 < len(dates), "one is the first model's"
    assert max(stack.lessons()[1].values(), default=0) <= 1


def test_the_same_date_again_asks_nobody_starts_no_job_and_writes_the_same_bytes(stack: Stack) -> None:
    date = "2026-10-01"
    batch = stack.batch(date)
    keys = [key for key in batch.keys("") if f"dt={date}" in key]
    before = {key: batch.read(key) for key in keys}
    jobs, loops = stack.jobs(), stack.loops(date)

    stack.follow(NIGHTLY_REVIEW, batch_date=date)

    assert stack.loops(date) == loops
    assert {job.name for job in stack.jobs()} == {job.name for job in jobs}
    assert {key: batch.read(key) for key in keys} == before
    assert [key for key in batch.keys("") if f"dt={date}" in key] == keys


def test_kill_9_of_every_part_while_people_are_asked_loses_nothing(stack: Stack, attempt: int) -> None:
    date = ("2026-10-04", "2026-10-06")[attempt - 1]
    run = stack.airflow.trigger(NIGHTLY_REVIEW, batch_date=date)
    eventually(
        lambda: stack.tasks(NIGHTLY_REVIEW, run).get("triage") in ("running", "success"), within=PATIENCE
    )
    stack.kill("airflow", "scheduler")  # its executor's workers and their tasks are left to themselves
    stack.wait_for(NIGHTLY_REVIEW, run, "wait_for_human_loops", "deferred")
    asked = set(stack.loops(date))
    assert len(asked) == 8

    stack.kill("airflow", "triggerer")
    stack.kill("include.local_cloud")
    with stack.reviewers() as reviewers:
        eventually(lambda: stack.answered(date) > 0, within=PATIENCE, pause=0.2)
        stack.kill("include.local_cloud")  # this time between answers
        # Whoever was cut off comes back: the reviewers' program is restarted as a browser would be.
        reviewers.terminate()
        reviewers.wait(GOING_HOME)
    with stack.reviewers():
        assert stack.ended(NIGHTLY_REVIEW, run) == "success"
    assert set(stack.loops(date)) == asked
    assert sorted(stack.labelled(date)) == sorted(asked)


def test_kill_9_of_a_worker_in_the_middle_of_asking_asks_nobody_twice(stack: Stack, attempt: int) -> None:
    date = ("2026-10-05", "2026-10-07")[attempt - 1]
    with stack.reviewers():
        run = stack.airflow.trigger(NIGHTLY_REVIEW, batch_date=date)
        eventually(
            lambda: stack.tasks(NIGHTLY_REVIEW, run).get("start_human_loops") == "running",
            within=PATIENCE,
            pause=0.05,
        )
        stack.kill("LocalExecutor")
        assert stack.ended(NIGHTLY_REVIEW, run) == "success"
    loops = stack.loops(date)
    assert len(loops) == 8
    assert sorted(stack.labelled(date)) == sorted(loops)


def test_other_pictures_of_another_task_start_from_nothing(stack: Stack, tmp_path: Path) -> None:
    """By a backfill, so that a person is asked about the first model before it is used."""
    date, bucket, nightly = "2026-10-06", "nightloop-local", "nightly_review__shapes"
    truth = draw_shapes(tmp_path, stack.batch(date).s3, bucket, f"shapes/camera/{date.replace('-', '/')}/")
    for flow in ("review_setup", "incremental_training", "nightly_review"):
        stack.airflow.unpause(f"{flow}__shapes")
    stack.follow("review_setup__shapes")
    with stack.reviewers(truth):
        if not stack.runs(nightly, "backfill"):
            stack.airflow_cli(
                "backfill", "create", "--dag-id", nightly, "--from-date", date, "--to-date", date
            )  # fmt: skip
        eventually(lambda: stack.runs(nightly, "backfill"), within=PATIENCE, pause=1)
        stack.settled(nightly)
    labels = stack.labelled(date, "shapes")
    assert len(labels) == 10

    training, batch = "incremental_training__shapes", stack.batch(date, "shapes")
    eventually(lambda: batch.champion() or stack.asked(training), within=PATIENCE, pause=1)
    if batch.champion() is None:
        [question] = stack.asked(training)
        assert date in question["body"], "it says that a backfilled batch is the reason"
        assert "/nightloop/reports/shapes/" in question["body"]
        assert batch.champion() is None
        stack.answer(question, "Approve")
    stack.settled(training)
    run = stack.recorded(training)
    champion = batch.champion() or {}
    assert champion["hyperparameters"]["num_classes"] == "2"
    tasks = stack.tasks(training, run)
    # A program answers within the second, before Airflow has put the asking down: then `approve` is tried
    # again, finds the answer, and skips. Which model is used is the registry's to say.
    assert tasks["approve"] in ("success", "skipped")
    assert (tasks["deploy"], tasks["promote"], tasks["record"]) == ("skipped", "success", "success")
    report = stack.airflow._client.get(f"/nightloop/reports/shapes/{champion['training_job']}/index.html")
    assert report.status_code == 200
    assert report.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_cleared_run_whose_model_a_person_has_chosen_comes_to_the_same_verdict(stack: Stack) -> None:
    """Cleared from its first task, a run makes no new job, and every record keeps its bytes."""
    pipeline = "shapes"
    dag, batch = dag_id("incremental_training", pipeline), stack.batch("", pipeline)
    stack.settled(dag)
    run = stack.recorded(dag)
    before = {task: stack.output(dag, run, task) for task in ("build_dataset", "gate")}
    jobs = stack.jobs(pipeline)
    keys = [key for folder in ("evaluations/", "champion", "registry/") for key in batch.keys(folder)]
    records = {key: batch.read(key) for key in keys if key.endswith(".json")}

    stack.clear(dag, run)
    assert stack.ended(dag, run) == "success"

    assert {task: stack.output(dag, run, task) for task in before} == before
    assert stack.jobs(pipeline) == jobs
    assert {key: batch.read(key) for key in records} == records


def draw_shapes(folder: Path, s3: object, bucket: str, prefix: str) -> Path:
    """Ten photographs of a square or a disc, in three sizes, into the bucket; the reviewers' truth."""
    dice = random.Random(3)
    lines = []
    for number in range(10):
        width, height = dice.choice([(320, 240), (200, 300), (641, 481)])
        image = Image.new("RGB", (width, height), "grey")
        brush = ImageDraw.Draw(image)
        label = ("square", "disc")[number % 2]
        side = dice.randrange(40, 90)
        left, top = dice.randrange(width - side), dice.randrange(height - side)
        shape = brush.rectangle if label == "square" else brush.ellipse
        shape((left, top, left + side - 1, top + side - 1), fill=dice.choice(["red", "blue", "yellow"]))
        path = folder / f"shape-{number}.png"
        image.save(path)
        s3.upload_file(str(path), bucket, prefix + path.name)  # type: ignore[attr-defined]
        uri = f"s3://{bucket}/{prefix}{path.name}"
        lines.append({"source-ref": uri, "class": label})
    truth = folder / "truth.jsonl"
    truth.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return truth
