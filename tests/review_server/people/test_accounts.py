"""Invitations, owners, and guessing passwords."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import select

from include.review_server.db.database import Database
from include.review_server.db.models import FailedSignIn, Invitation
from include.review_server.errors import BadInvitation, NotSignedIn, TooManyAttempts, WeakPassword
from include.review_server.people.accounts import Accounts, SignedIn
from include.review_server.people.throttle import OF_A_NAME_FROM_A_NETWORK, OF_A_NETWORK
from tests.review_server.rig import MovableClock, Rig

_GOOD = "correct horse battery"


@pytest.fixture
def clock() -> Iterator[MovableClock]:
    clock = MovableClock()
    with clock.stopped():
        yield clock


@pytest.fixture
def accounts(database: Database, clock: MovableClock) -> Accounts:
    return Accounts(database, clock)


def _try(accounts: Accounts, name: str, password: str, address: str = "") -> str:
    try:
        accounts.sign_in(name, password, address)
    except (NotSignedIn, TooManyAttempts) as error:
        return type(error).__name__
    return "signed in"


def test_an_invitation_sets_a_password_once(accounts: Accounts):
    member, token = accounts.invite("ann", "reviewers")
    assert (member.teams, member.is_owner) == (("reviewers",), False)
    assert _try(accounts, "ann", "") == "NotSignedIn"
    accounts.accept(token, _GOOD)
    assert _try(accounts, "ann", _GOOD) == "signed in"
    with pytest.raises(BadInvitation):
        accounts.accept(token, "another one of mine")
    assert _try(accounts, "ann", _GOOD) == "signed in"


def test_an_invitation_ends_by_time_by_a_newer_one_and_by_removal(accounts: Accounts, clock: MovableClock):
    _, old = accounts.invite("ann", "reviewers")
    clock.advance(71 * 3600)
    _, newer = accounts.invite("ann", "reviewers")
    clock.advance(71 * 3600)
    for token in (old, "guessed", ""):
        with pytest.raises(BadInvitation):
            accounts.accept(token, _GOOD)
    clock.advance(2 * 3600)
    with pytest.raises(BadInvitation):
        accounts.accept(newer, _GOOD)
    _, last = accounts.invite("ann", "reviewers")
    accounts.remove("ann")
    with pytest.raises(BadInvitation):
        accounts.accept(last, _GOOD)


def test_a_weak_password_is_refused_and_leaves_the_invitation(accounts: Accounts):
    _, token = accounts.invite("ann", "reviewers")
    for weak in ("", "x" * 11, "abababababababab", "my name is Ann, really", "x1y2z" * 300):
        with pytest.raises(WeakPassword):
            accounts.accept(token, weak)
    assert accounts.accept(token, "twelve chars").name == "ann"


def test_the_database_has_no_secret_that_opens_anything(accounts: Accounts, database: Database):
    _, token = accounts.invite("ann", "reviewers")
    with database.read() as session:
        stored = session.scalars(select(Invitation.token_sha256)).one()
    assert token not in stored
    with pytest.raises(BadInvitation):
        accounts.accept(stored, _GOOD)


def test_a_new_password_ends_every_session(accounts: Accounts):
    _, password = accounts.add("ann", "reviewers")
    session = accounts.sign_in("ann", password or "")
    _, token = accounts.invite("ann", "reviewers")
    assert accounts.session(session.token).name == "ann", "an invitation alone changes nothing"
    accounts.accept(token, _GOOD)
    with pytest.raises(NotSignedIn):
        accounts.session(session.token)


def test_owners_need_no_team_and_lose_the_role_at_once(accounts: Accounts):
    _, password = accounts.add("olga", None, owner=True)
    signed_in: SignedIn = accounts.sign_in("olga", password or "")
    assert signed_in.is_owner
    assert accounts.session(signed_in.token).is_owner
    assert not accounts.add("ann", "reviewers")[0].is_owner
    accounts.add("olga", "reviewers")
    accounts.remove("olga", "reviewers")
    assert accounts.session(signed_in.token).is_owner, "she was taken out of one team only"
    accounts.demote("olga")
    assert not accounts.session(signed_in.token).is_owner
    with pytest.raises(ValueError, match="which team"):
        accounts.add("nobody", None)


def test_guessing_waits_longer_each_time_even_with_the_right_password(
    accounts: Accounts, clock: MovableClock
):
    _, password = accounts.add("ann", "reviewers")
    _, other = accounts.add("ben", "reviewers")
    assert password
    assert other
    for _ in range(OF_A_NAME_FROM_A_NETWORK.free):
        assert _try(accounts, "ann", "wrong", "10.0.0.1") == "NotSignedIn"
    for wait in (1, 2, 4, 8):
        # What is refused unseen does not make the wait longer.
        for _ in range(3):
            with pytest.raises(TooManyAttempts) as refusal:
                accounts.sign_in("ann", password, "10.0.0.1")
            assert refusal.value.retry_after == wait
        clock.advance(wait)
        assert _try(accounts, "ann", "wrong", "10.0.0.1") == "NotSignedIn"
    assert _try(accounts, "ben", other, "10.0.0.1") == "signed in"
    clock.advance(16)
    assert _try(accounts, "ann", password, "10.0.0.1") == "signed in"


def test_a_right_password_forgets_the_wrong_ones_before_it(accounts: Accounts, database: Database):
    _, password = accounts.add("ann", "reviewers")
    for _ in range(3):
        for _ in range(OF_A_NAME_FROM_A_NETWORK.free - 1):
            assert _try(accounts, "ann", "wrong") == "NotSignedIn"
        assert _try(accounts, "ann", password or "") == "signed in"
    with database.read() as session:
        left = set(session.scalars(select(FailedSignIn.subject)))
    assert {subject.partition(":")[0] for subject in left} == {"network", "everybody"}


@pytest.mark.parametrize("network", ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8:1:2::"])
def test_guessing_many_names_from_one_network_is_stopped(accounts: Accounts, network: str):
    _, password = accounts.add("ann", "reviewers")
    for i in range(OF_A_NETWORK.free):
        address = f"{network}{i:x}" if network.endswith("::") else network
        assert _try(accounts, f"name-{i}", "wrong", address) == "NotSignedIn"
    assert _try(accounts, "ann", password or "", network) == "TooManyAttempts"
    assert _try(accounts, "ann", password or "", "198.51.100.1") == "signed in"


def test_guesses_made_all_at_once_pass_no_more_than_the_limit(accounts: Accounts):
    accounts.add("ann", "reviewers")
    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda i: _try(accounts, "ann", f"guess-{i}"), range(40)))
    assert results.count("NotSignedIn") == OF_A_NAME_FROM_A_NETWORK.free
    assert "TooManyAttempts" in results


def test_the_throttle_survives_a_restart(accounts: Accounts, database: Database, clock: MovableClock):
    accounts.add("ann", "reviewers")
    for _ in range(OF_A_NAME_FROM_A_NETWORK.free):
        _try(accounts, "ann", "wrong")
    assert _try(Accounts(database, clock), "ann", "wrong") == "TooManyAttempts"


def test_brute_force_over_http_is_told_when_to_come_back(rig: Rig):
    name = rig.name("guessed")
    rig.review.accounts.add(name, "team")
    free = OF_A_NAME_FROM_A_NETWORK.free
    with rig.clock.stopped():
        replies = [
            httpx.post(f"{rig.url}/worker/session", json={"name": name, "password": "wrong"})
            for _ in range(free + 1)
        ]
    assert [reply.status_code for reply in replies] == [401] * free + [429]
    assert replies[-1].headers["retry-after"] == "1"
    assert replies[-1].json()["error"]["code"] == "TooManyAttempts"
