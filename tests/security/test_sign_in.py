"""Guessing, flooding and locking out at the sign-in; nonsense there; and what a proxy may say of others."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from argon2 import PasswordHasher
from sqlalchemy import func, select

from include.review_server.app import Review, create_review
from include.review_server.clock import utc_now
from include.review_server.db.database import Database
from include.review_server.db.models import FailedSignIn
from include.review_server.errors import NotSignedIn, TooManyAttempts
from include.review_server.people import passwords, throttle
from include.review_server.people.accounts import Accounts
from include.review_server.people.devices import DEVICE_DAYS
from include.review_server.people.throttle import Budget, Throttle
from include.review_server.settings import ReviewSettings
from tests.review_server.rig import MovableClock
from tests.support.cloud import ROOT, eventually
from tests.support.serving import serving

PASSWORD = "correct horse battery"
Reply = httpx.Response
_QUICK = partial(PasswordHasher, time_cost=1, memory_cost=64, parallelism=1)


@pytest.fixture(autouse=True)
def _quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "PasswordHasher", _QUICK)


@pytest.fixture
def clock() -> Iterator[MovableClock]:
    clock = MovableClock()
    with clock.stopped():
        yield clock


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'review.db'}")
    made.upgrade()
    yield made
    made.close()


@pytest.fixture
def accounts(database: Database, clock: MovableClock) -> Accounts:
    made = Accounts(database, clock)
    made.accept(made.invite("ann", "reviewers")[1], PASSWORD)
    return made


class Server:
    """A review server of its own, with one member."""

    def __init__(self, review: Review, url: str) -> None:
        self.review, self.url = review, url

    def post(
        self, path: str, body: dict[str, Any], client: httpx.Client | None = None, **headers: str
    ) -> Reply:
        with httpx.Client() if client is None else nullcontext(client) as sender:
            return sender.post(self.url + path, json=body, headers=headers, timeout=60)

    def sign_in(
        self, password: str = PASSWORD, client: httpx.Client | None = None, name: str = "ann", **headers: str
    ) -> Reply:
        headers = {header.replace("_", "-"): value for header, value in headers.items()}
        return self.post("/worker/session", {"name": name, "password": password}, client, **headers)


Serve = Callable[..., AbstractContextManager[Server]]


@pytest.fixture
def serve(tmp_path: Path, clock: MovableClock) -> Serve:
    @contextmanager
    def serve(trusted_proxies: Sequence[str] = ()) -> Iterator[Server]:
        settings = ReviewSettings(
            data_dir=tmp_path / "server",
            s3_endpoint_url="http://127.0.0.1:9",
            access_key_id="x",
            secret_access_key="y",
        )
        review = create_review(settings, clock)
        with serving(review.asgi, trusted_proxies) as (host, port):
            review.accounts.accept(review.accounts.invite("ann", "reviewers")[1], PASSWORD)
            yield Server(review, f"http://{host}:{port}")

    return serve


def guess(accounts: Accounts, address: str, device: str | None = None, password: str = "wrong") -> str:
    try:
        accounts.sign_in("ann", password, address, device)
    except (NotSignedIn, TooManyAttempts) as error:
        return type(error).__name__
    return "signed in"


class TestLockingOut:
    def test_an_attack_from_everywhere_keeps_no_known_device_out_and_a_new_one_a_minute(
        self, accounts: Accounts, clock: MovableClock
    ):
        device = accounts.sign_in("ann", PASSWORD, "192.0.2.1").device
        seen = [guess(accounts, f"10.0.{i}.1") for i in range(60)]
        assert seen.count("NotSignedIn") == throttle.OF_A_NAME.free
        assert guess(accounts, "10.99.0.1", device, PASSWORD) == "signed in"
        for i in range(40):
            clock.advance(60)
            guess(accounts, f"10.1.{i}.1")
        while guess(accounts, "10.2.0.1") != "NotSignedIn":
            clock.advance(1)
        with pytest.raises(TooManyAttempts) as refusal:
            accounts.sign_in("ann", PASSWORD, "198.51.100.1")
        assert refusal.value.retry_after <= 60
        clock.advance(60)
        assert guess(accounts, "198.51.100.1", password=PASSWORD) == "signed in"

    def test_an_attack_from_the_same_network_keeps_no_known_device_out(
        self, accounts: Accounts, clock: MovableClock
    ):
        device = accounts.sign_in("ann", PASSWORD, "2001:db8::1").device
        for i in range(40):
            guess(accounts, f"2001:db8::{i:x}")
            clock.advance(20)
        assert guess(accounts, "2001:db8::1", password=PASSWORD) == "TooManyAttempts"
        assert guess(accounts, "2001:db8::1", device, PASSWORD) == "signed in"

    def test_a_stolen_mark_gives_no_more_guesses_and_keeps_only_itself_out(self, accounts: Accounts):
        stolen = accounts.sign_in("ann", PASSWORD, "192.0.2.1").device
        other = accounts.sign_in("ann", PASSWORD, "192.0.2.1").device
        seen = [guess(accounts, f"10.0.{i}.1", stolen) for i in range(20)]
        assert seen.count("NotSignedIn") == throttle.OF_A_DEVICE.free
        assert guess(accounts, "192.0.2.1", stolen, PASSWORD) == "TooManyAttempts"
        assert guess(accounts, "192.0.2.1", other, PASSWORD) == "signed in"
        assert guess(accounts, "192.0.2.1", password=PASSWORD) == "signed in"

    @pytest.mark.parametrize("why", ["altered", "another's", "older than the password", "half a year old"])
    def test_a_mark_that_is_not_good_makes_a_stranger(
        self, accounts: Accounts, clock: MovableClock, why: str
    ):
        device = accounts.sign_in("ann", PASSWORD, "192.0.2.1").device or ""
        if why == "altered":
            device = f"x{device}"
        elif why == "another's":
            accounts.accept(accounts.invite("ben", "reviewers")[1], "another long password")
            device = accounts.sign_in("ben", "another long password", "192.0.2.1").device or ""
        elif why == "older than the password":
            accounts.accept(accounts.invite("ann", "reviewers")[1], PASSWORD)
        else:
            clock.advance(DEVICE_DAYS * 24 * 3600)
        assert not accounts.is_known_device("ann", device)
        for i in range(throttle.OF_A_NAME.free):
            guess(accounts, f"10.0.{i}.1")
        assert guess(accounts, "192.0.2.1", device, PASSWORD) == "TooManyAttempts"

    def test_a_browser_that_set_the_password_or_signed_in_is_known_from_then_on(self, serve: Serve):
        with serve(["127.0.0.1"]) as server, httpx.Client() as invited, httpx.Client() as signed_in:
            token = server.review.accounts.invite("ann", "reviewers")[1]
            assert server.post(
                "/worker/invitation", {"token": token, "password": PASSWORD}, invited
            ).is_success
            assert server.sign_in(client=signed_in).status_code == 201
            for i in range(throttle.OF_A_NAME.free + 1):
                guessed = server.sign_in("wrong", x_forwarded_for=f"10.0.{i}.1")
            assert guessed.status_code == 429
            assert int(guessed.headers["retry-after"]) >= 1
            assert server.sign_in().status_code == 429
            for client in (invited, signed_in):
                assert server.sign_in(client=client).status_code == 201
            sent = server.sign_in(client=signed_in)
            (cookie,) = (line for line in sent.headers.get_list("set-cookie") if "device" in line)
            assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/worker/session"))


class TestCounting:
    def test_what_a_kill_cut_short_was_no_wrong_password(self, accounts: Accounts, database: Database):
        attempts = throttle.OF_A_NAME_FROM_A_NETWORK.free
        program = f"""
