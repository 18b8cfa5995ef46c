"""The keys that API callers sign with: made once, kept private, added and revoked while the server runs."""

from __future__ import annotations

import stat
from pathlib import Path

import boto3
import pytest

from include.review_server.__main__ import main
from include.review_server.api.api_keys import ApiKeys
from tests.review_server.process import Process
from tests.review_server.rig import refused
from tests.support.cloud import LocalCloud


def _run(data: Path, *arguments: str) -> int:
    return main(["api-keys", *arguments, "--data", str(data)])


def test_the_first_start_makes_one_random_key_that_only_its_owner_reads(tmp_path: Path):
    files = [ApiKeys(tmp_path / name / "api-keys") for name in ("a", "b")]
    for file in files:
        file.create()
        file.create()
    (one,), (other,) = (file.all() for file in files)
    assert one.name == "default"
    assert len({one.id, one.secret, other.id, other.secret}) == 4
    assert stat.S_IMODE(files[0].path.stat().st_mode) == 0o600
    assert files[0].secret(one.id) == one.secret
    assert files[0].secret(other.id) is None


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path):
    file = ApiKeys(tmp_path / "api-keys")
    file.create()
    file.path.chmod(0o640)
    with pytest.raises(PermissionError, match="chmod 600"):
        ApiKeys(file.path).create()


@pytest.mark.parametrize(
    "text",
    [
        "[a]\naws_access_key_id = A\n",
        "aws_access_key_id = A",
        "[a]\naws_access_key_id = A\naws_secret_access_key = short\n",
        "[a]\naws_access_key_id =\naws_secret_access_key = 0123456789abcdef\n",
    ],
)
def test_a_file_that_is_no_credentials_file_is_refused_with_its_name(tmp_path: Path, text: str):
    path = tmp_path / "keys"
    path.touch(0o600)
    path.write_text(text)
    with pytest.raises(ValueError, match=str(path)):
        ApiKeys(path).create()


def test_keys_are_added_listed_and_revoked_without_their_secrets_being_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for name in ("ci", "airflow"):
        assert _run(tmp_path, "add", name) == 0
    ci, airflow = ApiKeys(tmp_path / "api-keys").all()
    assert _run(tmp_path, "list") == 0
    told = capsys.readouterr().out
    assert ci.id in told
    assert ci.secret not in told
    assert _run(tmp_path, "revoke", "ci") == 0
    assert ApiKeys(tmp_path / "api-keys").all() == [airflow]
    for wrong in (("add", "airflow"), ("add", "a b"), ("revoke", "ci")):
        assert _run(tmp_path, *wrong) == 1
    assert "api-keys list" in capsys.readouterr().err


def test_a_running_server_takes_new_keys_and_refuses_revoked_ones(cloud: LocalCloud, tmp_path: Path):
    with Process(cloud, tmp_path, own_keys=True).start() as server:
        assert _run(tmp_path, "add", "ci") == 0
        first, ci = ApiKeys(tmp_path / "api-keys").all()
        clients = [
            boto3.client(
                "sagemaker-a2i-runtime",
                endpoint_url=server.url,
                region_name="us-east-1",
                aws_access_key_id=key.id,
                aws_secret_access_key=key.secret,
            )
            for key in (first, ci)
        ]
        for client in clients:
            code = refused(client.describe_human_loop, HumanLoopName="x")[0]
            assert code == "ResourceNotFoundException"
        assert _run(tmp_path, "revoke", ci.id) == 0
        codes = [refused(client.describe_human_loop, HumanLoopName="x")[0] for client in clients]
        assert codes == ["ResourceNotFoundException", "UnrecognizedClientException"]
