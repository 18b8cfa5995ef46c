"""docker-compose.yaml as the cluster reads it: filled in, in order, and nothing passed over."""

from __future__ import annotations

import json
import re
import textwrap
import threading
from pathlib import Path

import pytest
from celery import Celery

from include.cluster import compose
from include.cluster.instances import Instance, instances, programs
from include.cluster.settings import COMPOSE_FILE, ClusterSettings
from include.cluster.variables import variables
from include.stack.settings import StackError

SERVICE = """
    image: redis:7
    restart: always
    stop_grace_period: 1m30s
    healthcheck: {test: [CMD, "true"], interval: 5s, timeout: 5s, retries: 3}
    deploy: {resources: {limits: {cpus: "1", memory: 1g, pids: 10}}}
"""


def read(tmp_path: Path, services: dict[str, str], **given: str) -> compose.Compose:
    """A file with services that have what SERVICE has, and more."""
    file = tmp_path / "docker-compose.yaml"
    parts = [f"  {name}:{SERVICE}{textwrap.indent(more, '    ')}" for name, more in services.items()]
    file.write_text("name: test\nservices:\n" + "\n".join(parts))
    return compose.read(file, given)


@pytest.fixture
def settings(tmp_path: Path) -> ClusterSettings:
    return ClusterSettings.from_environment({"NIGHTLOOP_HOME": str(tmp_path)})


@pytest.fixture
def ours(settings: ClusterSettings) -> list[Instance]:
    """The processes of the project's own file."""
    return instances(settings, compose.read(COMPOSE_FILE, variables(settings, {"NIGHTLOOP_WORKERS": "2"})))


def of(found: list[Instance], name: str) -> Instance:
    return next(instance for instance in found if instance.name == name)


def test_services_start_after_those_that_they_wait_for(tmp_path):
    wait = "depends_on: {%s: {condition: service_healthy}}"
    file = read(tmp_path, {"c": wait % "b", "b": wait % "a", "a": "", "d": ""})
    assert file.order() == [["a", "d"], ["b"], ["c"]]


def test_services_that_wait_for_each_other_or_for_nobody_are_refused(tmp_path):
    wait = "depends_on: {%s: {condition: service_healthy}}"
    with pytest.raises(StackError, match=r"wait for each other: .*a.*b"):
        read(tmp_path, {"a": wait % "b", "b": wait % "a"}).order()
    with pytest.raises(StackError, match="service a depends on nobody, which is no service"):
        read(tmp_path, {"a": wait % "nobody"}).order()


def test_variables_are_filled_in_as_compose_does(tmp_path):
    words = "command: ['${A:?}', '${B:-else}', '${C:-}', '${A:+then}', '${B:+then}', '$${A} $$A', 'x${A}y']"
    assert read(tmp_path, {"a": words}, A="one").services["a"].command == [
        "one", "else", "", "then", "", "${A} $A", "xoney",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("command: ['${A:?make one}']", r"services\.a\.command\.0: the variable A is not set. make one"),
        ("command: ['${A+other}']", r"services\.a\.command\.0: only .* are understood"),
        ("privileged: true", r"services\.a\.privileged: is not known here"),
        ("depends_on: {b: {condition: service_started}}", r"services\.a\.depends_on\.b\.condition: "),
        ("command: redis-server", r"services\.a\.command: "),
    ],
)
def test_what_it_does_not_understand_is_refused_with_its_place(tmp_path, more, told):
    with pytest.raises(StackError, match=told):
        read(tmp_path, {"a": more})


@pytest.mark.parametrize("wrong", ["10", "1.5s", "soon", "5s then"])
def test_a_duration_without_a_unit_is_refused(tmp_path, wrong):
    with pytest.raises(StackError, match="is no duration, such as 30s"):
        read(tmp_path, {"a": f"healthcheck: {{test: [], interval: {wrong}, timeout: 5s, retries: 1}}"})


