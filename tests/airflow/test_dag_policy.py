"""Rules that every DAG keeps, whoever writes the next one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from jinja2 import Template

from nightloop.dag_factory import output
from nightloop.operators.human_review import LISTED
from tests.support.cloud import ROOT

FLOWS = [
    "review_setup",
    "labeling_job",
    "import_dataset",
    "initial_training",
    "nightly_review",
    "incremental_training",
    "deployment",
    "teardown",
]
# Parameters that only the person who starts a run knows: no schedule starts these.
NEEDED = {("labeling_job", "images")}
ENVIRONMENT = """
region: us-east-1
bucket: a-bucket
pipeline: digits
role_arn: arn:aws:iam::000000000000:role/nightloop
algorithm: local
airflow: {pool: nightloop, queue: gpu, executor: LocalExecutor, priority_weight: 7, jobs_at_once: 3}
notify: {late_hours: 48}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pipelines: the environment's own and one more, whose YAML is broken."""
    folder = tmp_path_factory.mktemp("config")
    for name, text in {
        "environments/local.yaml": ENVIRONMENT,
        "pipelines/digits.yaml": "classes: ['0']",
        "pipelines/helmets.yaml": "classes: 5",
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def bag(config: Path) -> DagBag:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTLOOP_CONFIG_DIR", str(config))
        patch.setenv("NIGHTLOOP_ENVIRONMENT", "local")
        return DagBag(str(ROOT / "dags"))


@pytest.fixture(scope="module")
def dags(bag: DagBag) -> list[Any]:
    return list(bag.dags.values())


def test_dag_files_import_without_errors(bag: DagBag) -> None:
    assert bag.import_errors == {}


def test_every_file_in_dags_is_a_listed_flow() -> None:
    files = {path.relative_to(ROOT / "dags").as_posix() for path in (ROOT / "dags").rglob("*.py")}
    assert files == {f"{flow}.py" for flow in FLOWS}


def test_every_pipeline_has_every_flow_under_its_own_name(bag: DagBag) -> None:
    """Whichever is the environment's own, and even where its YAML is broken."""
    pipelines = ("digit-classes", "digits", "helmets", "trees")
    assert set(bag.dags) == {f"{flow}__{pipeline}" for flow in FLOWS for pipeline in pipelines}
    default = {dag_id for dag_id, dag in bag.dags.items() if "default" in dag.tags}
    assert default == {f"{flow}__digits" for flow in FLOWS}


def test_every_dag_says_who_what_and_how(dags: list[Any]) -> None:
    for dag in dags:
        assert dag.owner == "nightloop", dag.dag_id
        assert "nightloop" in dag.tags, dag.dag_id
        assert len(dag.tags) >= 3, dag.dag_id
        assert "# " in dag.doc_md, dag.dag_id
        for word in ("Safe to run again", "The same date again"):
            if word in dag.doc_md:
                break
        else:
            pytest.fail(f"{dag.dag_id}: the manual does not say what a second run does")
        assert "When it fails" in dag.doc_md, dag.dag_id
        assert dag.description, dag.dag_id


def test_every_dag_is_bounded(dags: list[Any]) -> None:
    for dag in dags:
        assert dag.catchup is False, dag.dag_id
        assert 1 <= dag.max_active_runs <= 8, dag.dag_id


def test_every_task_is_retried_after_a_pause_and_has_a_time_limit(dags: list[Any]) -> None:
    for task in (task for dag in dags for task in dag.tasks):
        assert task.retries >= 1, task
        assert task.retry_delay >= timedelta(seconds=10), task
        assert task.execution_timeout is not None, task
        assert task.execution_timeout <= timedelta(hours=2), task


def test_the_manual_names_every_task(dags: list[Any]) -> None:
    for dag in dags:
        missing = [task.task_id for task in dag.tasks if f"`{task.task_id}`" not in dag.doc_md]
        assert not missing, dag.dag_id


def test_every_parameter_has_a_title_a_description_limits_and_a_default(dags: list[Any]) -> None:
    for dag in dags:
        for name in dag.params:
            param = dag.params.get_param(name)
            where = f"{dag.dag_id}: {name}"
            assert param.description, where
            assert {"type", "title"} <= param.schema.keys(), where
            kinds = param.schema["type"] if isinstance(param.schema["type"], list) else [param.schema["type"]]
            if {"number", "integer"} & set(kinds):
                assert {"minimum", "maximum"} <= param.schema.keys(), where
            if (dag.dag_id.split("__")[0], name) not in NEEDED:
                param.resolve()  # the default is allowed, so that a scheduled run can start


def test_a_labeling_job_starts_with_its_images_only_and_its_form_asks_for_them(bag: DagBag) -> None:
    from airflow.sdk.exceptions import ParamValidationError
    from airflow.serialization.serialized_objects import DagSerialization

    dag = bag.dags["labeling_job__digits"]
    with pytest.raises(ParamValidationError):
        dag.params.validate()
    stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    shown = stored.params.get_param("images").dump()  # what the form is made of
    assert (shown["value"], shown["schema"]["type"]) == (None, "string"), "needed, and empty"


@pytest.mark.parametrize(
    ("name", "value"),
    [("batch_date", "yesterday"), ("threshold", 1.5), ("cap", 0), ("cap", 100_000), ("plan_only", "maybe")],
)
def test_the_form_refuses_what_makes_no_sense(bag: DagBag, name: str, value: object) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError):
        bag.dags["nightly_review__digits"].params.get_param(name).resolve(value)


