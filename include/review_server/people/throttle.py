"""Guessing passwords is slowed down: the more wrong ones there were, the longer the next has to wait.

Counted are the wrong passwords of the last hour, in the database, so that a restart forgets nothing and
several servers count together: for a name from one network, for the name, for the network, and for
everybody. Only what was looked at and found wrong is written, so an attempt that a kill or a fault cut short
does not count; those under way are counted in memory, so many at once pass no limit.

A device that somebody has signed in with (``accounts``) is counted by itself and by nothing else. Whoever
attacks a name keeps strangers to it waiting, for a minute at most, and its owner's own devices not at all.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import FailedSignIn
from include.review_server.errors import TooManyAttempts

WINDOW = timedelta(hours=1)


@dataclass(frozen=True)
class Budget:
    """So many wrong passwords are free. The next waits a second, the one after two, and so on up to
    ``longest``.
    """

    free: int
    longest: timedelta

    def wait(self, failures: int) -> timedelta:
        """How long after the last of so many failures another attempt may be made."""
        doubled = max(0, failures - self.free)
        return min(timedelta(seconds=2 ** min(doubled, 30)), self.longest) if failures >= self.free else _NONE


_NONE = timedelta(0)
OF_A_DEVICE = Budget(5, timedelta(minutes=15))
OF_A_NAME_FROM_A_NETWORK = Budget(5, timedelta(minutes=15))
# Short waits for what an attacker can use up for others: they end a guessing, and nobody is kept out by them.
OF_A_NAME = Budget(20, timedelta(minutes=1))
OF_A_NETWORK = Budget(100, timedelta(minutes=1))  # a team may share one
OF_EVERYBODY = Budget(1000, timedelta(seconds=1))


class Throttle:
    """Counts attempts to sign in."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def attempt(self, name: str, address: str, device: str | None = None) -> Iterator[Attempt]:
        """One attempt, before the password is looked at; ``device`` is the known one that it comes from.

        Raises ``TooManyAttempts``, also for the right password: else guessing would go on. What is refused
        unseen is no failure: else an attack would move the end of the wait.
        """
        budgets = _budgets(name, address, device)
        with self._lock:
            failures = self._failures(budgets)
            self._check(budgets, failures)
            self._under_way.update(budgets.keys())
        try:
            yield Attempt(self._database, self._clock, list(budgets), has_failures=bool(failures))
        finally:
            with self._lock:
                self._under_way -= Counter(budgets.keys())

    def _failures(self, budgets: dict[str, Budget]) -> dict[str, tuple[int, datetime]]:
        """How many there were lately, and when the last was, by subject."""
        query = (
            select(FailedSignIn.subject, func.count(), func.max(FailedSignIn.failed_at))
            .where(FailedSignIn.subject.in_(budgets), FailedSignIn.failed_at > self._clock() - WINDOW)
            .group_by(FailedSignIn.subject)
        )
        with self._database.read() as session:
            return {row[0]: (row[1], row[2]) for row in session.execute(query)}

    def _check(self, budgets: dict[str, Budget], failures: dict[str, tuple[int, datetime]]) -> None:
        now, longest = self._clock(), _NONE
        for subject, budget in budgets.items():
            count, last = failures.get(subject, (0, now))
            if under_way := self._under_way[subject]:
                count, last = count + under_way, now
            wait = budget.wait(count)
            # A clock that was put back makes no wait longer.
            longest = max(longest, min(last + wait - now, wait))
        if longest > _NONE:
            raise TooManyAttempts(max(1, math.ceil(longest.total_seconds())))


class Attempt:
    """One attempt that may go on to the password. It counts for nothing until it ``failed``."""

    def __init__(self, database: Database, clock: Clock, subjects: list[str], has_failures: bool) -> None:
        self._database, self._clock = database, clock
        self._subjects = subjects
        self._has_failures = has_failures

    def failed(self) -> None:
        """The password was wrong."""
        now = self._clock()
        with self._database.write() as session:
            session.execute(delete(FailedSignIn).where(FailedSignIn.failed_at <= now - WINDOW))
            session.add_all(FailedSignIn(subject=subject, failed_at=now) for subject in self._subjects)

    def succeeded(self) -> None:
        """The failures of the device or the name are forgotten. The network's stay: one own account must not
        reset them.
        """
        if self._has_failures:
            own = [subject for subject in self._subjects if subject.startswith(("device:", "pair:", "name:"))]
            with self._database.write() as session:
                session.execute(delete(FailedSignIn).where(FailedSignIn.subject.in_(own)))


def _budgets(name: str, address: str, device: str | None) -> dict[str, Budget]:
    """What an attempt is counted by. The subjects have one length, whatever somebody sends."""
    if device is not None:
        return {_subject("device", device): OF_A_DEVICE}
    network = _network(address)
    return {
        _subject("pair", f"{network} {name}"): OF_A_NAME_FROM_A_NETWORK,
        _subject("name", name): OF_A_NAME,
        _subject("network", network): OF_A_NETWORK,
        _subject("everybody", ""): OF_EVERYBODY,
    }


def _subject(kind: str, text: str) -> str:
    return f"{kind}:{hashlib.sha256(text.encode()).hexdigest()}"


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        # A household has a whole /64 of addresses to guess from.
        parsed = ipaddress.IPv6Network((parsed, 64), strict=False).network_address
    return str(parsed)