def test_an_image_that_nothing_here_stands_for_is_refused(settings, tmp_path):
    [instance] = instances(settings, read(tmp_path, {"a": "image: mysql:8"}))
    with pytest.raises(StackError, match="what the image mysql:8 does; known are nightloop-airflow"):
        instance.words()


def test_an_address_that_is_no_service_s_is_refused(settings, tmp_path):
    more = "environment: {URL: 'http://elsewhere:8080/'}"
    [instance] = instances(settings, read(tmp_path, {"a": more}))
    with pytest.raises(StackError, match=r"service a: 'http://elsewhere:8080' leads to no service"):
        instance.variables()


def test_every_address_of_ours_is_of_this_machine_and_every_path_of_the_process_own_directory(ours, settings):
    for instance in ours:
        own = instance.image.environment(settings) | instance.service.environment
        given = instance.variables()
        text = "\n".join([*instance.words(), *(given[name] for name in own)])
        assert set(re.findall(r"(?:https?://|redis://|@)([^/:@\"\s]+)[:/]\D*", text)) <= {"127.0.0.1", ""}
        assert "0.0.0.0" not in text
        assert not re.search(r"(^|[\s=\"])/(opt|var|run)/", text, re.MULTILINE), text
    scheduler = of(ours, "airflow-scheduler")
    assert scheduler.variables()["PYTHONPATH"] == str(scheduler.root / "opt/airflow")
    assert f"@127.0.0.1:{settings.postgres.number}/airflow" in "".join(
        scheduler.variables()["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    )
    assert f"--port={settings.review.number}" in of(ours, "review").words()


def test_two_workers_have_names_and_directories_of_their_own(ours):
    workers = [instance for instance in ours if instance.service_name == "airflow-worker"]
    assert [worker.words()[-2:] for worker in workers] == [
        ["--celery-hostname", "airflow-worker-1"],
        ["--celery-hostname", "airflow-worker-2"],
    ]
    assert len({worker.variables()["AIRFLOW_HOME"] for worker in workers}) == 2
    for worker in workers:
        worker.prepare()
        assert (worker.directory / "dags" / "nightly_review.py").is_file()
        worker.prepare()  # as at every start
    logs = {(worker.directory / "logs").resolve() for worker in workers}
    assert len(logs) == 1, "the volume that the API server reads"


def test_no_password_is_among_the_words_of_a_program(ours, settings):
    secrets = [value for name, value in variables(settings).items() if re.search("PASSWORD|SECRET|KEY", name)]
    commands = [" ".join(instance.words()) for instance in ours]
    commands += [program.command for program in programs(settings, ours)]
    assert not [command for command in commands for secret in secrets if secret in command]


def test_what_compose_says_of_stopping_and_restarting_is_what_the_process_manager_is_told(ours):
    told = {instance.name: instance.program() for instance in ours}
    assert not told["airflow-migrate"].restarts
    assert all(program.restarts for name, program in told.items() if name != "airflow-migrate")
    assert told["airflow-worker-1"].stop_seconds == 300
    assert not told["airflow-worker-1"].stops_children, "a stop lets the worker finish its tasks"
    assert told["airflow-scheduler"].stops_children
    assert told["postgres"].level < told["airflow-migrate"].level < told["airflow-apiserver"].level


def test_a_worker_keeps_its_task_until_the_database_of_results_is_back(ours, tmp_path):
    """Otherwise it lets the task go within a second, and Airflow waits ten minutes for it."""
    there, away = tmp_path / "there", tmp_path / "away"
    there.mkdir()
    given = of(ours, "airflow-worker-1").service.environment["AIRFLOW__CELERY__EXTRA_CELERY_CONFIG"]
    worker = Celery(backend=f"db+sqlite:///{there}/results.db")
    worker.conf.update(json.loads(given))
    worker.backend.store_result("earlier", None, "STARTED")  # makes the tables
    there.rename(away)
    back = threading.Timer(2, away.rename, [there])
    back.start()
    try:
        worker.backend.store_result("task", None, "STARTED")
    finally:
        back.join()
    assert worker.backend.get_state("task") == "STARTED"
