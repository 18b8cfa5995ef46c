"""Whether a service of somebody else's answers, as the real calls to it have shown: nobody asks only to know.

Two uses: health tells of it, and a part (a bucket, a queue) that has just not answered is not waited for
again for some seconds, so that one that hangs costs a few threads a few seconds and not all of them for ever.
Takes what botocore raises; knows no service.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

_PAUSE_SECONDS = 5.0
# What nobody has tried for so long may have come back.
_TOLD_SECONDS = 120.0


class NoAnswer(BotoCoreError):
    """The part has not answered a moment ago, so it was not asked."""

    fmt = "{service} did not answer a moment ago ({part}): not asked again yet"


class Reach:
    """What is known of one service. Safe for threads: each change is one assignment."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._away: dict[str, float] = {}
        self._failed_at, self._failure = 0.0, ""

    @contextmanager
    def used(self, part: str) -> Iterator[None]:
        """Around each call. Raises ``NoAnswer`` instead of asking a part that does not answer at present."""
        if time.monotonic() < self._away.get(part, 0):
            raise NoAnswer(service=self._service, part=part)
        try:
            yield
        except ClientError as error:
            # A refusal is an answer; a server's fault is not the one that we want.
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            self._note(f"HTTP status {status}" if status >= 500 else None)
            raise
        except (ConnectionError, HTTPClientError) as error:
            now = time.monotonic()
            self._away = {p: until for p, until in self._away.items() if until > now}
            self._away[part] = now + _PAUSE_SECONDS
            self._note(type(error).__name__)
            raise
        except BotoCoreError as error:
            self._note(type(error).__name__)
            raise
        self._note(None)

    @property
    def problems(self) -> list[str]:
        """What was wrong with the last call, unless that is long ago; empty when it went well."""
        ago = time.monotonic() - self._failed_at
        if not self._failure or ago > _TOLD_SECONDS:
            return []
        return [f"{self._service} did not answer {ago:.0f} seconds ago ({self._failure})"]

    def _note(self, failure: str | None) -> None:
        if failure is None:
            self._failure = ""
        else:
            self._failed_at, self._failure = time.monotonic(), failure