def test_a_dag_serialises_to_the_same_version_at_every_parse(bag: DagBag, config: Path) -> None:
    """Anything that changes between parses would give the DAG a new version each time."""
    from airflow.serialization.serialized_objects import DagSerialization

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTLOOP_CONFIG_DIR", str(config))
        other = DagBag(str(ROOT / "dags"))
    for dag_id, dag in bag.dags.items():
        assert DagSerialization.to_dict(dag) == DagSerialization.to_dict(other.dags[dag_id])


def test_only_the_last_step_of_a_batch_notifies_training(bag: DagBag) -> None:
    outlets = {
        task.task_id: task.outlets for task in bag.dags["nightly_review__digits"].tasks if task.outlets
    }
    assert [asset.name for asset in outlets.pop("notify_training")] == ["digits_labels"]
    assert outlets == {}


def test_every_task_runs_where_the_environment_says(dags: list[Any]) -> None:
    for task in (task for dag in dags for task in dag.tasks):
        place = (task.pool, task.queue, task.executor, task.priority_weight)
        assert place == ("nightloop", "gpu", "LocalExecutor", 7), task


def test_a_backfill_predicts_only_so_many_batches_at_once(bag: DagBag) -> None:
    """Airflow counts a task that waits for its job among the active ones."""
    from airflow.ti_deps.dependencies_states import ACTIVE_STATES
    from airflow.utils.state import TaskInstanceState

    assert bag.dags["nightly_review__digits"].get_task("batch_inference").max_active_tis_per_dag == 3
    assert TaskInstanceState.DEFERRED in ACTIVE_STATES


def test_a_failed_run_is_told_and_a_scheduled_one_that_is_late(bag: DagBag) -> None:
    from nightloop.loop_notifiers import run_has_failed

    for dag_id, dag in bag.dags.items():
        assert dag.on_failure_callback == run_has_failed, dag_id
        late = dag_id.startswith(("nightly_review", "incremental_training"))
        assert bool(dag.deadline) is late, dag_id


