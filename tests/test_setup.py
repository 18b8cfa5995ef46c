"""The files around the code agree with each other and with the tree: requirements, compose, make, git."""

from __future__ import annotations

import importlib
import ipaddress
import json
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from include.review_server.settings import ReviewSettings

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENT_FILES = ("requirements.txt", "requirements-local.txt", "requirements-dev.txt")
# Services that run images of others; everything else runs ours.
FOREIGN_SERVICES = {"postgres", "redis"}


def requirements(name: str) -> list[Requirement]:
    lines = (line.split(" #")[0].strip() for line in (ROOT / name).read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-r"))]


def constraints() -> Mapping[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if "==" in line)
    return {str(canonicalize_name(name)): version for name, version in pairs}


def compose() -> dict:
    return yaml.safe_load((ROOT / "docker-compose.yaml").read_text())


def own_services() -> dict[str, dict]:
    return {name: service for name, service in compose()["services"].items() if name not in FOREIGN_SERVICES}


class TestRequirements:
    @pytest.mark.parametrize("name", REQUIREMENT_FILES)
    def test_every_requirement_is_pinned_to_a_version_that_it_allows(self, name):
        pinned = constraints()
        for requirement in requirements(name):
            version = pinned.get(canonicalize_name(requirement.name))
            assert version is not None, (
                f"{requirement} of {name} is not in constraints.txt: `make constraints`"
            )
            assert requirement.specifier.contains(version), (
                f"{requirement} does not allow the pinned {version}"
            )

    def test_the_installed_packages_are_the_pinned_ones(self):
        installed = {str(canonicalize_name(item.name)): item.version for item in metadata.distributions()}
        differing = {
            name: (installed.get(name), version)
            for name, version in constraints().items()
            if installed.get(name) != version
        }
        assert not differing, "run `make setup`: installed and pinned versions differ"

    def test_what_checks_the_javascript_is_pinned_exactly(self):
        package = json.loads((ROOT / "package.json").read_text())
        assert package.keys() & {"dependencies", "devDependencies"} == {"devDependencies"}
        locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]
        for name, version in package["devDependencies"].items():
            assert locked[f"node_modules/{name}"]["version"] == version

    def test_what_a_worker_installs_is_what_the_airflow_image_installs(self):
        assert "-r /opt/nightloop/requirements.txt -c /opt/nightloop/constraints.txt" in dockerfile()

    def test_the_image_is_of_the_pinned_airflow(self):
        assert f"ARG AIRFLOW_VERSION={constraints()['apache-airflow']}\n" in dockerfile()

    def test_the_review_image_installs_pinned_packages_only(self):
        names = re.search(r"RUN pip install [^\n]*\\\n(.+)\n", dockerfile().split(" AS review")[1])
        assert names is not None
        packages = [Requirement(word.strip('"')) for word in names[1].split()]
        assert packages
        assert {canonicalize_name(package.name) for package in packages} <= constraints().keys()


def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text()


class TestDockerfile:
    def test_everything_it_copies_is_there(self):
        for line in dockerfile().splitlines():
            if line.startswith("COPY "):
                *sources, _ = [word for word in line.split()[1:] if not word.startswith("--")]
                assert sources
                assert all((ROOT / source).exists() for source in sources), line


