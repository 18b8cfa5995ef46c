"""When training begins, when it is left to a later run, and when it starts itself again."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, DagRunTriggerException

from nightloop.operators.challenger import JudgeOperator
from nightloop.operators.datasets import BuildDatasetOperator, PlanTrainingOperator, TrainAgainOperator
from tests.airflow.place import Place, TaskInstance
from tests.loop.evaluation.test_gate import compared, metrics


def commit_labels(place: Place, date: str, count: int) -> None:
    """A shard as a finished batch leaves it: the summary is what makes it count."""
    lines = [
        {
            "source-ref": uri,
            "review": {"annotations": [], "image_size": [{"width": 64, "height": 48, "depth": 3}]},
            "review-metadata": {"objects": [], "creation-date": f"{date}T00:00:00.000000"},
        }
        for uri in place.put_images(date, count)
    ]
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    place.put(f"labels/dt={date}/augmented.manifest", body)
    place.put(f"labels/dt={date}/quarantine.jsonl", b"")
    place.put(f"labels/dt={date}/summary.json", json.dumps({"batch": date, "labels": count}).encode())


def plan(place: Place, run_type: str, ti: TaskInstance | None = None, **kwargs: Any) -> Any:
    task = PlanTrainingOperator(
        task_id="plan", pipeline=place.name, batches=("nightly_review", "notify_training"), **kwargs
    )
    return place.run(
        task, dag_run=SimpleNamespace(run_type=run_type), ti=TaskInstance() if ti is None else ti
    )


@pytest.fixture
def labelled(place: Place) -> Place:
    commit_labels(place, "2026-11-01", 4)
    return place


def test_new_labels_are_counted_from_s3(labelled: Place) -> None:
    assert plan(labelled, "manual")["new_labels"] == 4


@pytest.mark.parametrize("run_type", ["asset_triggered", "operator_triggered"])
def test_an_event_triggered_run_leaves_it_to_the_last_batch_in_progress(
    labelled: Place, run_type: str
) -> None:
    with pytest.raises(AirflowSkipException, match="last of 2 batches"):
        plan(labelled, run_type, TaskInstance(unfinished_tasks=2, unfinished_runs=3))
    assert plan(labelled, run_type, TaskInstance(unfinished_tasks=0, unfinished_runs=1)), (
        "that batch has notified"
    )
    assert plan(labelled, run_type, TaskInstance(unfinished_tasks=1, unfinished_runs=0)), (
        "that batch has died"
    )


@pytest.mark.parametrize("run_type", ["scheduled", "manual"])
def test_the_clock_and_people_wait_for_nobody(labelled: Place, run_type: str) -> None:
    assert plan(labelled, run_type, TaskInstance(unfinished_tasks=2, unfinished_runs=2))


def test_plan_only_trains_nothing(labelled: Place) -> None:
    ti = TaskInstance()
    with pytest.raises(AirflowSkipException, match="plan_only: 4 labels"):
        plan(labelled, "manual", ti, plan_only=True)
    assert ti["plan"]["new_labels"] == 4


def test_with_too_few_new_labels_there_is_nothing_to_learn(labelled: Place) -> None:
    task = BuildDatasetOperator(task_id="build_dataset", pipeline=labelled.name, min_new_labels=5)
    with pytest.raises(AirflowSkipException, match="5"):
        labelled.run(task)


def test_a_cleared_run_takes_its_own_dataset_again(labelled: Place) -> None:
    """Also when there would be another one by now, or none: the round can be repeated to the letter."""
    task = BuildDatasetOperator(task_id="build_dataset", pipeline=labelled.name)
    context = labelled.context()
    first = task.execute(context)
    commit_labels(labelled, "2026-11-02", 2)
    assert task.execute(context) == first
    assert labelled.run(task)["dataset_id"] != first["dataset_id"], "another run learns from all"


def look_again(place: Place, dataset_id: str) -> Any:
    task = TrainAgainOperator(
        task_id="look_again",
        pipeline=place.name,
        dataset_id=dataset_id,
        trigger_dag_id="incremental_training",
    )
    return place.run(task)


def test_labels_that_came_in_meanwhile_start_the_flow_again_once(labelled: Place) -> None:
    pipeline = labelled.name
    dataset_id = labelled.run(BuildDatasetOperator(task_id="build_dataset", pipeline=pipeline))["dataset_id"]

    with pytest.raises(AirflowSkipException, match="No labels came in"):
        look_again(labelled, dataset_id)
    commit_labels(labelled, "2026-11-02", 2)
    with pytest.raises(DagRunTriggerException) as again:
        look_again(labelled, dataset_id)
    assert again.value.trigger_dag_id == "incremental_training"
    assert again.value.dag_run_id == f"again__{dataset_id}", "a retry names the same run"
    assert again.value.skip_when_already_exists is True


def set_champion(place: Place, dataset_id: str, job: str) -> None:
    champion = {
        "number": 1, "training_job": job, "dataset_id": dataset_id, "model_data": "s3://b/m",
        "base_network": "resnet-50", "num_classes": 2, "image_shape": 300, "metrics": {},
        "promoted_at": "2026-11-01T00:00:00+00:00", "package_arn": "arn",
    }  # fmt: skip
    place.put("champion.json", json.dumps(champion).encode())


def judge(place: Place, dataset: dict[str, Any], job: str, after: float) -> Any:
    """The verdict about a challenger whose training and evaluation are made up; before it was 0.8."""
    model = {"training_job": job, "model_data": "s3://b/m", "parent": dataset["parent"]}
    model |= {"dataset_id": dataset["dataset_id"]}
    place.put(f"models/{job}/model.json", json.dumps(model).encode())
    measured = metrics(dataset["parent"], day=compared(0.8, after))
    place.put(f"evaluations/{job}/metrics.json", json.dumps(measured).encode())
    return place.run(JudgeOperator(task_id="gate", pipeline=place.name, training_job=job))


def test_nights_that_did_harm_are_tried_again_apart_and_their_owner_is_told(
    labelled: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    labelled.settings["training"] = {"trials": 1}
    labelled.save()
    build = BuildDatasetOperator(task_id="build_dataset", pipeline=labelled.name)
    set_champion(labelled, labelled.run(build)["dataset_id"], "first")
    for date in ("2026-11-02", "2026-11-03"):
        commit_labels(labelled, date, 4)
    both = labelled.run(build)
    verdict = judge(labelled, both, "both", after=0.5)
    assert verdict["outcome"] == "harm"
    logged = capsys.readouterr().out
    assert "2026-11-02 is suspended: it took part in harm (both)" in logged
    assert "discard-labels 2026-11-03" in logged
    with pytest.raises(DagRunTriggerException) as again:
        look_again(labelled, both["dataset_id"])
    assert again.value.dag_run_id == f"again__{both['dataset_id']}"

    ti = TaskInstance()
    with pytest.raises(
        AirflowSkipException, match="A further trial: a part of the batches of which one did harm"
    ):
        plan(labelled, "operator_triggered", ti, plan_only=True)
    assert ti["plan"]["suspended"] == ["2026-11-02", "2026-11-03"]
    context = labelled.context()
    half = build.execute(context)
    assert half["trial"] == {"kind": "split", "batches": ["2026-11-02"]}
    assert "Left out: 2026-11-03 (suspended" in capsys.readouterr().out
    commit_labels(labelled, "2026-11-04", 4)
    assert build.execute(context) == half, "a cleared run takes its own trial again"
    judge(labelled, half, "half", after=0.5)
    assert "2026-11-02 is set aside: it did harm by itself (half)" in capsys.readouterr().out

    with pytest.raises(DagRunTriggerException):
        look_again(labelled, half["dataset_id"])
    rest = labelled.run(build)
    assert rest["trial"] == {"kind": "round", "batches": ["2026-11-03", "2026-11-04"]}
    judge(labelled, rest, "rest", after=0.7)
    with pytest.raises(AirflowSkipException, match="no batch is to be tried again now"):
        look_again(labelled, rest["dataset_id"])  # one further trial a day
    with pytest.raises(AirflowSkipException, match=r"training\.trials allows 1 within 24 hours"):
        labelled.run(build)
