"""The access keys of this cloud, and the files by which AWS's tools and SageMaker's SDKs use the first.

``DIR/credentials`` and ``DIR/config`` are made at the first start with a random key (mode 0600) and keep
that key for ever; the endpoint in ``config`` follows the port. The keys of the cloud's own parts follow from
that one. ``DIR/sagemaker.yaml`` has the defaults of the SageMaker SDKs. Takes the data directory, gives a
``Key``.
"""

from __future__ import annotations

import base64
import configparser
import hmac
import secrets
from dataclasses import dataclass
from pathlib import Path

from include.local_cloud.settings import ACCOUNT_ID, REGION, write_atomically

# The SDKs ask STS for the name of their bucket and for a role at its Amazon address, whatever endpoint is
# configured, and report each call to Amazon: unless this file, in SAGEMAKER_USER_CONFIG_OVERRIDE, says so.
_SAGEMAKER_SDK = f"""\
SchemaVersion: "1.0"
SageMaker:
  PythonSDK:
    Modules:
      TelemetryOptOut: true
      Session: {{DefaultS3Bucket: sagemaker-{REGION}-{ACCOUNT_ID}}}
  TrainingJob: {{RoleArn: "arn:aws:iam::{ACCOUNT_ID}:role/nightloop"}}
  Model: {{ExecutionRoleArn: "arn:aws:iam::{ACCOUNT_ID}:role/nightloop"}}
"""
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True)
class Key:
    """An access key: its public id and its secret."""

    id: str
    secret: str


@dataclass(frozen=True)
class Temporary:
    """What STS gave out: the secret, and the token that every request has to bring along."""

    secret: str
    token: str


def load_or_create(data: Path) -> Key:
    """The key in ``DIR/credentials``, generated at the first call."""
    path = data / "credentials"
    if path.exists():
        file = configparser.RawConfigParser()
        file.read(path)
        return Key(file["default"]["aws_access_key_id"], file["default"]["aws_secret_access_key"])
    key = Key("AKIA" + "".join(secrets.choice(_BASE32) for _ in range(16)), secrets.token_hex(20))
    text = f"[default]\naws_access_key_id = {key.id}\naws_secret_access_key = {key.secret}\n"
    write_atomically(path, text)
    return key


def derived(key: Key, part: str) -> Key:
    """The key of a part of the cloud: the same after every start, and no way back to the first key."""
    made = hmac.digest(key.secret.encode(), f"key of {part}".encode(), "sha256")
    return Key("AKIA" + base64.b32encode(made[:10]).decode(), made[10:30].hex())


def write_config(data: Path, endpoint_url: str) -> None:
    """Point AWS's tools (``DIR/config``) and SageMaker's SDKs (``DIR/sagemaker.yaml``) at this cloud."""
    # Version 4 is the only signature that the cloud reads, for presigned URLs too.
    s3 = "s3 =\n  signature_version = s3v4\n  addressing_style = path\n"
    write_atomically(data / "sagemaker.yaml", _SAGEMAKER_SDK)
    write_atomically(data / "config", f"[default]\nregion = {REGION}\nendpoint_url = {endpoint_url}\n{s3}")
