"""Whole DAGs, run by Airflow's own `dag.test()`: parameters, skips and XComs as a run leaves them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag

from include.loop.core import layout
from nightloop.dag_factory import dag_id
from tests.airflow.place import Place
from tests.loop.pictures import patchwork
from tests.support.cloud import ROOT

pytestmark = pytest.mark.usefixtures("airflow_database")


def run_dag(place: Place, flow: str, date: str, **conf: Any) -> tuple[str, dict[str, str], Any]:
    """The run's state, the tasks' states, and the run."""
    dag = DagBag(str(ROOT / "dags")).dags[dag_id(flow, place.name)]
    run = dag.test(logical_date=datetime.fromisoformat(date).replace(tzinfo=UTC), run_conf=conf or None)
    states = {task.task_id: str(task.state) for task in run.get_task_instances()}
    return str(run.state), states, run


def test_a_date_without_images_ends_as_skipped(place: Place) -> None:
    place.put_images("2026-11-01", 1)  # the run of the 3rd works on the interval that ended: the 2nd
    state, tasks, _ = run_dag(place, "nightly_review", "2026-11-03")
    assert state == "success"
    assert set(tasks.values()) == {"skipped"}


def test_plan_only_leaves_counts_and_cost_and_asks_nobody(place: Place) -> None:
    place.set_up_review()
    place.put_images("2026-11-01", 4)
    _, tasks, run = run_dag(
        place, "nightly_review", "2026-11-20", batch_date="2026-11-01", plan_only=True, cap=2
    )
    assert {name for name, state in tasks.items() if state == "success"} == {
        "list_batch",
        "batch_inference",
        "triage",
    }
    start = run.get_task_instance("start_human_loops")
    assert start.state == "skipped"
    plan = start.xcom_pull(task_ids="start_human_loops", key="plan")
    assert (plan["batch"], plan["ask"], plan["images"]) == ("2026-11-01", 2, 4)
    assert place.answer() == 0


def test_with_nothing_new_training_is_skipped(place: Place) -> None:
    state, tasks, _ = run_dag(place, "incremental_training", "2026-11-01")
    assert state == "success"
    assert tasks.pop("plan") == tasks.pop("score_replay") == "success"
    assert set(tasks.values()) == {"skipped"}


def test_labels_of_another_tool_are_planned_imported_and_learned(place: Place) -> None:
    for number in range(3):
        place.put(f"set/{number}.jpg", patchwork(f"{number}"))
    images = [{"id": number, "file_name": f"{number}.jpg", "width": 64, "height": 48} for number in range(3)]
    boxes = [
        {"id": n, "image_id": n, "category_id": 7, "bbox": [9, 9, 20, 20], "area": 400, "iscrowd": 0}
        for n in range(3)
    ]
    coco = {"images": images, "annotations": boxes, "categories": [{"id": 7, "name": "Dog"}]}
    place.put("set/labels.json", json.dumps(coco).encode())
    conf: dict[str, Any] = {"source": place.storage.uri("set/")}
    state, tasks, _ = run_dag(place, "import_dataset", "2026-11-01", **conf)
    assert (state, tasks["import_dataset"]) == ("failed", "failed")  # whose dog is Dog?
    conf["map"] = ["Dog=dog"]
    state, tasks, run = run_dag(place, "import_dataset", "2026-11-02", **conf, plan_only=True)
    assert (state, set(tasks.values())) == ("success", {"skipped"})
    step = run.get_task_instance("import_dataset")
    assert step.xcom_pull(task_ids="import_dataset", key="plan")["labels"] == {"cat": 0, "dog": 3}
    assert not list(place.storage.list("labels/"))
    state, tasks, run = run_dag(place, "import_dataset", "2026-11-03", **conf)
    assert (state, set(tasks.values())) == ("success", {"success"})
    found = run.get_task_instance("import_dataset").xcom_pull(task_ids="import_dataset")
    assert list(place.storage.list_folders("labels/")) == [f"dt={found['batch']}"]
    assert b"dog 3" in place.storage.read(layout.report_page(found["import"]))