class TestCompose:
    def test_it_follows_the_compose_specification(self):
        result = subprocess.run(
            [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec",
             str(ROOT / "docker-compose.yaml")],
            capture_output=True, text=True,
        )  # fmt: skip
        assert result.returncode == 0, result.stdout + result.stderr

    @pytest.mark.parametrize("name", compose()["services"])
    def test_every_service_says_whether_it_is_well_what_it_may_take_and_how_it_ends(self, name):
        service = compose()["services"][name]
        assert service["restart"] == ("no" if name == "airflow-migrate" else "always")
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
        assert {"interval", "timeout", "retries"} <= service["healthcheck"].keys()
        assert {"cpus", "memory", "pids"} <= service["deploy"]["resources"]["limits"].keys()
        assert re.fullmatch(r"\d+[sm]", service["stop_grace_period"])

    def test_the_checks_ask_airflow_and_celery_what_they_can_be_asked(self):
        from airflow.cli.cli_parser import get_parser

        tests = {
            name: service["healthcheck"]["test"]
            for name, service in own_services().items()
            if "healthcheck" in service
        }
        assert tests.pop("airflow-migrate") == ["CMD", "airflow", "db", "check"]
        assert get_parser().parse_args(["db", "check"])
        asked = {words[5]: name for name, words in tests.items() if words[1] == "airflow"}
        assert asked.keys() == {"SchedulerJob", "DagProcessorJob", "TriggererJob"}
        for words in tests.values():
            if words[1] == "airflow":
                assert get_parser().parse_args(words[2:]).local
        module, _, name = tests["airflow-worker"][1].split()[2].rpartition(".")
        assert hasattr(importlib.import_module(module), name)

    def test_the_check_of_the_review_server_tells_a_well_one_from_an_ill_one(self, tmp_path):
        words = own_services()["review"]["healthcheck"]["test"][1:]
        for status, expected in ((200, 0), (503, 1)):
            server = HTTPServer(("127.0.0.1", 0), type("Handler", (Answering,), {"status": status}))
            thread = threading.Thread(target=server.handle_request)
            thread.start()
            code = words[2].replace("4567", str(server.server_port))
            result = subprocess.run([sys.executable, words[1], code], capture_output=True, timeout=60)
            thread.join()
            server.server_close()
            assert result.returncode == expected

    def test_airflow_is_as_patient_as_the_local_stacks(self, tmp_path):
        from include.stack import environment
        from include.stack.settings import StackSettings

        local = environment.airflow(StackSettings.from_environment({"NIGHTLOOP_HOME": str(tmp_path)}))
        options = [
            "WORKERS__EXECUTION_API_TIMEOUT",
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT",
            "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL",
        ]
        environments = [service["environment"] for service in own_services().values()]
        for option in (f"AIRFLOW__{option}" for option in options):
            values = {
                variables[option] for variables in environments if "AIRFLOW__CORE__EXECUTOR" in variables
            }
            assert values == {local[option]}

    def test_the_review_server_believes_the_proxies_on_its_network_and_nobody_else(self, tmp_path):
        document = compose()
        (network,) = document["networks"]["default"]["ipam"]["config"]
        (option,) = (word for word in document["services"]["review"]["command"] if "trusted" in word)
        assert option == f"--trusted-proxies={network['subnet']}"
        default = re.fullmatch(r"\$\{NIGHTLOOP_SUBNET:-(.+)\}", network["subnet"])
        assert default is not None
        assert ipaddress.ip_network(default[1]).is_private
        assert ReviewSettings(data_dir=tmp_path, trusted_proxies=(default[1],)).trusted_proxies

    def test_every_mounted_folder_of_the_project_is_there(self):
        mounted = {
            volume.split(":")[0]
            for service in own_services().values()
            for volume in service["volumes"]
            if volume.startswith("./")
        }
        assert mounted == {"./dags", "./plugins", "./include"}
        assert all((ROOT / folder).is_dir() for folder in mounted)

    @pytest.mark.parametrize("name", own_services())
    def test_every_service_has_include_mounted_on_its_import_path(self, name):
        service = own_services()[name]
        targets = [volume.split(":")[1] for volume in service["volumes"] if volume.startswith("./include:")]
        assert targets == [f"{service['environment']['PYTHONPATH']}/include"]

    @pytest.mark.parametrize("name", own_services())
    def test_every_build_target_is_a_stage_of_the_dockerfile(self, name):
        assert f" AS {own_services()[name]['build']['target']}\n" in dockerfile()

    def test_every_port_is_on_this_machine_only(self):
        ports = [port for service in compose()["services"].values() for port in service.get("ports", ())]
        assert ports == ["127.0.0.1:8080:8080", "127.0.0.1:4567:4567"]

    def test_every_named_volume_and_config_is_declared(self):
        document = compose()
        for service in document["services"].values():
            named = {
                volume.split(":")[0] for volume in service.get("volumes", ()) if not volume.startswith("./")
            }
            assert named <= document["volumes"].keys()
            assert {config["source"] for config in service.get("configs", ())} <= document["configs"].keys()

    def test_every_host_of_an_address_is_a_service(self):
        document = compose()
        text = yaml.safe_dump(document["services"])
        hosts = set(re.findall(r"(?:@|http://)([a-z-]+)[:/]", text)) - {"localhost"}
        assert hosts == {"postgres", "redis", "review", "airflow-apiserver"}
        assert hosts <= document["services"].keys()

    def test_no_secret_has_a_default(self):
        text = (ROOT / "docker-compose.yaml").read_text()
        variables = re.findall(r"\$\{([A-Z_]+)(:?[-?]?)", text)
        with_default = {name for name, operator in variables if operator != ":?"}
        harmless = {
            "NIGHTLOOP_LOGS",
            "NIGHTLOOP_REVIEW_URL",
            "NIGHTLOOP_REVIEW_READ_PREFIXES",
            "NIGHTLOOP_SUBNET",
        }
        assert with_default == {"AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "NIGHTLOOP_WORKERS"} | harmless

    def test_every_airflow_setting_exists_in_airflow(self):
        known = airflow_settings()
        used = {
            name
            for service in own_services().values()
            for name in service["environment"]
            if name.startswith("AIRFLOW__")
        }
        # Airflow's reference leaves it out.
        airflow = metadata.distribution("apache-airflow-core")
        source = Path(str(airflow.locate_file("airflow/jobs/scheduler_job_runner.py")))
        assert 'key="num_stuck_in_queued_retries"' in source.read_text()
        assert used - known == {"AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES"}

    def test_every_variable_of_ours_is_read_by_our_code(self):
        ours = {
            name
            for service in own_services().values()
            for name in service["environment"]
            if name.startswith("NIGHTLOOP_")
        }
        code = "\n".join(path.read_text() for path in (ROOT / "include").rglob("*.py"))
        review = {"NIGHTLOOP_REVIEW_DATABASE", "NIGHTLOOP_REVIEW_READ_PREFIXES"}
        assert ours == {"NIGHTLOOP_ENVIRONMENT"} | review
        assert all(name in code for name in ours)

    def test_the_review_server_takes_the_options_it_is_given(self):
        command = own_services()["review"]["command"]
        help_text = subprocess.run(
            [sys.executable, *command[1:4], "--help"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        options = [word.split("=")[0] for word in command[4:]]
        assert options
        assert all(option in help_text for option in options)

    def test_airflow_knows_every_command_it_is_given(self):
        from airflow.cli.cli_parser import airflow_commands

        known = {command.name for command in airflow_commands} | {"celery"}  # celery: of its provider
        commands = {service["command"][0] for name, service in own_services().items() if name != "review"}
        assert commands == {"db", "api-server", "scheduler", "dag-processor", "triggerer", "celery"}
        assert commands <= known


class Answering(BaseHTTPRequestHandler):
    """Answers one request with a status."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/_nightloop/health" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def airflow_settings() -> set[str]:
    """Every AIRFLOW__SECTION__OPTION variable that Airflow or the Celery provider documents."""
    import airflow.providers.celery.get_provider_info as celery

    config = metadata.distribution("apache-airflow-core").locate_file("airflow/config_templates/config.yml")
    sections = yaml.safe_load(Path(str(config)).read_text()) | celery.get_provider_info()["config"]
    return {
        f"AIRFLOW__{section}__{option}".upper()
        for section, body in sections.items()
        for option in body["options"]
    }


class TestStackSettings:
    def test_every_airflow_setting_of_the_local_stack_exists_in_airflow(self, tmp_path):
        from include.stack import environment
        from include.stack.settings import StackSettings

        settings = StackSettings.from_environment({"NIGHTLOOP_HOME": str(tmp_path)})
        used = {name for name in environment.airflow(settings) if name.startswith("AIRFLOW__")}
        assert used <= airflow_settings()


class TestMake:
    def test_every_target_named_in_the_readme_exists(self):
        makefile = (ROOT / "Makefile").read_text()
        targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
        readme = (ROOT / "README.md").read_text()
        named = set(re.findall(r"^ *(?:[A-Z_]+=\S+ )*make ([a-z-]+)", readme, re.MULTILINE))
        named |= set(re.findall(r"`(?:[A-Z_]+=\S+ )*make ([a-z-]+)`", readme))
        assert {"demo", "test", "up", "down"} <= named
        assert named <= targets

    def test_ci_runs_what_a_developer_runs(self):
        assert "exec make test" in (ROOT / ".ci" / "run").read_text()

    def test_a_second_make_finds_nothing_to_install(self):
        result = subprocess.run(
            ["make", "--question", "setup"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, "a file of requirements is newer than .venv/.installed"


class TestEnvironments:
    """``.ci/setup --environment``: further environments of the tests, made once and kept."""

    def test_two_who_ask_at_once_get_one_and_new_pins_make_it_anew(self, tmp_path):
        requirements, constraints = tmp_path / "requirements.txt", tmp_path / "constraints.txt"
        requirements.write_text("-r included.txt\n")
        (tmp_path / "included.txt").write_text("")
        constraints.write_text("# none\n")
        place = tmp_path / "environments" / "one"
        command = ["bash", ".ci/setup", "--environment", place, requirements, constraints]

        asked = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        said = "".join(process.communicate(timeout=240)[0] for process in asked)

        assert [process.returncode for process in asked] == [0, 0]
        assert said.count("Setting up") == 1
        (place / "of-yesterday").touch()
        assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == ""
        (tmp_path / "included.txt").write_text("# another pin\n")
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        assert not (place / "of-yesterday").exists()


class TestGit:
    @pytest.mark.parametrize("path", [".venv/bin/python", ".nightloop/run/secrets.json", ".env"])
    def test_packages_state_and_secrets_are_not_committed(self, path):
        assert subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT).returncode == 0
