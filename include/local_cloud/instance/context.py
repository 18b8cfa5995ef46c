"""What every instance holds in its hands: its place, its document, its home directory, its watch and its
cloud.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from include.local_cloud.control.training_jobs import move
from include.local_cloud.instance.cloud import Cloud
from include.local_cloud.instance.watch import Watch
from include.local_cloud.settings import Settings
from include.local_cloud.store import INSTANCE, Document, Kind, Store


class InstanceContext:
    """The place of one instance: a kind (training job, transform job, deployment) and a name."""

    def __init__(self, settings: Settings, store: Store, kind: Kind, name: str) -> None:
        self.settings, self.store, self.kind, self.name = settings, store, kind, name
        self.home: Path = settings.instances / kind.arn / name
        self.watch = Watch(settings, store, kind, name)
        self.cloud = Cloud(settings.data, self.watch)
        self.document = store.get(kind, name)

    @property
    def key(self) -> str:
        return f"{self.kind.arn}/{self.name}"

    @property
    def restarted(self) -> bool:
        """Whether an earlier instance of this place was lost."""
        return bool(self.store.get(INSTANCE, self.key)["restarted"])

    @contextmanager
    def change(self) -> Iterator[Document]:
        with self.store.change(self.kind, self.name) as document:
            yield document

    def move(self, secondary_status: str, message: str) -> None:
        """Enter a secondary status; a job that is being stopped keeps showing that."""
        with self.change() as document:
            if document[self.kind.status] == "InProgress":
                move(document, secondary_status, message)

    def record(self, container: Mapping[str, float]) -> None:
        """Write the container's identity down, so that it can be ended when this process is killed."""
        with self.store.change(INSTANCE, self.key) as record:
            record["container"] = dict(container)
