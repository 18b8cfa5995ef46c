"""Checkpoints of a training job: a directory of the container kept the same as a folder in S3.

Takes the CheckpointConfig of the request. What lies in S3 is put into the directory before the container
starts; what the container changes there is uploaded while it runs and once more at its end, and what it
deletes is deleted in S3 as well, as SageMaker documents. Knows ``cloud`` and ``container``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import PurePosixPath

from include.local_cloud.instance.cloud import Cloud
from include.local_cloud.instance.container import MlTree
from include.local_cloud.instance.faults import ClientFault
from include.local_cloud.store import Document
from include.local_cloud.training_jobs import DEFAULT_CHECKPOINTS, ML_ROOT

_SYNC_SECONDS = 1.0
_Seen = dict[str, tuple[int, int]]  # relative path → (size in bytes, modification time in ns)


class Checkpoints:
    """One directory and its folder in S3. ``restore`` first, ``look`` often, ``finish`` last."""

    def __init__(self, cloud: Cloud, config: Document, tree: MlTree) -> None:
        self._cloud = cloud
        self._uri = config["S3Uri"].rstrip("/") + "/"
        local = PurePosixPath(config.get("LocalPath", DEFAULT_CHECKPOINTS))
        self.directory = tree.root / local.relative_to(ML_ROOT)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._kept: _Seen = {}  # what lies in S3, as it was here
        self._looked = time.monotonic()

    def restore(self, check: Callable[[], None]) -> None:
        """Download what earlier jobs, or an earlier instance of this one, left. ``check`` may raise."""
        root = self.directory.resolve()
        for uri in self._cloud.keys(self._uri):
            check()
            path = (root / uri.removeprefix(self._uri)).resolve()
            if not path.is_relative_to(root):
                raise ClientFault(f"{uri} would be written outside of the checkpoints' directory")
            self._cloud.download(uri, path)
        self._kept = self._now()

    def look(self) -> None:
        """Upload what has changed. Cheap: looks once a second."""
        if time.monotonic() - self._looked > _SYNC_SECONDS:
            self.finish()

    def finish(self) -> None:
        """Bring S3 in line with the directory now: the container has ended, nothing changes any more."""
        now = self._now()
        for name, seen in now.items():
            if self._kept.get(name) == seen:
                continue
            try:
                self._cloud.upload(self.directory / name, self._uri + name)
            except FileNotFoundError:  # the container has deleted it since
                continue
            self._kept[name] = seen
        for name in self._kept.keys() - now.keys():
            self._cloud.delete(self._uri + name)
            del self._kept[name]
        self._looked = time.monotonic()

    def _now(self) -> _Seen:
        found: _Seen = {}
        for path in sorted(self.directory.rglob("*")):
            if path.is_file() and not path.is_symlink():
                try:
                    state = path.stat()
                except FileNotFoundError:  # deleted or renamed in this moment
                    continue
                found[str(path.relative_to(self.directory))] = state.st_size, state.st_mtime_ns
        return found
