"""The people who answer: members of work teams, their generated passwords, and their sessions.

Nobody registers and nothing has a default: whoever runs the server adds members, each gets a random password
that is shown once and kept as an argon2 hash. A session is a random cookie of which only a hash is kept.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from include.review_server.clock import Clock
from include.review_server.database import Database
from include.review_server.errors import NotSignedIn
from include.review_server.lifecycle import end_task, locked_all, settle
from include.review_server.models import FlowDefinition, Membership, Task, Worker, WorkerSession
from include.review_server.statuses import TaskStatus

SESSION_HOURS = 12


@dataclass(frozen=True)
class Member:
    """A worker and the teams the worker is in."""

    worker_id: str
    name: str
    teams: tuple[str, ...]


@dataclass(frozen=True)
class SignedIn:
    """A session. ``token`` is the cookie's secret, known only at sign-in."""

    worker_id: str
    name: str
    csrf_token: str
    expires_at: datetime
    token: str | None = None


class Accounts:
    """Members and sessions."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._hasher = PasswordHasher()
        # Verified when the name is unknown, so that the time of a refusal does not tell who exists.
        self._nobody = self._hasher.hash(secrets.token_urlsafe(12))

    def add(self, name: str, team: str) -> tuple[Member, str | None]:
        """Put a person in a team. The password is returned for a new member, None for one who has one."""
        _check_name(name)
        password = None
        with self._database.write() as session:
            worker = _by_name(session, name)
            if worker is None:
                # 16 hex digits, as workerId in A2I's output.
                worker = Worker(id=secrets.token_hex(8), name=name, created_at=self._clock())
                session.add(worker)
            if worker.password_hash is None:
                password = self._new_password(worker)
            session.flush()
            session.merge(Membership(worker_id=worker.id, workteam_name=team))
            session.flush()
            return _member(session, worker), password

    def reset(self, name: str) -> tuple[Member, str]:
        """A new password for a member; every session of theirs ends. ``LookupError`` for an unknown name."""
        with self._database.write() as session:
            worker = _existing(session, name)
            password = self._new_password(worker)
            session.execute(delete(WorkerSession).where(WorkerSession.worker_id == worker.id))
            return _member(session, worker), password

    def remove(self, name: str, team: str | None = None) -> None:
        """Take a person out of a team, or out of all; without a team left they cannot sign in any more.

        Tasks in hand go back to the queue; what they answered stays. ``LookupError`` for an unknown name.
        """
        now = self._clock()
        with self._database.write() as session:
            worker = _existing(session, name)
            gone = delete(Membership).where(Membership.worker_id == worker.id)
            session.execute(gone if team is None else gone.where(Membership.workteam_name == team))
            teams = _member(session, worker).teams
            held = [task for task, of_team in _tasks_in_hand(session, worker.id) if of_team not in teams]
            loops = locked_all(session, [task.loop_id for task in held])
            for task in held:
                end_task(session, task, TaskStatus.RETURNED, now)
            for loop in loops:
                settle(session, loop, now)
            if not teams:
                worker.password_hash = None
                session.execute(delete(WorkerSession).where(WorkerSession.worker_id == worker.id))

    def members(self) -> list[Member]:
        """Everyone who is in a team, by name."""
        with self._database.read() as session:
            everyone = [_member(session, w) for w in session.scalars(select(Worker).order_by(Worker.name))]
        return [member for member in everyone if member.teams]

    def sign_in(self, name: str, password: str) -> SignedIn:
        """A new session. Raises ``NotSignedIn`` for a wrong name or password, without telling which."""
        with self._database.read() as session:
            worker = _by_name(session, name)
            worker_id, stored = (worker.id, worker.password_hash) if worker else ("", None)
        try:
            self._hasher.verify(stored or self._nobody, password)
        except (VerificationError, InvalidHashError):
            stored = None
        if stored is None:
            raise NotSignedIn("wrong name or password")
        token, csrf_token = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        now = self._clock()
        expires_at = now + timedelta(hours=SESSION_HOURS)
        with self._database.write() as session:
            session.execute(delete(WorkerSession).where(WorkerSession.expires_at <= now))
            session.add(
                WorkerSession(
                    token_sha256=_sha256(token),
                    worker_id=worker_id,
                    csrf_token=csrf_token,
                    expires_at=expires_at,
                )
            )
        return SignedIn(worker_id, name, csrf_token, expires_at, token)

    def session(self, token: str | None) -> SignedIn:
        """The session of a cookie. Raises ``NotSignedIn`` when there is none or it has ended."""
        if token:
            with self._database.read() as session:
                found = session.get(WorkerSession, _sha256(token))
                if found and self._clock() < found.expires_at:
                    worker = session.get_one(Worker, found.worker_id)
                    return SignedIn(worker.id, worker.name, found.csrf_token, found.expires_at)
        raise NotSignedIn("sign in first: POST /worker/session")

    def sign_out(self, token: str) -> None:
        with self._database.write() as session:
            session.execute(delete(WorkerSession).where(WorkerSession.token_sha256 == _sha256(token)))

    def _new_password(self, worker: Worker) -> str:
        password = secrets.token_urlsafe(15)
        worker.password_hash = self._hasher.hash(password)
        return password


def _check_name(name: str) -> None:
    if not (1 <= len(name) <= 128 and name.isprintable() and name == name.strip()):
        raise ValueError(f"a member's name has 1 to 128 printable characters, not {name!r}")


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _by_name(session: Session, name: str) -> Worker | None:
    return session.scalars(select(Worker).where(Worker.name == name)).one_or_none()


def _existing(session: Session, name: str) -> Worker:
    worker = _by_name(session, name)
    if worker is None:
        raise LookupError(f"no member is called {name!r}: `members list` shows who is there")
    return worker


def _member(session: Session, worker: Worker) -> Member:
    teams = select(Membership.workteam_name).where(Membership.worker_id == worker.id)
    return Member(worker.id, worker.name, tuple(sorted(session.scalars(teams))))


def _tasks_in_hand(session: Session, worker_id: str) -> list[tuple[Task, str]]:
    query = (
        select(Task, FlowDefinition.workteam_name)
        .join(FlowDefinition, FlowDefinition.id == Task.flow_id)
        .where(Task.worker_id == worker_id, Task.status == TaskStatus.IN_HAND)
        .order_by(Task.loop_id)
    )
    return [(row[0], row[1]) for row in session.execute(query)]
