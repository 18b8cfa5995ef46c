"""The people who answer: members of work teams, their passwords and invitations, and their sessions.

Nobody registers and nothing has a default: whoever runs the server adds members. Each gets a random password,
shown once, or a link by which they set their own. Passwords are kept as argon2 hashes (``passwords``); of
sessions and invitations, which are random, only a plain hash is kept. Signing in is throttled (``throttle``).
A device from where somebody has signed in is known by its mark (``devices``).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import (
    Invitation,
    Membership,
    Task,
    Worker,
    WorkerSession,
    WorkItem,
    WorkQueue,
)
from include.review_server.db.statuses import TaskStatus
from include.review_server.errors import BadInvitation, NotSignedIn
from include.review_server.people import devices
from include.review_server.people.passwords import Passwords, check_new, spelled
from include.review_server.people.throttle import Throttle
from include.review_server.work.lifecycle import end_task, locked_all, settle

SESSION_HOURS = 12
INVITATION_HOURS = 72
_WRONG = "wrong name or password"


@dataclass(frozen=True)
class Member:
    """A worker, the teams the worker is in, and whether they may see the owners' pages.

    ``device`` is the mark for the device on which the password was just set.
    """

    worker_id: str
    name: str
    teams: tuple[str, ...]
    is_owner: bool = False
    device: str | None = None


@dataclass(frozen=True)
class SignedIn:
    """A session. ``token`` is the cookie's secret, and ``device`` the device's mark, known only at
    sign-in.
    """

    worker_id: str
    name: str
    csrf_token: str
    expires_at: datetime
    token: str | None = None
    is_owner: bool = False
    device: str | None = None


class Accounts:
    """Members and sessions."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._throttle = Throttle(database, clock)
        self._passwords = Passwords()

    def add(self, name: str, team: str | None, owner: bool = False) -> tuple[Member, str | None]:
        """Put a person in a team, or make them an owner, or both.

        The password is returned for a new member, None for one who has one.
        """
        password = None
        with self._database.write() as session:
            worker = self._admitted(session, name, team, owner)
            if worker.password_hash is None:
                password = self._new_password(worker)
            return _member(session, worker), password

    def invite(self, name: str, team: str | None, owner: bool = False) -> tuple[Member, str]:
        """As ``add``, but the person sets the password: the secret of a link that works once, for three days.

        Also for a member who forgot the password. A new invitation ends the one before.
        """
        token, now = secrets.token_urlsafe(32), self._clock()
        with self._database.write() as session:
            session.execute(delete(Invitation).where(Invitation.expires_at <= now))
            worker = self._admitted(session, name, team, owner)
            session.execute(delete(Invitation).where(Invitation.worker_id == worker.id))
            expires_at = now + timedelta(hours=INVITATION_HOURS)
            session.add(Invitation(token_sha256=_sha256(token), worker_id=worker.id, expires_at=expires_at))
            return _member(session, worker), token

    def accept(self, token: str, password: str) -> Member:
        """Set the invited person's password; every session of theirs ends.

        Raises ``BadInvitation`` (unknown, used or too old) or ``WeakPassword``, which leaves the link usable.
        """
        # First a look: neither a guessed link nor the hashing of a password takes the database's writer.
        self.check_invitation(token, password)
        hashed = self._passwords.hash(password)
        with self._database.write() as session:
            worker = self._invited(session, token)
            worker.password_hash = hashed
            session.execute(delete(Invitation).where(Invitation.worker_id == worker.id))
            session.execute(delete(WorkerSession).where(WorkerSession.worker_id == worker.id))
            return replace(_member(session, worker), device=devices.mark(hashed, self._clock()))

    def check_invitation(self, token: str, password: str) -> None:
        """Raises what ``accept`` would raise, and changes nothing. Quick: it hashes no password."""
        with self._database.read() as session:
            check_new(password, self._invited(session, token).name)

    def reset(self, name: str) -> tuple[Member, str]:
        """A new password for a member; every session of theirs ends. ``LookupError`` for an unknown name."""
        with self._database.write() as session:
            worker = _existing(session, name)
            password = self._new_password(worker)
            session.execute(delete(WorkerSession).where(WorkerSession.worker_id == worker.id))
            return _member(session, worker), password

    def demote(self, name: str) -> None:
        """The person is no owner any more. ``LookupError`` for an unknown name."""
        with self._database.write() as session:
            _existing(session, name).is_owner = False

    def remove(self, name: str, team: str | None = None) -> None:
        """Take a person out of a team, or out of all and out of the owners too.

        Who is neither in a team nor an owner cannot sign in any more.

        Tasks in hand go back to the queue; what they answered stays. ``LookupError`` for an unknown name.
        """
        now = self._clock()
        with self._database.write() as session:
            worker = _existing(session, name)
            gone = delete(Membership).where(Membership.worker_id == worker.id)
            session.execute(gone if team is None else gone.where(Membership.workteam_name == team))
            teams = _member(session, worker).teams
            held = [task for task, of_team in _tasks_in_hand(session, worker.id) if of_team not in teams]
            loops = locked_all(session, [task.item_id for task in held])
            for task in held:
                end_task(session, task, TaskStatus.RETURNED, now)
            for loop in loops:
                settle(session, loop, now)
            # What was kept for somebody who will not come is for everybody.
            lost = select(WorkQueue.id).where(WorkQueue.workteam_name.not_in(list(teams)))
            session.execute(
                update(WorkItem)
                .where(WorkItem.reserved_for == worker.id, WorkItem.queue_id.in_(lost))
                .values(reserved_for=None)
                .execution_options(synchronize_session=False)
            )
            worker.is_owner = worker.is_owner and team is not None
            if not teams and not worker.is_owner:
                worker.password_hash = None
                session.execute(delete(Invitation).where(Invitation.worker_id == worker.id))
                session.execute(delete(WorkerSession).where(WorkerSession.worker_id == worker.id))

    def members(self) -> list[Member]:
        """Everyone who is in a team or an owner, by name."""
        with self._database.read() as session:
            everyone = [_member(session, w) for w in session.scalars(select(Worker).order_by(Worker.name))]
        return [member for member in everyone if member.teams or member.is_owner]

    def sign_in(self, name: str, password: str, address: str = "", device: str | None = None) -> SignedIn:
        """A new session. ``address`` is where the attempt comes from, ``device`` the mark that it bears.

        Raises ``NotSignedIn`` for a wrong name or password, without telling which, and ``TooManyAttempts``.
        """
        name = spelled(name)
        if not _is_name(name):
            raise NotSignedIn(_WRONG)
        worker, stored = self._found(name)
        known = devices.device_of(stored, device, self._clock())
        with self._throttle.attempt(name, address, known) as attempt:
            right = self._passwords.matches(stored, password, is_known=known is not None)
            if not right or worker is None or stored is None:
                attempt.failed()
                raise NotSignedIn(_WRONG)
            attempt.succeeded()
        worker_id, is_owner = worker.id, worker.is_owner
        token, csrf_token = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        now = self._clock()
        expires_at = now + timedelta(hours=SESSION_HOURS)
        with self._database.write() as session:
            current = session.get_one(Worker, worker_id, with_for_update=True)
            if current.password_hash != stored:
                # Taken away while it was looked at: its sessions were ended, and none may follow.
                raise NotSignedIn(_WRONG)
            session.execute(delete(WorkerSession).where(WorkerSession.expires_at <= now))
            session.add(
                WorkerSession(
                    token_sha256=_sha256(token),
                    worker_id=worker_id,
                    csrf_token=csrf_token,
                    expires_at=expires_at,
                )
            )
        mark = devices.mark(stored, now, known)
        return SignedIn(worker_id, name, csrf_token, expires_at, token, is_owner, mark)

    def is_known_device(self, name: str, device: str | None) -> bool:
        """Whether somebody has signed in by that name on the device that bears this mark."""
        name = spelled(name)
        if device is None or not _is_name(name):
            return False
        return devices.device_of(self._found(name)[1], device, self._clock()) is not None

    def session(self, token: str | None) -> SignedIn:
        """The session of a cookie. Raises ``NotSignedIn`` when there is none or it has ended."""
        if token:
            with self._database.read() as session:
                found = session.get(WorkerSession, _sha256(token))
                if found and self._clock() < found.expires_at:
                    worker = session.get_one(Worker, found.worker_id)
                    return SignedIn(
                        worker.id, worker.name, found.csrf_token, found.expires_at, is_owner=worker.is_owner
                    )
        raise NotSignedIn("sign in first: POST /worker/session")

    def sign_out(self, token: str) -> None:
        with self._database.write() as session:
            session.execute(delete(WorkerSession).where(WorkerSession.token_sha256 == _sha256(token)))

    def _admitted(self, session: Session, name: str, team: str | None, owner: bool) -> Worker:
        """The worker of that name, made when there is none, in the team and with the role."""
        name = spelled(name)
        if not _is_name(name):
            raise ValueError(f"a member's name has 1 to 128 printable characters, not {name!r}")
        if team is None and not owner:
            raise ValueError(f"say which team {name} is in, or that {name} is an owner")
        worker = _by_name(session, name)
        if worker is None:
            # 16 hex digits, as workerId in A2I's output.
            worker = Worker(id=secrets.token_hex(8), name=name, created_at=self._clock(), is_owner=owner)
            session.add(worker)
        worker.is_owner = worker.is_owner or owner
        session.flush()
        if team is not None:
            session.merge(Membership(worker_id=worker.id, workteam_name=team))
            session.flush()
        return worker

    def _invited(self, session: Session, token: str) -> Worker:
        """The person whose invitation it is; locked in the sessions that write."""
        invitation = session.get(Invitation, _sha256(token), with_for_update=True)
        if invitation is None or self._clock() >= invitation.expires_at:
            raise BadInvitation("this invitation was used or is too old: ask for a new one")
        return session.get_one(Worker, invitation.worker_id)

    def _found(self, name: str) -> tuple[Worker | None, str | None]:
        """The worker of that name, and the hash of the password."""
        with self._database.read() as session:
            worker = _by_name(session, name)
            return worker, worker.password_hash if worker else None

    def _new_password(self, worker: Worker) -> str:
        password = secrets.token_urlsafe(15)
        worker.password_hash = self._passwords.hash(password)
        return password