def test_the_asset_graph_leads_from_labels_to_the_champion_and_back_to_predictions(bag: DagBag) -> None:
    def ends(direction: str) -> set[tuple[str, str, str]]:
        return {
            (flow, task.task_id, asset.uri.removeprefix("s3://a-bucket/digits/"))
            for flow in FLOWS
            for task in bag.dags[f"{flow}__digits"].tasks
            for asset in getattr(task, direction)
            if asset.group == "nightloop"
        }

    trainings = ("initial_training", "incremental_training")
    assert ends("outlets") == {
        ("nightly_review", "notify_training", "labels"),
        ("import_dataset", "notify_training", "labels"),
        ("labeling_job", "notify_training", "labels"),
        *((flow, "build_dataset", "datasets") for flow in trainings),
        *((flow, "promote", "champion.json") for flow in (*trainings, "deployment")),
        ("deployment", "rollback", "champion.json"),
    }
    assert ends("inlets") == {
        ("incremental_training", "build_dataset", "labels"),
        *((flow, "train", "datasets") for flow in trainings),
        ("nightly_review", "list_batch", "champion.json"),
    }


def test_a_round_is_one_group_whose_tasks_keep_their_ids(bag: DagBag) -> None:
    groups: Any = bag.dags["incremental_training__digits"].task_group.children
    assert list(groups["round"].children) == [
        "train", "evaluate", "gate", "register", "report", "approve", "deploy", "promote", "record",
    ]  # fmt: skip


def test_a_report_that_breaks_holds_no_approved_model_back_but_fails_the_run(bag: DagBag) -> None:
    for flow in ("initial_training", "incremental_training"):
        dag = bag.dags[f"{flow}__digits"]
        assert dag.get_task("report").downstream_task_ids == {"record"}
        assert dag.get_task("deploy").upstream_task_ids == {"register", "approve"}


def test_two_batches_never_collect_late_answers_at_once(bag: DagBag) -> None:
    assert bag.dags["nightly_review__digits"].get_task("assemble_manifest").max_active_tis_per_dag == 1
    assert bag.dags["incremental_training__digits"].max_active_runs == 1


def test_only_these_tasks_run_after_one_that_was_skipped_or_failed(bag: DagBag) -> None:
    """Anything else stops behind a step that did not succeed."""
    rules = {
        (flow, task.task_id): task.trigger_rule.value
        for flow in FLOWS
        for task in bag.dags[f"{flow}__digits"].tasks
        if task.trigger_rule != "all_success"
    }
    goes_on, training = "none_failed_min_one_success", ("initial_training", "incremental_training")
    assert rules == {
        ("nightly_review", "notify_training"): "none_failed",
        **{(flow, task): goes_on for flow in training for task in ("deploy", "promote")},
        **{(flow, "record"): "all_done" for flow in training},
        ("deployment", "promote"): goes_on,
        ("deployment", "report"): goes_on,
    }


def test_a_run_of_training_ends_with_its_record(bag: DagBag) -> None:
    """Its state is that of its last task, and `record` fails when any task did."""
    assert [task.task_id for task in bag.dags["initial_training__digits"].leaves] == ["record"]
    assert [task.task_id for task in bag.dags["incremental_training__digits"].leaves] == ["look_again"]
    assert bag.dags["incremental_training__digits"].get_task("look_again").upstream_task_ids == {"record"}


@pytest.mark.parametrize(
    ("xcoms", "batch"),
    [
        ({"listed": {"batch": "2026-11-01"}, "return_value": [0]}, "2026-11-01"),
        ({"return_value": {"batch": "2026-11-01"}}, "2026-11-01"),  # listed by version 0.5, and still waiting
        ({}, ""),
    ],
    ids=["now", "before 0.6", "no images"],
)
def test_a_run_finds_its_batch_after_an_upgrade(xcoms: dict[str, Any], batch: str) -> None:
    def pulled(task_ids: str, key: str = "return_value") -> Any:
        return xcoms.get(key)

    template = Template(output("list_batch", "batch", default="", xcom=LISTED))
    assert template.render(ti=SimpleNamespace(xcom_pull=pulled)) == batch
