"""The program: serving alone, and the members' commands."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import httpx
import pytest

import include.local_cloud.__main__ as local_cloud_program
import include.local_cloud.server as local_cloud_server
import include.review_server.__main__ as review_program
from include.review_server.__main__ import main
from include.review_server.clock import utc_now
from include.review_server.db.database import Database
from include.review_server.people.accounts import Accounts
from include.review_server.settings import ReviewSettings
from tests.review_server.process import Process
from tests.support.cloud import LocalCloud


def _members(data: Path, *arguments: str) -> int:
    return main(["members", *arguments, "--data", str(data)])


def test_a_new_members_password_is_shown_once_and_opens_the_server(
    cloud: LocalCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    with Process(cloud, tmp_path).start() as server:
        assert httpx.get(f"{server.url}/_nightloop/health").json() == {"status": "ok"}
        assert _members(tmp_path, "add", "ann", "--team", "reviewers") == 0
        password = capsys.readouterr().out.splitlines()[-1]
        assert len(password) >= 16
        reply = httpx.post(f"{server.url}/worker/session", json={"name": "ann", "password": password})
        assert reply.status_code == 201
        assert _members(tmp_path, "add", "ann", "--team", "others") == 0
        assert password not in capsys.readouterr().out
        assert _members(tmp_path, "list", "--json") == 0
        (member,) = json.loads(capsys.readouterr().out)
        assert (member["name"], member["teams"]) == ("ann", ["others", "reviewers"])
        assert member["worker_id"] == reply.json()["worker_id"]
        assert _members(tmp_path, "remove", "ann") == 0
        gone = httpx.post(f"{server.url}/worker/session", json={"name": "ann", "password": password})
        assert gone.status_code == 401
        assert server.terminate() in (0, -15)


def test_passwords_can_go_to_a_file_that_only_its_owner_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "secret" / "crew.json"
    for names in (["ann"], ["ben", "ann"]):
        assert _members(tmp_path, "add", *names, "--team", "t", "--credentials", str(file)) == 0
    workers = json.loads(file.read_text())["workers"]
    assert [worker["name"] for worker in workers] == ["ann", "ben"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    told = capsys.readouterr()
    assert not any(worker["password"] in told.out for worker in workers)
    assert told.err.count("a new database is made there") == 1, "a mistyped --data is not silent"
    assert _members(tmp_path, "reset", "ben", "--credentials", str(file)) == 0
    renewed = json.loads(file.read_text())["workers"]
    assert [worker["name"] for worker in renewed] == ["ann", "ben"]
    assert renewed[1]["password"] != workers[1]["password"]


def test_what_cannot_be_done_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert _members(tmp_path, "remove", "nobody") == 1
    assert "no member is called 'nobody'" in capsys.readouterr().err
    assert _members(tmp_path, "add", "ann") == 1
    assert "which team" in capsys.readouterr().err
    assert _members(tmp_path, "add", " ann", "--team", "t") == 1
    assert "printable" in capsys.readouterr().err
    assert _members(tmp_path, "add", "ann", "--team", "t") == 0
    assert _members(tmp_path, "add", "ann", "--team", "t", "--credentials", str(tmp_path / "f")) == 1
    assert "members reset" in capsys.readouterr().err


def test_an_invited_person_sets_the_own_password(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert _members(tmp_path, "invite", "ann", "--owner", "--public-url", "https://review.example/") == 0
    link = capsys.readouterr().out.splitlines()[-1]
    address, _, token = link.partition("#")
    assert address == "https://review.example/welcome"
    accounts = Accounts(Database(ReviewSettings(data_dir=tmp_path).database), utc_now)
    assert accounts.accept(token, "a good password of mine").is_owner
    assert accounts.sign_in("ann", "a good password of mine").is_owner
    assert _members(tmp_path, "list", "--json") == 0
    (member,) = json.loads(capsys.readouterr().out)
    assert (member["name"], member["teams"], member["owner"]) == ("ann", [], True)
    assert _members(tmp_path, "remove", "ann", "--owner") == 0
    assert accounts.members() == []


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["members", "add", "--help"]])
def test_help_is_there(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out


def test_nothing_said_means_ten_seconds_to_take_back_and_seven_tenths_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    made: list[ReviewSettings] = []

    def make(settings: ReviewSettings, *_: object, **__: object) -> None:
        made.append(settings)
        raise OSError("made, and not started")

    # Each program up to the point where it has its server; every other test sets these times.
    for program in (review_program, local_cloud_server):
        monkeypatch.setattr(program, "create_review", make)
    assert main(["serve", "--port", "0", "--data", str(tmp_path / "review")]) == 1
    cloud = ["local_cloud", "--port", "0", "--review-port", "0"]
    monkeypatch.setattr("sys.argv", [*cloud, "--data", str(tmp_path / "cloud")])
    assert local_cloud_program.main() == 1
    assert [(one.undo_seconds, one.least_seconds) for one in made] == [(10, 0.7)] * 2
    said = ["--undo-seconds", "3", "--least-seconds", "0.5"]
    assert main(["serve", "--port", "0", "--data", str(tmp_path / "review"), *said]) == 1
    monkeypatch.setattr("sys.argv", [*cloud, "--data", str(tmp_path / "another cloud"), *said])
    assert local_cloud_program.main() == 1
    assert [(one.undo_seconds, one.least_seconds) for one in made[2:]] == [(3, 0.5)] * 2


@pytest.mark.parametrize("wrong", ["601", "-1", "nan", "soon"])
def test_the_time_to_take_an_answer_back_has_bounds(wrong: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["serve", f"--undo-seconds={wrong}"])
    assert f"--undo-seconds: '{wrong}' is no number of seconds from 0 to 600" in capsys.readouterr().err