def _is_name(name: str) -> bool:
    # Neither control characters nor halves of surrogate pairs are printable.
    return 1 <= len(name) <= 128 and name.isprintable() and name == name.strip()


def _sha256(token: str) -> str:
    # Halves of characters are in none of ours.
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _by_name(session: Session, name: str) -> Worker | None:
    return session.scalars(select(Worker).where(Worker.name == spelled(name))).one_or_none()


def _existing(session: Session, name: str) -> Worker:
    worker = _by_name(session, name)
    if worker is None:
        raise LookupError(f"no member is called {name!r}: `members list` shows who is there")
    return worker


def _member(session: Session, worker: Worker) -> Member:
    teams = select(Membership.workteam_name).where(Membership.worker_id == worker.id)
    return Member(worker.id, worker.name, tuple(sorted(session.scalars(teams))), worker.is_owner)


def _tasks_in_hand(session: Session, worker_id: str) -> list[tuple[Task, str]]:
    query = (
        select(Task, WorkQueue.workteam_name)
        .join(WorkQueue, WorkQueue.id == Task.queue_id)
        .where(Task.worker_id == worker_id, Task.status == TaskStatus.IN_HAND)
        .order_by(Task.item_id)
    )
    return [(row[0], row[1]) for row in session.execute(query)]
