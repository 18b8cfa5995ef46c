"""A RecordIO file with the labels of the first model, unpacked: its images as objects, its labels as an
augmented manifest, which the rest of the loop can ask about, compare and replay.

Takes the place of a ``.rec``, gives the place of the manifest. What a file was unpacked to is named after its
ETag and its classes: the same file is unpacked once, and an interrupted start goes on where it was.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import PurePosixPath

from include import recordio
from include.loop.core import layout
from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.identity import content_hash
from include.loop.core.records.dataset import RejectedLine
from include.loop.core.records.recordio import RefusedRecord
from include.loop.core.storage import StoredObject, in_parallel
from include.loop.workspace import Workspace
from include.pictures import PictureError, read_size
from include.recordio.class_names import CLASSES_FILE, MOST_BYTES

log = logging.getLogger(__name__)

TELL_EVERY = 10_000


def unpack(workspace: Workspace, location: str, refused: list[RejectedLine]) -> str:
    """Where the manifest with the labels of a ``.rec`` lies; another location is one itself.

    Its records that cannot be used are added to ``refused``. FileNotFoundError when there is no such file,
    ConfigurationError when it is broken or of other classes than the pipeline's.
    """
    if not location.endswith(".rec"):
        return location
    storage = workspace.storage
    found = storage.stat(location)
    if found is None:
        raise FileNotFoundError(f"no object at {storage.uri(location)}")
    ids = _class_ids(workspace, found.uri)
    digest = _digest(workspace, found, ids)
    manifest = layout.unpacked_manifest(digest)
    if not storage.exists(manifest):
        storage.write_lines(manifest, _unpacked(workspace, found, digest, ids))
    refused.extend(_refused(workspace, found, digest))
    return manifest


def find_unpacked(workspace: Workspace, location: str, refused: list[RejectedLine]) -> str | None:
    """The same for whoever only reads: None when there is no such file, or it was not unpacked yet. The
    latter is added to ``refused``.
    """
    storage = workspace.storage
    found = storage.stat(location)
    if found is None or not location.endswith(".rec"):
        return location if found else None
    digest = _digest(workspace, found, _class_ids(workspace, found.uri))
    if not storage.exists(layout.unpacked_manifest(digest)):
        reason = "is not unpacked yet, which the training of the first model does"
        refused.append(RejectedLine(manifest=found.uri, line="", reason=reason))
        return None
    refused.extend(_refused(workspace, found, digest))
    return layout.unpacked_manifest(digest)


def _digest(workspace: Workspace, rec: StoredObject, ids: list[int]) -> str:
    pipeline = workspace.pipeline
    return content_hash(
        rec.etag, ids, list(pipeline.classes), pipeline.task, pipeline.multi_label, pipeline.label_attribute
    )


def _refused(workspace: Workspace, rec: StoredObject, digest: str) -> Iterator[RejectedLine]:
    for item in RefusedRecord.read_all(workspace.storage, digest):
        yield RejectedLine(manifest=rec.uri, line=str(item.number), reason=item.reason)


def _unpacked(
    workspace: Workspace, rec: StoredObject, digest: str, ids: list[int]
) -> Iterator[dict[str, object]]:
    """The lines, each when its image is stored; at their end the refused records are."""
    storage, images = workspace.storage, layout.unpacked_images(digest)
    there = {item.uri: item.size for item in storage.list(images)}

    def unpack_one(placed: recordio.Placed) -> dict[str, object] | RefusedRecord:
        record = placed.record
        try:
            if isinstance(record, recordio.RecordError):
                raise record
            size = read_size(record.image)
            ending = "png" if record.image.startswith(b"\x89PNG") else "jpg"
            place = f"{images}{placed.number:08d}-{record.id}.{ending}"
            source = storage.uri(place)
            line = workspace.task.read_record(record.label, source, size, ids)
        except (BadRecord, PictureError, recordio.RecordError) as error:
            return RefusedRecord(number=placed.number, reason=str(error))
        if there.get(source) != len(record.image):
            storage.write(place, record.image, f"image/{'png' if ending == 'png' else 'jpeg'}")
        return line

    refused: list[RefusedRecord] = []
    with storage.open(rec.uri, rec.etag) as stream:
        try:
            for count, found in enumerate(in_parallel(unpack_one, recordio.read_records(stream)), start=1):
                if isinstance(found, RefusedRecord):
                    refused.append(found)
                else:
                    yield found
                if count % TELL_EVERY == 0:
                    log.info("%s: %d records unpacked", rec.uri, count)
        except recordio.RecordIOError as error:
            raise ConfigurationError(f"{rec.uri}: {error}. Pack or upload it again") from None
    RefusedRecord.write_all(storage, refused, digest)  # before the manifest, which says that all is there


def check_class_lists(workspace: Workspace, train: str, validation: str) -> None:
    """ConfigurationError when only one of two ``.rec`` has a list of classes beside it, and that in another
    order than the pipeline's: whoever packed both meant the same by their numbers, and they would be read as
    different classes.
    """
    places = [place for place in (train, validation) if place.endswith(".rec")]
    lists = {place: _class_list(workspace, workspace.storage.uri(place)) for place in places}
    named = [found for found in lists.values() if found]
    nameless = [place for place, found in lists.items() if not found]
    if not named or not nameless:
        return
    beside, names = named[0]
    if names != list(workspace.pipeline.classes[: len(names)]):
        raise ConfigurationError(
            f"{beside} has the classes in another order than {workspace.pipeline.path}, and no list lies "
            f"beside {workspace.storage.uri(nameless[0])}: put one there as well, "
            f"{PurePosixPath(nameless[0]).stem}.{CLASSES_FILE}, in the order of that file's numbers"
        )


def _class_ids(workspace: Workspace, uri: str) -> list[int]:
    """The pipeline's class for each of the file's: by name where ``classes.txt`` lies beside it."""
    ours = workspace.pipeline.classes
    found = _class_list(workspace, uri)
    if found is None:
        return list(range(len(ours)))
    beside, names = found
    if unknown := [name for name in names if name not in ours]:
        raise ConfigurationError(
            f"{beside}: {', '.join(map(repr, unknown[:5]))} is no class of the pipeline, which has "
            f"{', '.join(map(repr, ours[:20]))} ({workspace.pipeline.path}): name them alike"
        )
    return [ours.index(name) for name in names]


def _class_list(workspace: Workspace, uri: str) -> tuple[str, list[str]] | None:
    """Where the names of a file's class numbers lie, and what they are."""
    try:
        return recordio.find_class_names(uri, lambda place: workspace.storage.read(place, most=MOST_BYTES))
    except (BadRecord, recordio.RecordError) as error:
        raise ConfigurationError(f"{uri}: its list of classes: {error}") from None
