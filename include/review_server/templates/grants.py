"""Which objects of S3 a template may show: what its loop or data object is about, where its queue's results
are written, and what the operator named.

Takes an item's input and its queue's output, or nothing for a template on the bench; gives the function that
signs a location or says why not. The server's identity may read more than a template's author, or an owner at
the bench, ever should. It knows the tables and S3's signer, and no web.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_, select

from include.review_server import jsontext
from include.review_server.db.database import Database
from include.review_server.db.models import FlowDefinition, ItemInput, WorkItem, WorkQueue
from include.review_server.db.statuses import FlowStatus
from include.review_server.s3 import S3_ERRORS, ObjectStore
from include.review_server.s3_location import S3Location
from include.review_server.settings import READ_PREFIXES

# What the bench looks at to tell where a queue's images are.
_RECENT_ITEMS = 5
_LARGEST_RECENT = 64 * 1024


@dataclass(frozen=True)
class Places:
    """Objects, and folders with all that is below them (their keys are empty or end with a slash)."""

    objects: frozenset[S3Location] = frozenset()
    folders: frozenset[S3Location] = frozenset()

    def hold(self, location: S3Location) -> bool:
        return location in self.objects or any(folder in self.folders for folder in _around(location))


class ReadAccess:
    """Makes the signing function for a template. ``read_prefixes`` are the settings' S3 URIs."""

    def __init__(self, database: Database, store: ObjectStore, read_prefixes: Iterable[str]) -> None:
        self._database = database
        self._store = store
        self._named = below(read_prefixes)

    def for_loop(self, task_input: str, output_path: str) -> Grant:
        """For a template at work on an item's input (JSON text)."""
        return Grant(self._store, self._named, _outputs([output_path]), lambda: self._named_in(task_input))

    def for_caller(self, task_input: str) -> Grant:
        """For RenderUiTemplate: who may call it may start a loop with the same input."""
        return Grant(self._store, self._named, lambda: self._named_in(task_input))

    def _named_in(self, task_input: str) -> Places:
        return named_in(task_input, self._store.location_of)

    def for_bench(self) -> Grant:
        """For a template on the bench: its input is whatever an owner types, and opens nothing."""
        return Grant(self._store, self._named, self._of_queues)

    def _of_queues(self) -> Places:
        """What workers are shown already: where flow definitions and open labeling jobs write, and what they
        asked about last.
        """
        objects: set[S3Location] = set()
        with self._database.read() as session:
            flows = select(FlowDefinition.id).where(FlowDefinition.status != FlowStatus.DELETED)
            live = or_(WorkQueue.is_open, WorkQueue.id.in_(flows))
            queues = session.execute(select(WorkQueue.id, WorkQueue.output_path).where(live)).all()
            folders = set(_outputs(queue.output_path for queue in queues).folders)
            for queue in queues:
                recent = (
                    select(ItemInput.content)
                    .join(WorkItem, WorkItem.id == ItemInput.item_id)
                    .where(WorkItem.queue_id == queue.id, func.length(ItemInput.content) <= _LARGEST_RECENT)
                    .order_by(WorkItem.created_at.desc(), WorkItem.id.desc())
                    .limit(_RECENT_ITEMS)
                )
                for content in session.scalars(recent):
                    places = named_in(content)
                    objects |= places.objects
                    folders |= places.folders
        return Places(frozenset(objects), frozenset(folders))


class Grant:
    """Signs what lies in one of the places; ``granted`` are the addresses so far, without their signatures.

    A place may be a function: it is looked at only when a location lies in none before it, and once.
    """

    def __init__(self, store: ObjectStore, *places: Places | Callable[[], Places]) -> None:
        self._store = store
        self._places = list(places)
        self.granted: list[str] = []

    def __call__(self, location: S3Location) -> str:
        """A short-lived address. ``ValueError`` tells the template's author why there is none."""
        if not self._holds(location):
            folder = location.uri.rpartition("/")[0]
            raise ValueError(
                f"{location.uri} may not be shown by this template: neither the input of the task nor the "
                f"output of its flow definition or labeling job lies there. Whoever runs the server allows "
                f"more with --read-prefix {folder}/ (or the variable {READ_PREFIXES})"
            )
        try:
            url = self._store.signed_url(location)
        except S3_ERRORS as error:
            raise ValueError(f"{location.uri} cannot be signed: {error}") from None
        self.granted.append(url.partition("?")[0])
        return url

    def admit(self, presigned: Iterable[str]) -> None:
        """Addresses that the input brought signed along: granted when this S3 would give the same address for
        an object that may be shown. Their signatures are whoever made them's; nothing is signed here.
        """
        for url in presigned:
            location = self._store.location_of(url)
            if location is not None and self._holds(location):
                self.granted.append(url.partition("?")[0])

    def _holds(self, location: S3Location) -> bool:
        for index, place in enumerate(self._places):
            looked_at = place if isinstance(place, Places) else place()
            self._places[index] = looked_at
            if looked_at.hold(location):
                return True
        return False


def below(uris: Iterable[str]) -> Places:
    """All that lies under S3 URIs, each with a slash at its end or without."""
    locations = [S3Location.parse(uri) for uri in uris]
    return Places(
        folders=frozenset(
            S3Location(location.bucket, f"{location.key.rstrip('/')}/" if location.key else "")
            for location in locations
        )
    )


def _outputs(paths: Iterable[str]) -> Places:
    """Where queues' results are written. One that writes at a bucket's root opens not the whole bucket."""
    return Places(folders=frozenset(folder for folder in below(paths).folders if folder.key))


def named_in(task_input: str, read: Callable[[str], S3Location | None] = lambda url: None) -> Places:
    """The objects that an input (JSON text) names, wherever in it, and the folders they lie in.

    Folders, because masks and crops lie beside their image and templates make up their names. A bucket is no
    folder: an object at its root opens itself alone. ``read`` reads addresses of an S3 other than Amazon's.
    """
    objects = frozenset(_named(jsontext.parse(task_input), read))
    folders = (S3Location(named.bucket, named.key[: named.key.rfind("/") + 1]) for named in objects)
    return Places(objects, frozenset(folder for folder in folders if folder.key))


def _named(value: Any, read: Callable[[str], S3Location | None]) -> Iterator[S3Location]:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            pending.extend(item.values())
            # As Rekognition and Textract write it: {"Bucket": …, "Name": …}.
            parts = {str(key).lower(): part for key, part in item.items() if isinstance(part, str)}
            if "bucket" in parts:
                yield from (
                    S3Location(parts["bucket"], parts[key]) for key in ("name", "key") if key in parts
                )
        elif isinstance(item, str):
            yield from _locations(item)
            if item.startswith(("https://", "http://")) and (location := read(item.strip())):
                yield location


def _locations(text: str) -> Iterator[S3Location]:
    """A text that is a location, or a list of them as a template would split it."""
    for part in {text.strip(), *text.replace(",", " ").replace(";", " ").replace("|", " ").split()}:
        if part.startswith("s3://"):
            bucket, _, key = part.removeprefix("s3://").partition("/")
            yield S3Location(bucket, key)
        elif part.startswith(("https://", "http://")) and "amazonaws.com" in part[:200]:
            try:
                yield S3Location.parse(part)
            except ValueError:
                continue


def _around(location: S3Location) -> Iterator[S3Location]:
    """The bucket and every folder that a location lies in."""
    yield S3Location(location.bucket, "")
    for at, character in enumerate(location.key):
        if character == "/":
            yield S3Location(location.bucket, location.key[: at + 1])
