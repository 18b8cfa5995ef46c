"""A pipeline's labels in a format of other tools, in a new folder or below a new S3 prefix.

Takes which labels and which format, gives what was written and what the format cannot hold. The folder
appears under its name when all of it is there; below a prefix the pictures come first and the labels last.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.storage import Storage, in_parallel
from include.loop.exchange.formats import Format, WriteOptions, find_format
from include.loop.exchange.formats._pictures import SUFFIXES
from include.loop.exchange.items import Item, Problem
from include.loop.exchange.known_items import Choice, known_items
from include.loop.exchange.survey import Progress, kind_of
from include.loop.workspace import Workspace

TOLD = 12  # reasons that the report has


@dataclass
class Exported:
    """How many images the format was given, by split, and labels by class; ``problems`` are all that it does
    not hold, and all that could not be handed out.
    """

    place: str
    format: str
    images: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)


def export(
    workspace: Workspace,
    choice: Choice,
    format_name: str,
    out: str,
    copy_images: bool = True,
    progress: Progress | None = None,
) -> Exported:
    """ConfigurationError when the format cannot hold the pipeline's labels, or something is at ``out``."""
    kind, pipeline = find_format(format_name), workspace.pipeline
    _check_held(workspace, format_name, kind)
    options = WriteOptions(
        classes=pipeline.classes,
        many_classes=pipeline.multi_label,
        copy_images=copy_images,
        label=pipeline.label_attribute,
    )
    exported = Exported(out, format_name)
    items = _counted(known_items(workspace, choice), exported, progress)
    if copy_images and kind.writes_images:
        items = in_parallel(_with_picture, items)
    with _new_place(workspace.storage, out) as folder:
        try:
            exported.problems += kind.write(items, folder, options)
        except BadRecord as error:
            raise ConfigurationError(f"{kind.title}: {error}") from None
        if not exported.images:
            first = f"; the first: {exported.problems[0].reason}" if exported.problems else ""
            raise ConfigurationError(f"there is no label to export{first}")
    return exported


def tell_export(exported: Exported) -> list[str]:
    """The lines of the report: what was given to the format, and by reason what it does not hold."""
    splits = ", ".join(f"{name} {count:,}" for name, count in sorted(exported.splits.items()))
    labels = ", ".join(f"{name} {count:,}" for name, count in sorted(exported.labels.items()))
    lines = [
        f"{exported.place}: {exported.images:,} images as {exported.format}",
        f"  splits      {splits}",
        f"  labels      {labels or 'none: nothing is on any image'}",
    ]
    reasons = Counter((item.kind, item.reason) for item in exported.problems)
    first = {(item.kind, item.reason): item.where for item in reversed(exported.problems)}
    for (kind, reason), count in reasons.most_common(TOLD):
        lines.append(f"  {kind:11} {count:,} times: {reason} (first: {first[kind, reason]})")
    if len(reasons) > TOLD:
        lines.append(f"  and {len(reasons) - TOLD:,} more reasons; --json has them all")
    return lines


def _check_held(workspace: Workspace, name: str, kind: Format) -> None:
    wanted = kind_of(workspace.pipeline)
    # One with many classes goes into a format with one as far as its images have one; the rest is told.
    if wanted not in kind.holds and not (wanted == "many_classes" and "classes" in kind.holds):
        words = {
            "boxes": "boxes",
            "classes": "one class for an image",
            "many_classes": "many classes for one",
        }
        holds = " or ".join(words[each] for each in sorted(kind.holds))
        raise ConfigurationError(
            f"{name} holds {holds}, and {workspace.pipeline.name} has {words[wanted]}: choose another format"
        )


def _counted(
    items: Iterable[Item | Problem], exported: Exported, progress: Progress | None
) -> Iterator[Item]:
    for item in items:
        if isinstance(item, Problem):
            exported.problems.append(item)
            continue
        exported.images += 1
        exported.splits[item.split or "no split"] += 1
        exported.labels.update(box.label for box in item.boxes or ())
        exported.labels.update(said.label for said in item.classes or () if said.present)
        yield item
        if progress:
            progress(exported.images, None)


def _with_picture(item: Item) -> Item:
    """Read ahead of the writer, which takes one image after another; what fails then fails again for it."""
    try:
        body = item.read()
    except (BadRecord, FileNotFoundError):
        return item
    return replace(item, read=lambda: body)


@contextmanager
def _new_place(storage: Storage, out: str) -> Iterator[Path]:
    """A folder to write into, which becomes ``out`` when all went well, and is gone otherwise."""
    in_s3 = out.startswith("s3://")
    path = Path(out).expanduser()
    if in_s3:
        prefix = out if out.endswith("/") else f"{out}/"
        if next(iter(storage.list(prefix)), None) is not None:
            raise ConfigurationError(f"there are objects below {prefix} already: choose another place")
    elif path.is_symlink() or (path.exists() and (not path.is_dir() or any(path.iterdir()))):
        raise ConfigurationError(f"{out} is there already: choose another place")
    # Beside its place, or where that is going to be: only there can it be renamed at once.
    beside = None if in_s3 else next(above for above in path.absolute().parents if above.exists())
    try:
        folder = Path(tempfile.mkdtemp(prefix=".export-", dir=beside))
    except OSError as error:
        raise ConfigurationError(f"{out} cannot be written: {error.strerror}") from None
    try:
        yield folder
        if in_s3:
            _upload(storage, folder, prefix)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o777 & ~_umask())  # mkdtemp's is for its owner alone
            folder.rename(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _upload(storage: Storage, folder: Path, prefix: str) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    files.sort(key=lambda path: path.suffix.lower() not in SUFFIXES)  # whoever finds labels finds pictures

    def send(path: Path) -> None:
        bucket, key = storage.resolve(prefix + path.relative_to(folder).as_posix())
        storage.s3.upload_file(str(path), bucket, key)

    for _ in in_parallel(send, files):
        pass
