"""Guessing passwords is slowed down: wrong ones are counted by name and by address, in the database.

So many are verified in a quarter of an hour, and the next one only when the oldest of them is that old. It
survives a restart and holds for several servers on one database. Whoever attacks a name keeps its owner out
for the time of the attack; that is the lesser evil here, where an operator is at hand (`members reset`
does not lift it, waiting does). Knows the table and nothing of passwords.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, or_, select

from include.review_server.clock import Clock
from include.review_server.database import Database
from include.review_server.errors import TooManyAttempts
from include.review_server.models import FailedSignIn

WINDOW = timedelta(minutes=15)
FAILURES_PER_NAME = 10
# A team may share one address.
FAILURES_PER_ADDRESS = 100


class Throttle:
    """Counts attempts to sign in."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def attempt(self, name: str, address: str) -> Attempt:
        """Count an attempt as a failure, before the password is looked at: many at once pass no limit.

        Raises ``TooManyAttempts``, also for the right password: else guessing would go on.
        """
        limits = {_by_name(name): FAILURES_PER_NAME}
        if address:
            limits[_by_address(address)] = FAILURES_PER_ADDRESS
        now = self._clock()
        rows = [FailedSignIn(subject=subject, failed_at=now) for subject in limits]
        with self._database.write() as session:
            session.execute(delete(FailedSignIn).where(FailedSignIn.failed_at <= now - WINDOW))
            session.add_all(rows)
            session.flush()
            attempt = Attempt(self._database, _by_name(name), [row.id for row in rows])
        waits = []
        with self._database.read() as session:
            for subject, limit in limits.items():
                query = select(func.count(), func.min(FailedSignIn.failed_at))
                count, oldest = session.execute(query.where(FailedSignIn.subject == subject)).one()
                if count > limit:
                    waits.append(oldest + WINDOW - now)
        if waits:
            # What was refused unseen is no failure: else an attack would move the end of the wait.
            attempt.forget()
            raise TooManyAttempts(max(1, math.ceil(max(waits).total_seconds())))
        return attempt


class Attempt:
    """One attempt that may go on to the password."""

    def __init__(self, database: Database, name: str, rows: list[int]) -> None:
        self._database = database
        self._name = name
        self._rows = rows

    def succeeded(self) -> None:
        """The name's failures are forgotten. The address's stay: one own account must not reset them."""
        self._forget(or_(FailedSignIn.subject == self._name, FailedSignIn.id.in_(self._rows)))

    def forget(self) -> None:
        """It does not count."""
        self._forget(FailedSignIn.id.in_(self._rows))

    def _forget(self, which: ColumnElement[bool]) -> None:
        with self._database.write() as session:
            session.execute(delete(FailedSignIn).where(which))


def _by_name(name: str) -> str:
    return f"name:{hashlib.sha256(name.encode()).hexdigest()}"


def _by_address(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return f"address:{address[:64]}"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return f"address:{parsed.ipv4_mapped}"
        # A household has a whole /64 of addresses to guess from.
        parsed = ipaddress.IPv6Network((parsed, 64), strict=False).network_address
    return f"address:{parsed}"