import functools, sys, threading, time
from argon2 import PasswordHasher
from include.review_server.people import passwords
from include.review_server.people.accounts import Accounts
from include.review_server.clock import utc_now
from include.review_server.db.database import Database
passwords.PasswordHasher = functools.partial(PasswordHasher, time_cost=1, memory_cost=64, parallelism=1)
accounts = Accounts(Database({str(database.url)!r}), utc_now)
accounts._passwords._verify = lambda *_: time.sleep(3600)
for _ in range({attempts}):
    threading.Thread(target=accounts.sign_in, args=("ann", "wrong", "10.0.0.1"), daemon=True).start()
while sum(accounts._throttle._under_way.values()) < 4 * {attempts}:
    time.sleep(0.01)
print("under way", flush=True)
time.sleep(3600)
"""
        with subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "under way\n"
            process.kill()
        assert _rows(database) == 0
        assert guess(accounts, "10.0.0.1", password=PASSWORD) == "signed in"

    def test_those_under_way_count_and_a_fault_does_not(self, database: Database):
        counted = Throttle(database, utc_now)
        attempts = [counted.attempt("ann", "10.0.0.1") for _ in range(throttle.OF_A_NAME_FROM_A_NETWORK.free)]
        for attempt in attempts:
            attempt.__enter__()
        with pytest.raises(TooManyAttempts), counted.attempt("ann", "10.0.0.1"):
            pass
        for attempt in attempts:
            attempt.__exit__(OSError, OSError("the disk is full"), None)
        with counted.attempt("ann", "10.0.0.1"):
            assert _rows(database) == 0

    def test_however_many_names_and_addresses_come_little_is_remembered(
        self, database: Database, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(throttle, "OF_EVERYBODY", Budget(30, throttle.OF_EVERYBODY.longest))
        counted = Throttle(database, clock)
        passed = 0
        for i in range(100):
            try:
                with counted.attempt("n" * i, f"10.0.{i}.1") as attempt:
                    attempt.failed()
                    passed += 1
            except TooManyAttempts:
                continue
        assert passed <= 32, "of one moment no more than everybody together may have"
        assert not counted._under_way
        with database.read() as session:
            assert max(map(len, session.scalars(select(FailedSignIn.subject)))) <= 80
        clock.advance(throttle.WINDOW.total_seconds())
        with counted.attempt("last", "10.0.0.1") as attempt:
            attempt.failed()
        assert _rows(database) == 4

    def test_a_clock_put_back_makes_no_wait_longer(self, accounts: Accounts, clock: MovableClock):
        clock.advance(7 * 24 * 3600)
        for _ in range(throttle.OF_A_NAME_FROM_A_NETWORK.free):
            guess(accounts, "10.0.0.1")
        clock.advance(-7 * 24 * 3600)
        clock.advance(1)
        with pytest.raises(TooManyAttempts) as refusal:
            accounts.sign_in("ann", PASSWORD, "10.0.0.1")
        assert refusal.value.retry_after <= 1


class TestFloods:
    def test_a_crowd_of_strangers_is_sent_away_while_work_and_known_people_go_on(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ):
        gate = threading.Event()

        class SlowMachine(PasswordHasher):
            def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
                if password == "wrong":
                    assert gate.wait(120)
                return super().verify(hash, password)

        monkeypatch.setattr(passwords, "PasswordHasher", partial(SlowMachine, 1, 64, 1))
        with serve() as server, httpx.Client() as reviewer, ThreadPoolExecutor(60) as crowd:
            assert server.sign_in(client=reviewer).status_code == 201
            guesses = [crowd.submit(server.sign_in, "wrong", name=f"guess-{i}") for i in range(60)]
            try:
                eventually(lambda: sum(guess.done() for guess in guesses) >= 60 - 22)
                refused = [guess.result() for guess in guesses if guess.done()]
                assert {reply.status_code for reply in refused} == {503}
                assert all(int(reply.headers["retry-after"]) > 0 for reply in refused)
                for _ in range(5):
                    assert reviewer.get(f"{server.url}/worker/queue").status_code == 200
                assert server.sign_in(client=reviewer).status_code == 201
                assert sum(guess.done() for guess in guesses) == len(refused), "the crowd still waits"
            finally:
                gate.set()
            wait(guesses)
            assert {guess.result().status_code for guess in guesses} == {401, 503}
            eventually(lambda: server.sign_in().status_code == 201)

    def test_guessed_links_and_waiting_guessers_do_not_take_the_databases_writer(self, serve: Serve):
        with serve() as server:
            while server.sign_in("wrong").status_code == 401:
                pass
            with server.review.database.write():
                guessed = server.post("/worker/invitation", {"token": "guessed", "password": PASSWORD})
                assert guessed.status_code == 404
                deadline = time.monotonic() + 30
                assert server.sign_in("wrong").status_code in (429, 401)
                assert time.monotonic() < deadline

    def test_the_time_of_a_refusal_does_not_tell_who_exists(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(
            passwords, "PasswordHasher", partial(PasswordHasher, time_cost=2, memory_cost=16384)
        )
        accounts = Accounts(database, utc_now)
        accounts.add("ann", "reviewers")
        monkeypatch.setattr(throttle, "OF_A_NAME_FROM_A_NETWORK", Budget(100, throttle.OF_A_NAME.longest))

        def seconds(name: str) -> float:
            start = time.perf_counter()
            with pytest.raises(NotSignedIn, match="wrong name or password"):
                accounts.sign_in(name, "wrong", "10.0.0.1")
            return time.perf_counter() - start

        times = [(seconds("ann"), seconds("nobody")) for _ in range(9)]
        # The quickest of each: a busy machine makes a try slower, and never quicker.
        known, unknown = (min(column) for column in zip(*times, strict=True))
        assert 1 / 3 < known / unknown < 3


@pytest.mark.parametrize("change", ["remove", "reset"])
def test_a_password_that_is_taken_away_while_it_is_looked_at_opens_nothing(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, change: str
):
    class Slow(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
            right = super().verify(hash, password)
            getattr(accounts, change)("ann")
            return right

    monkeypatch.setattr(accounts._passwords, "_hasher", Slow(1, 64, 1))
    assert guess(accounts, "10.0.0.1", password=PASSWORD) == "NotSignedIn"


class TestNonsense:
    def test_what_is_no_name_and_no_password_is_refused_and_no_fault(self, serve: Serve):
        texts = [
            "\\ud800",
            "a\\u0000b",
            "n" * 3000,
            "\\u200b",
            "",
            " ann",
            "\\r\\nset-cookie: a=b",
            "' or 1=1 --",
        ]
        others = ["null", "1", "1e308", "true", "[]", "{}", '["ann"]']
        with serve() as server:
            for value in [f'"{text}"' for text in texts] + others:
                fields = {"name": '"ann"', "token": '"guessed"', "password": f'"{PASSWORD}"'}
                for path, wrong in (("session", "name"), ("session", "password"), ("invitation", "token")):
                    body = ",".join(f'"{name}":{text}' for name, text in (fields | {wrong: value}).items())
                    headers = {"content-type": "application/json"}
                    url = f"{server.url}/worker/{path}"
                    reply = httpx.post(url, content=f"{{{body}}}", headers=headers)
                    expected = (400, 401, 404, 413, 429) if value.startswith('"') else (400,)
                    assert reply.status_code in expected, (path, body, reply.text)

    def test_an_invitation_outlives_a_password_that_cannot_be_kept(self, accounts: Accounts):
        _, token = accounts.invite("ben", "reviewers")
        for bad in ("\ud800" + PASSWORD, "x" * 1025):
            with pytest.raises(ValueError, match="a password"):
                accounts.accept(token, bad)
        assert accounts.accept(token, PASSWORD).name == "ben"

    def test_one_spelling_of_a_name_and_a_password_is_as_good_as_another(self, accounts: Accounts):
        decomposed, composed = "Zoe\u0308", "Zo\u00eb"
        member, token = accounts.invite(decomposed, "reviewers")
        assert member.name == composed
        accounts.accept(token, "un caf\u00e9 noir, s.v.p.")
        assert accounts.sign_in(composed, "un cafe\u0301 noir, s.v.p.").name == composed
        assert accounts.sign_in(decomposed, "un caf\u00e9 noir, s.v.p.").name == composed
        assert accounts.add(decomposed, "others")[0].worker_id == member.worker_id


class TestProxies:
    def test_nobody_but_a_trusted_proxy_says_where_a_guess_comes_from(self, serve: Serve):
        free = throttle.OF_A_NAME_FROM_A_NETWORK.free
        with serve(["192.0.2.1", "10.0.0.0/8"]) as server:
            seen = [server.sign_in("wrong", x_forwarded_for=f"203.0.113.{i}") for i in range(free + 1)]
            assert [reply.status_code for reply in seen] == [401] * free + [429]

    def test_behind_a_trusted_proxy_everybody_is_counted_apart(self, serve: Serve):
        with serve(["127.0.0.0/8", "10.0.0.0/8"]) as server:
            while server.sign_in("wrong", x_forwarded_for="203.0.113.7").status_code == 401:
                pass
            assert server.sign_in(x_forwarded_for="203.0.113.8").status_code == 201
            # What the client wrote stands on the left of what the proxies saw.
            for lie in (
                "198.51.100.1, 203.0.113.7",
                "198.51.100.2, 203.0.113.7, 10.1.1.1",
                "x, 203.0.113.7:4711",
            ):
                assert server.sign_in(x_forwarded_for=lie).status_code == 429

    @pytest.mark.parametrize(("trusted", "is_secure"), [(["127.0.0.1"], True), ([], False)])
    def test_cookies_are_secure_when_a_trusted_proxy_says_that_the_browser_came_by_tls(
        self, serve: Serve, trusted: list[str], is_secure: bool
    ):
        with serve(trusted) as server:
            cookies = server.sign_in(x_forwarded_proto="https").headers.get_list("set-cookie")
            assert len(cookies) == 2
            assert all(("Secure" in cookie) == is_secure for cookie in cookies)

    @pytest.mark.parametrize("wrong", ["proxy", "10.0.0.1/8", "*", "10.0.0.0/33", ""])
    def test_a_proxy_that_is_no_address_is_refused_at_the_start(self, tmp_path: Path, wrong: str):
        with pytest.raises(ValueError, match="trusted_proxies must be addresses or networks"):
            ReviewSettings(data_dir=tmp_path, trusted_proxies=(wrong,))


def _rows(database: Database) -> int:
    with database.read() as session:
        return session.scalars(select(func.count()).select_from(FailedSignIn)).one()
