"""The variables that docker-compose.yaml asks for: secrets made once, and the local cloud in place of AWS.

The file .env of the project is not read: what stands there is for real AWS.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping

from include.cluster.settings import ClusterSettings
from include.stack import environment
from include.stack.secrets import load_or_create, write_private

# What a person may set for a cluster as for compose.
_OF_THE_USER = (
    "NIGHTLOOP_ENVIRONMENT",
    "NIGHTLOOP_LOGS",
    "NIGHTLOOP_WORKERS",
    "NIGHTLOOP_REVIEW_READ_PREFIXES",
)


def variables(settings: ClusterSettings, given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Every variable of the file. The cloud's keys are empty words until it has started once."""
    common = load_or_create(settings)
    keys = environment.keys(settings) if settings.aws_credentials.exists() else {}
    return {
        **_own_secrets(settings),
        "AIRFLOW_FERNET_KEY": common.fernet_key,
        "AIRFLOW_JWT_SECRET": common.jwt_secret,
        "AIRFLOW_SECRET_KEY": common.api_secret_key,
        "AWS_REGION": environment.REGION,
        "AWS_ACCOUNT_ID": "0" * 12,
        "AWS_ACCESS_KEY_ID": keys.get("aws_access_key_id", "not-yet"),
        "AWS_SECRET_ACCESS_KEY": keys.get("aws_secret_access_key", "not-yet"),
        "AWS_ENDPOINT_URL": settings.cloud.url,
        "NIGHTLOOP_ENVIRONMENT": "local",
        "NIGHTLOOP_REVIEW_URL": settings.review.url,
        "NIGHTLOOP_SUBNET": "127.0.0.1/32",  # where everybody is
        **{name: given[name] for name in _OF_THE_USER if given.get(name)},
    }


def _own_secrets(settings: ClusterSettings) -> dict[str, str]:
    path = settings.run / "cluster-secrets.json"
    if not path.exists():
        names = ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "REVIEW_SECRET_KEY")
        write_private(path, json.dumps({name: secrets.token_hex(32) for name in names}, indent=2) + "\n")
    return dict(json.loads(path.read_text()))
