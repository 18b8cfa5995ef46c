"""Checkpoints of a training job: a directory of the container kept the same as a folder in S3.

Takes the CheckpointConfig of the request. What lies in S3 is put into the directory before the container
starts; what the container changes there is uploaded while it runs and once more at its end, and what it
deletes is deleted in S3 as well, as SageMaker documents.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from include.local_cloud.control.training_jobs import DEFAULT_CHECKPOINTS, ML_ROOT
from include.local_cloud.instance import files
from include.local_cloud.instance.channels import place
from include.local_cloud.instance.cloud import Cloud
from include.local_cloud.instance.container import MlTree
from include.local_cloud.instance.faults import ClientFault
from include.local_cloud.store import Document

_SYNC_SECONDS = 1.0
_Seen = dict[str, tuple[int, int]]  # relative path → (size in bytes, modification time in ns)


class Checkpoints:
    """One directory and its folder in S3. ``restore`` first, ``look`` often, ``finish`` last."""

    def __init__(self, cloud: Cloud, config: Document, tree: MlTree) -> None:
        self._cloud = cloud
        self._uri = config["S3Uri"].rstrip("/") + "/"
        local = PurePosixPath(config.get("LocalPath", DEFAULT_CHECKPOINTS))
        self.directory = tree.add(local.relative_to(ML_ROOT))
        self._kept: _Seen = {}  # what lies in S3, as it was here
        self._looked = time.monotonic()

    def restore(self, check: Callable[[], None]) -> None:
        """Download what earlier jobs, or an earlier instance of this one, left. ``check`` may raise."""
        for uri in self._cloud.keys(self._uri):
            check()
            self._cloud.download(uri, place(self.directory, uri.removeprefix(self._uri), uri))
        self._kept = {found.name: _seen(found) for found in files.regular(self.directory)}

    def look(self) -> None:
        """Upload what has changed. Cheap: looks once a second."""
        if time.monotonic() - self._looked > _SYNC_SECONDS:
            self.finish()

    def finish(self) -> None:
        """Bring S3 in line with the directory now: the container has ended, nothing changes any more."""
        names = set()
        for found in files.regular(self.directory):
            names.add(found.name)
            if self._kept.get(found.name) != _seen(found):
                try:
                    self._cloud.upload(Path(found.path), self._uri + found.name)
                except ClientFault:
                    # Written while it was read: what was signed is not what was sent. The next look sees it.
                    if (now := os.stat(found.path)).st_mtime_ns == found.state.st_mtime_ns and (
                        now.st_size == found.state.st_size
                    ):
                        raise
                    continue
                self._kept[found.name] = _seen(found)
        for name in self._kept.keys() - names:
            self._cloud.delete(self._uri + name)
            del self._kept[name]
        self._looked = time.monotonic()


def _seen(found: files.Found) -> tuple[int, int]:
    return found.state.st_size, found.state.st_mtime_ns
