"""Passwords' hashes, by argon2: slow on purpose, so in few threads, which give way to all others.

``Passwords`` makes and checks them for whoever may wait. ``Turnstile`` is for the server: it lets a few calls
in, lets a few more wait, and sends the others away, so that a flood of them costs a reviewer nothing.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from include.review_server.errors import TooBusy, WeakPassword

P = ParamSpec("P")
T = TypeVar("T")

SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 1024  # characters
_POLITENESS = 5


class Passwords:
    """Hashes, and whether a password is the one of a hash."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        # One each: a hash takes 64 MiB for its time, and several cores by itself.
        self._strangers, self._known = (
            ThreadPoolExecutor(1, name, initializer=_be_polite) for name in ("argon2", "argon2-known")
        )
        # Verified when there is no hash, so that the time of a refusal does not tell who exists.
        self._nobody = self._hasher.hash(secrets.token_urlsafe(12))

    def hash(self, password: str) -> str:
        """The hash to be kept, with a salt of its own."""
        return self._known.submit(self._hasher.hash, spelled(password)).result()

    def matches(self, stored: str | None, password: str, is_known: bool = False) -> bool:
        """Whether it is the password of that hash; of None it never is, and finding out takes as long.

        ``is_known``: it comes from where the password was known before, and does not queue with strangers.
        """
        tried = spelled(password)
        if len(tried) > LONGEST_PASSWORD or not is_text(tried):
            return False  # nobody's: none was ever set so
        threads = self._known if is_known else self._strangers
        right = threads.submit(self._verify, stored or self._nobody, tried).result()
        return right and stored is not None

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


class Turnstile:
    """``at_once`` threads for calls that last, and room for ``waiting`` more in front of them."""

    def __init__(self, name: str, at_once: int, waiting: int) -> None:
        self._threads = ThreadPoolExecutor(at_once, name)
        self._places = threading.Semaphore(at_once + waiting)

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the call returns or raises. Raises ``TooBusy`` when there is no place.

        The place is free when the call has ended, not when somebody stopped waiting for it.
        """
        if not self._places.acquire(blocking=False):
            raise TooBusy("too many people are signing in at this moment")
        future = self._threads.submit(call, *args, **kwargs)
        future.add_done_callback(self._leave)
        return await asyncio.wrap_future(future)

    def _leave(self, _done: Future[T]) -> None:
        self._places.release()


def check_new(password: str, name: str) -> None:
    """Raises ``WeakPassword`` for what nobody of that name may choose."""
    password = spelled(password)
    if not is_text(password):
        raise WeakPassword("a password is text: it has half of a character in it")
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise WeakPassword(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    if len(set(password)) < 5 or name.lower() in password.lower():
        raise WeakPassword("a password has five different characters or more, and not the name in it")


def spelled(text: str) -> str:
    """The text as it is compared and kept: NFC, for keyboards differ in how they send an é."""
    return unicodedata.normalize("NFC", text)


def is_text(text: str) -> bool:
    """Whether it can be written down: half of a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _be_polite() -> None:
    if sys.platform == "linux":
        # Of this thread alone, and of those that argon2 starts from it; elsewhere it would be the process.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _POLITENESS)
