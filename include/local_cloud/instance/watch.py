"""An instance's eye on the world: is it to end, is its job to stop, is its cloud still there?

Long loops call ``check`` at every turn.
"""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

from include.local_cloud.instance.faults import Interrupted, StopRequested
from include.local_cloud.locks import is_held
from include.local_cloud.settings import Settings
from include.local_cloud.store import Kind, Store

_LOOK_SECONDS = 0.3


class Watch:
    def __init__(self, settings: Settings, store: Store, kind: Kind, name: str) -> None:
        self._settings, self._store, self._kind, self._name = settings, store, kind, name
        self._interrupted = threading.Event()
        self._cloud_seen = self._looked = time.monotonic()
        self.stop_requested = False

    def listen(self) -> None:
        """From now on SIGTERM means: end, the cloud is going down."""

        def interrupt(signal_number: int, frame: FrameType | None) -> None:
            self._interrupted.set()

        signal.signal(signal.SIGTERM, interrupt)
        signal.signal(signal.SIGINT, interrupt)

    def look(self) -> None:
        """Notice a stop request. Raises ``Interrupted`` when this process must end. Cheap: looks a few
        times a second.
        """
        if self._interrupted.is_set():
            raise Interrupted("the cloud is going down")
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        if is_held(self._settings.lock):
            self._cloud_seen = now
        elif now - self._cloud_seen > self._settings.orphan_grace:
            raise Interrupted(f"the cloud has been gone for {self._settings.orphan_grace:.0f} s")
        document = self._store.find(self._kind, self._name)
        if document is None or document[self._kind.status] in ("Stopping", "Deleting"):
            self.stop_requested = True

    def check(self) -> None:
        """Like ``look``, and raises ``StopRequested`` as well."""
        self.look()
        if self.stop_requested:
            raise StopRequested(self._name)

    def sleep(self, seconds: float) -> None:
        """Pause, but wake when interrupted."""
        self._interrupted.wait(seconds)
