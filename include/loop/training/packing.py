"""A dataset as RecordIO files, for training jobs that read them instead of augmented manifests.

Takes a dataset, gives ``train.rec`` and ``validation.rec`` beside its manifests, and packed.json, which is
written last and says that they are complete. Images are read in parallel and packed as they are while the
file is uploaded: neither memory nor disk has to hold it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping

from include import recordio
from include.loop.core import layout
from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.records.dataset import Dataset
from include.loop.core.records.recordio import NotPacked, PackedDataset
from include.loop.core.storage import MOST_BYTES, in_parallel
from include.loop.dataset.split_register import known_etags, name_label
from include.loop.workspace import Workspace

log = logging.getLogger(__name__)

TELL_EVERY = 10_000


def pack_dataset(workspace: Workspace, dataset: Dataset) -> PackedDataset:
    """Pack a dataset, or find it packed. ConfigurationError when nothing of a split can be.

    SageMaker's own object detection cannot read a record without an object: images with nothing on them are
    left out for it, and told in not-packed.jsonl. The algorithm of this project learns from them.
    """
    for_mxnet = workspace.environment.algorithm == "sagemaker"
    found = PackedDataset.find(workspace.storage, dataset.dataset_id)
    if found and found.for_mxnet == for_mxnet:
        return found
    left_out: list[NotPacked] = []
    etags = known_etags(workspace.storage)
    counts = {
        split: _Split(workspace, dataset, split, for_mxnet, etags).pack(left_out)
        for split in ("train", "validation")
    }
    if left_out:
        log.warning(
            "%d images of dataset %s are in none of its RecordIO files (%s), the first: %s: %s",
            len(left_out),
            dataset.dataset_id,
            workspace.storage.uri(layout.not_packed(dataset.dataset_id)),
            left_out[0].image,
            left_out[0].reason,
        )
    for split, count in counts.items():
        if not count:
            raise ConfigurationError(
                f"{workspace.pipeline.path}: training.format: no image of the split {split!r} can be in a "
                "RecordIO file"
                + (f" ({left_out[0].reason})" if left_out else "")
                + "; augmented-manifest can "
                "have them all"
            )
    NotPacked.write_all(workspace.storage, left_out, dataset.dataset_id)
    packed = PackedDataset(
        dataset_id=dataset.dataset_id, left_out=len(left_out), for_mxnet=for_mxnet, **counts
    )
    packed.write(workspace.storage, dataset.dataset_id)
    return packed


class _Split:
    """One file while it is made."""

    def __init__(
        self, workspace: Workspace, dataset: Dataset, split: str, for_mxnet: bool, etags: Mapping[str, str]
    ) -> None:
        self._workspace, self._dataset, self._split = workspace, dataset, split
        self._for_mxnet, self._etags = for_mxnet, etags
        self._count = 0

    def pack(self, left_out: list[NotPacked]) -> int:
        """Write the file; how many records it has."""
        place = layout.dataset_records(self._dataset.dataset_id, self._split)
        self._workspace.storage.write_stream(place, self._frames(left_out))
        return self._count

    def _frames(self, left_out: list[NotPacked]) -> Iterator[bytes]:
        lines = list(self._workspace.storage.read_raw_lines(self._dataset.manifest(self._split)))
        # A manifest is sorted, and learning wants it mixed: in an order that depends on the lines only.
        lines.sort(key=lambda line: hashlib.sha256(line).digest())
        for found in in_parallel(self._frame, enumerate(lines)):
            if isinstance(found, NotPacked):
                left_out.append(found)
                continue
            yield found
            self._count += 1
            if self._count % TELL_EVERY == 0:
                log.info("%s of dataset %s: %d packed", self._split, self._dataset.dataset_id, self._count)

    def _frame(self, item: tuple[int, bytes]) -> bytes | NotPacked:
        number, line = item
        task = self._workspace.task
        image = ""
        try:
            label = task.read_line(line)
            image = label.source
            numbers = task.write_record(label)
            if self._for_mxnet and not recordio.is_readable_by_mxnet(numbers):
                raise BadRecord("there is nothing on it, and SageMaker's algorithm cannot read such a record")
            body = self._read(image, self._etags.get(name_label(label.value)))
            return recordio.frame(recordio.pack(recordio.Record(number, numbers, body)))
        except (BadRecord, FileNotFoundError, recordio.RecordError, recordio.RecordIOError) as error:
            return NotPacked(split=self._split, image=image, reason=str(error))

    def _read(self, image: str, etag: str | None) -> bytes:
        """The picture that the dataset was built of: what was put into its place since then is another."""
        found = self._workspace.storage.find(image, most=MOST_BYTES)
        if found is None:
            raise BadRecord(f"the image is gone: {image}")
        if etag and found[1] != etag:
            raise BadRecord(f"the image was replaced after its dataset was built: {image}")
        return found[0]
