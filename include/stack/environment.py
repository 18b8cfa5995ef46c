"""The environment of the stack's processes: Airflow's settings, its two AWS connections, the import path.

Two layers: `base` is what every process gets, the local cloud included; `airflow` adds what Airflow
reads. The second needs the credentials that the local cloud generates at its first start.
"""

from __future__ import annotations

import configparser
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from include.stack.secrets import ADMINISTRATOR, load_or_create, passwords_file
from include.stack.settings import PROJECT, StackSettings

# Marks a process as belonging to the stack of one home. Only supervised processes and their children have
# it, so that `down` can end all of them and never the shell or test that started the stack.
MARKER = "NIGHTLOOP_STACK"
# Tells a command of a person how it was begun: include/loop/commands/hints.py.
BEGINNING = "NIGHTLOOP_BEGINNING"
REGION = "us-east-1"


def base(settings: StackSettings) -> dict[str, str]:
    """Variables for every process of the stack."""
    local = "127.0.0.1,localhost"
    return {
        "NIGHTLOOP_HOME": str(settings.home),
        "NIGHTLOOP_ENVIRONMENT": "local",
        **{port.variable: str(port.number) for port in settings.ports},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(PROJECT),
        "PYTHONUNBUFFERED": "1",
        # Process titles are written over the memory of the environment otherwise, and the marker would be
        # lost.
        "SPT_NOENV": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": local,
        "no_proxy": local,
    }


def inherited() -> dict[str, str]:
    """The user's environment, without what would lead the stack to another Airflow or to real AWS."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "AWS_"))}


def aws(settings: StackSettings) -> dict[str, str]:
    """The two variables that point the AWS CLI and every SDK at the local cloud."""
    return {
        "AWS_SHARED_CREDENTIALS_FILE": str(settings.aws_credentials),
        "AWS_CONFIG_FILE": str(settings.aws_config),
    }


def airflow(settings: StackSettings) -> dict[str, str]:
    """Variables for Airflow's processes, `base` included; the connections once the cloud has started."""
    secrets = load_or_create(settings)
    database = settings.airflow_home / "airflow.db"
    options: dict[str, dict[str, object]] = {
        "CORE": {
            "DAGS_FOLDER": PROJECT / "dags",
            "PLUGINS_FOLDER": PROJECT / "plugins",
            "LOAD_EXAMPLES": False,
            "EXECUTOR": "include.stack.executor.WatchfulLocalExecutor",
            "PARALLELISM": 4,  # two cores: the tasks wait for the cloud's jobs more than they compute
            "FERNET_KEY": secrets.fernet_key,
            "EXECUTION_API_SERVER_URL": f"{settings.airflow.url}/execution/",
            "SIMPLE_AUTH_MANAGER_USERS": f"{ADMINISTRATOR}:admin",
            "SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": passwords_file(settings),
            "HOSTNAME_CALLABLE": "socket.gethostname",  # no name server is asked
            # Seconds. A DAG file that takes longer is no DAG, and its tasks fail: 30 has been too short
            # beside a training.
            "DAGBAG_IMPORT_TIMEOUT": 180,
        },
        "DATABASE": {
            # A busy SQLite answers "database is locked" after 5 s by default.
            "SQL_ALCHEMY_CONN": f"sqlite:///{database}?timeout=60",
            "SQL_ALCHEMY_CONN_ASYNC": f"sqlite+aiosqlite:///{database}?timeout=60",
            "SQL_ALCHEMY_CONNECT_ARGS": "include.stack.database.CONNECT_ARGUMENTS",
        },
        "API": {
            "HOST": "127.0.0.1",
            "PORT": settings.airflow.number,
            "BASE_URL": settings.airflow.url,
            "WORKERS": 1,
            "SECRET_KEY": secrets.api_secret_key,
            "INSTANCE_NAME": "Nightloop (local)",
        },
        "API_AUTH": {"JWT_SECRET": secrets.jwt_secret},
        "WORKERS": {
            "EXECUTION_API_TIMEOUT": 30,  # seconds; 5 is short for two cores that also train
            # Seconds, also between two looks at whether a task's process has ended. When it has closed its
            # pipes and not quite ended, only the next look sees it, and a skip is not told before: 5 s.
            "MIN_HEARTBEAT_INTERVAL": 1,
        },
        "DAG_PROCESSOR": {
            "REFRESH_INTERVAL": 30,
            "PARSING_PROCESSES": 1,
            "MIN_FILE_PROCESS_INTERVAL": 60,
            "DAG_FILE_PROCESSOR_TIMEOUT": 200,
            "STALE_DAG_THRESHOLD": 200,  # no less than the line before
        },
        "SCHEDULER": {
            # Seconds; half of it passes between the end of a task and the start of the next, on an average.
            "SCHEDULER_IDLE_SLEEP_TIME": 0.5,
            # After kill -9 of a scheduler or a worker, its tasks are seen to within a minute or two, not
            # five.
            "ORPHANED_TASKS_CHECK_INTERVAL": 20,
            "TASK_INSTANCE_HEARTBEAT_TIMEOUT": 90,
        },
        "LOGGING": {
            "BASE_LOG_FOLDER": settings.logs / "tasks",
            "COLORED_CONSOLE_LOG": False,
            # Airflow sets these after making a log, whatever the umask says; its own are for a group.
            "FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",
            "FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
        },
    }
    return {
        **base(settings),
        "AIRFLOW_HOME": str(settings.airflow_home),
        # The executor imports NumPy and Arrow before it forks (executor.py): without their threads, which a
        # fork would lose.
        "OPENBLAS_NUM_THREADS": "1",
        "JE_ARROW_MALLOC_CONF": "background_thread:false",
        **{
            f"AIRFLOW__{section}__{name}": str(value)
            for section, values in options.items()
            for name, value in values.items()
        },
        **_connections(settings),
    }


def keys(settings: StackSettings) -> dict[str, str]:
    """The local cloud's generated key pair, as boto3.Session takes it. The cloud must have started once."""
    return _pair(settings.aws_credentials)


def review_keys(settings: StackSettings) -> dict[str, str]:
    """The key pair of the review server's callers, likewise."""
    return _pair(settings.review_credentials)


def _pair(file: Path) -> dict[str, str]:
    """The first key of a credentials file."""
    parser = configparser.ConfigParser()
    parser.read(file)
    profile = parser[parser.sections()[0]]
    return {name: profile[name] for name in ("aws_access_key_id", "aws_secret_access_key")}


def _connections(settings: StackSettings) -> dict[str, str]:
    """`aws_default` (S3, SageMaker) and `aws_review` (the review plane), as JSON in AIRFLOW_CONN_*."""
    if not settings.aws_credentials.exists():
        return {}
    pair = keys(settings)
    endpoints = {"aws_default": settings.cloud.url, "aws_review": settings.review.url}
    return {
        f"AIRFLOW_CONN_{name.upper()}": json.dumps(
            {
                "conn_type": "aws",
                "login": pair["aws_access_key_id"],
                "password": pair["aws_secret_access_key"],
                "extra": {
                    "region_name": REGION,
                    "endpoint_url": url,
                    # The provider ignores the endpoint above for STS (assume-role, connection test):
                    # named again.
                    "service_config": {"sts": {"endpoint_url": settings.cloud.url}},
                },
            }
        )
        for name, url in endpoints.items()
    }


def as_exports(variables: Mapping[str, str]) -> str:
    """Shell lines that set the variables: `eval "$(python -m include.stack env)"`."""
    import shlex

    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items()))
