"""Gives every job and every deployment its instance process, and notices when one has died.

One thread in the cloud, which looks at the documents a few times a second: what is in progress and has no
living instance gets one, oldest first and not too many jobs at once. An instance that died without a word
(killed, out of memory, the machine went down) is replaced and its job starts again under the same name with
the secondary status Restarting, as SageMaker retries its own internal errors; after a few such deaths the
job is Failed with a reason. An instance that lived through a restart of the cloud still holds its lock, and
is simply found at work. The log has a line when work begins and one when it ends, and says once when
``sandbox`` has no walls for it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from include.local_cloud import processes
from include.local_cloud.control import outcomes, rollout
from include.local_cloud.instance import sandbox
from include.local_cloud.locks import is_held
from include.local_cloud.settings import PROJECT_ROOT, Settings
from include.local_cloud.store import AT_WORK, DEPLOYMENT, INSTANCE, Document, Kind, Store

log = logging.getLogger(__name__)

MAX_LAUNCHES = 3
_ROUND_SECONDS = 0.3
_PATIENCE_SECONDS = 120.0  # with a machine that has no files, processes or disk left


@dataclass(frozen=True)
class InstanceSlot:
    """A place that an instance can fill."""

    kind: Kind
    name: str

    @property
    def key(self) -> str:
        return f"{self.kind.arn}/{self.name}"

    def __str__(self) -> str:
        return f"{self.kind.arn} {self.name}"


class Dispatcher:
    """``on_death`` is called when the thread ends by an error: a cloud that starts no jobs must not go on."""

    def __init__(self, settings: Settings, store: Store, on_death: Callable[[], None]) -> None:
        self._settings, self._store, self._on_death = settings, store, on_death
        self._children: dict[InstanceSlot, subprocess.Popen[bytes]] = {}
        self._seen: dict[InstanceSlot, float] = {}  # since when each is at work, by the monotonic clock
        self._wake, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        if warning := sandbox.warning():
            log.warning("%s", warning)
        rollout.recover(self._store)
        self._thread.start()

    def wake(self) -> None:
        """There is something new to do."""
        self._wake.set()

    def stop(self, patience: float = 10.0) -> None:
        """End every instance and its container; jobs in progress stay so and start again with the next
        cloud.
        """
        self._ending.set()
        self._wake.set()
        self._thread.join()
        slots = [InstanceSlot(kind, name) for kind, name in self._all_slots()]
        deadline = time.monotonic() + patience
        waiting = [slot for slot in slots if self._is_alive(slot)]
        for slot in waiting:
            self._signal(slot, signal.SIGTERM)
        while waiting and time.monotonic() < deadline:
            time.sleep(0.05)
            waiting = [slot for slot in waiting if self._is_alive(slot)]
        for slot in waiting:
            self._signal(slot, signal.SIGKILL)
        for slot in slots:
            self._kill_stray_container(slot)

    def _run(self) -> None:
        failing_since: float | None = None
        try:
            while not self._ending.is_set():
                self._wake.wait(_ROUND_SECONDS)
                self._wake.clear()
                if self._ending.is_set():
                    break
                try:
                    self._round()
                    failing_since = None
                except (OSError, sqlite3.OperationalError) as error:
                    # Out of files, processes or disk, by no fault of a job's: the next rounds may find room.
                    if failing_since is None:
                        failing_since = time.monotonic()
                        log.warning("jobs have to wait: %s", error)
                    elif time.monotonic() - failing_since > _PATIENCE_SECONDS:
                        raise
        except BaseException:
            self._on_death()
            raise

    def _round(self) -> None:
        busy, at_work = 0, set[InstanceSlot]()
        idle: list[tuple[InstanceSlot, Document]] = []
        for kind, statuses in AT_WORK.items():
            for document in self._store.with_status(kind, statuses):
                slot = InstanceSlot(kind, document[kind.name])
                at_work.add(slot)
                if self._is_alive(slot):
                    self._seen.setdefault(slot, time.monotonic())
                    busy += kind is not DEPLOYMENT
                else:
                    idle.append((slot, document))
        self._tell_of_ends(at_work)
        for document in self._store.with_status(DEPLOYMENT, ("Deleting",)):
            slot = InstanceSlot(DEPLOYMENT, document["DeploymentName"])
            if not self._is_alive(slot):
                self._kill_stray_container(slot)
                rollout.bury(self._store, document)
        for slot, document in sorted(idle, key=lambda item: item[1]["CreationTime"]):
            if slot.kind is DEPLOYMENT:
                self._fill(slot, document)
            elif document[slot.kind.status] == "Stopping" and self._store.find(INSTANCE, slot.key) is None:
                outcomes.stopped_before_it_ran(self._store, slot.kind, slot.name)
            elif busy < self._settings.jobs_at_once:
                self._fill(slot, document)
                busy += 1
            else:
                outcomes.waits_for_room(self._store, slot.kind, document, self._settings.jobs_at_once)

    def _fill(self, slot: InstanceSlot, document: Document) -> None:
        # Its instance may have finished between the look at the documents and the look at its lock.
        if self._store.get(slot.kind, slot.name)[slot.kind.status] != document[slot.kind.status]:
            return
        record = self._store.find(INSTANCE, slot.key)
        self._kill_stray_container(slot)
        launches = 0 if record is None else record["launches"] - record.get("interrupted", False)
        if launches >= MAX_LAUNCHES:
            reason = (
                f"InternalServerError: its process died {launches} times without a word; what it wrote is in "
                f"{self._home(slot) / 'instance.log'}"
            )
            outcomes.failed(self._store, slot.kind, slot.name, reason)
            self._store.delete(INSTANCE, slot.key)
            return
        self._store.put(INSTANCE, slot.key, {"launches": launches + 1, "restarted": record is not None})
        self._launch(slot)
        self._seen[slot] = time.monotonic()
        log.info("%s starts%s", slot, "" if record is None else " again: its process was lost")

    def _launch(self, slot: InstanceSlot) -> None:
        home = self._home(slot)
        home.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "include.local_cloud.instance"]
        command += [slot.kind.arn, slot.name, "--data", str(self._settings.data)]
        with open(home / "instance.log", "ab") as output:
            self._children[slot] = subprocess.Popen(  # noqa: S603 -- our own program
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=PROJECT_ROOT,
                env=processes.clean_environment(),
                start_new_session=True,
            )

    def _tell_of_ends(self, at_work: set[InstanceSlot]) -> None:
        """One line for each whose document says that its work is over, whoever wrote that there."""
        for slot in self._seen.keys() - at_work:
            seconds = time.monotonic() - self._seen.pop(slot)
            document = self._store.find(slot.kind, slot.name) or {}
            reason = " ".join(document.get("FailureReason", "").split())  # one line, whatever a job says
            status = document.get(slot.kind.status, "Deleted")
            log.info("%s ended after %.0f s: %s", slot, seconds, f"{status}: {reason}" if reason else status)

    def _is_alive(self, slot: InstanceSlot) -> bool:
        child = self._children.get(slot)
        if child is not None and child.poll() is None:
            return True  # perhaps so young that it has not taken its lock yet
        self._children.pop(slot, None)
        return is_held(self._home(slot) / "lock")

    def _home(self, slot: InstanceSlot) -> Path:
        return self._settings.instances / slot.kind.arn / slot.name

    def _all_slots(self) -> list[tuple[Kind, str]]:
        return [
            (kind, document[kind.name])
            for kind, statuses in AT_WORK.items()
            for document in self._store.with_status(kind, statuses)
        ] + [(slot.kind, slot.name) for slot in self._children]

    def _signal(self, slot: InstanceSlot, number: signal.Signals) -> None:
        child = self._children.get(slot)
        if child is not None:
            if child.poll() is None:
                child.send_signal(number)
            else:
                del self._children[slot]
            return
        record = self._store.find(INSTANCE, slot.key) or {}
        if pid := record.get("pid"):
            with contextlib.suppress(ProcessLookupError):  # it ended by itself
                os.kill(pid, number)

    def _kill_stray_container(self, slot: InstanceSlot) -> None:
        """A container whose instance was killed may still run."""
        record = self._store.find(INSTANCE, slot.key) or {}
        if container := record.get("container"):
            processes.kill_group(container["pid"], container["started"])
