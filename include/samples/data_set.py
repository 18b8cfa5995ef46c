"""A sample data set, whatever it shows: labelled images for a first model, test sets, and nightly batches
without labels.

Below its directory lies what belongs below s3://BUCKET/PIPELINE/, and beside it `truth.jsonl`: what the
simulated reviewers of the nightly batches know, which never goes into the bucket. What the images are and how
they are labelled is said by a `Kind`; digit_scenes.py, digit_classes.py and tree_tiles.py have one each.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import mimetypes
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from include.samples.scenes import Scene

DEFAULT_BUCKET = "nightloop-local"
TRUTH = "truth.jsonl"
ATTRIBUTE = "review"  # the label attribute, the same one that reviewed answers get

_JPEG_QUALITY = 92


class SampleError(ValueError):
    """The sample cannot be made; the message says why and what to do."""


@dataclass(frozen=True)
class Sample:
    """What to make: a seed, counts of images, and the dates of the nightly batches."""

    seed: int
    train: int = 1000
    validation: int = 100
    test: int = 200  # in each test set
    batches: int = 1
    batch_images: int = 300
    first_date: dt.date = dt.date(2026, 11, 1)
    bucket: str = DEFAULT_BUCKET
    pipeline: str = "digits"

    def dates(self) -> list[dt.date]:
        return [self.first_date + dt.timedelta(days=day) for day in range(self.batches)]


@dataclass(frozen=True)
class Part:
    """Images that lie in one folder: their files begin with ``name``. With a ``manifest`` (its key) they have
    labels; of what is ``reviewed`` the simulated reviewers know the truth.
    """

    name: str
    folder: str
    scenes: Iterable[Scene]
    manifest: str | None = None
    reviewed: bool = False


@dataclass(frozen=True)
class Kind:
    """What a sample shows. ``parts`` makes its images. ``label`` gives what a manifest line says of a scene:
    the label's value, and of its metadata what depends on the task. ``truth`` is what a reviewer is to know
    of it. The counts are those of the command when it is not told any.
    """

    module: str
    description: str
    pipeline: str
    job: str  # the labelling job that the manifests name
    parts: Callable[[Sample], Iterable[Part]]
    label: Callable[[Scene], tuple[Any, dict[str, Any]]]
    truth: Callable[[Scene], dict[str, Any]]
    train: int = Sample.train
    validation: int = Sample.validation
    test: int = Sample.test
    batch_images: int = Sample.batch_images


@dataclass(frozen=True)
class _Written:
    """One image of the sample: its S3 URI, and what is on it."""

    source: str
    scene: Scene


def generate(kind: Kind, sample: Sample, out: Path) -> dict[str, int]:
    """Write the sample below `out`; returns how many images each part has. SampleError when there is none."""
    truth: list[_Written] = []
    counts: dict[str, int] = {}
    for part in kind.parts(sample):
        written = _write_images(part, f"s3://{sample.bucket}/{sample.pipeline}", out)
        counts[part.name] = len(written)
        if part.manifest is not None:
            lines = (_manifest_line(kind, item, sample.first_date) for item in written)
            _write_lines(out / part.manifest, lines)
        if part.reviewed:
            truth += written
    _write_lines(out / TRUTH, (_truth_line(kind, item) for item in truth))
    return counts


def _write_images(part: Part, place: str, out: Path) -> list[_Written]:
    """Save a part's images as JPEG. File names are unique in the whole sample."""
    (out / part.folder).mkdir(parents=True, exist_ok=True)
    written = []
    for index, scene in enumerate(part.scenes):
        key = f"{part.folder}/{part.name}-{index:04d}.jpg"
        Image.fromarray(scene.pixels).save(out / key, quality=_JPEG_QUALITY, subsampling=0)
        written.append(_Written(f"{place}/{key}", scene))
    return written


def upload(sample: Sample, out: Path, s3: Any) -> int:
    """Copy what `generate` wrote to the existing bucket; `s3` is a boto3 client. Returns how many files."""
    files = [path for path in sorted(out.rglob("*")) if path.is_file() and path.name != TRUTH]

    def put(path: Path) -> None:
        key = f"{sample.pipeline}/{path.relative_to(out).as_posix()}"
        kind = mimetypes.guess_type(path.name)[0] or "application/jsonlines"
        s3.put_object(Bucket=sample.bucket, Key=key, Body=path.read_bytes(), ContentType=kind)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, files))
    return len(files)


def _manifest_line(kind: Kind, item: _Written, date: dt.date) -> dict[str, Any]:
    """One line of an augmented manifest, in the shape of a labelling job's output."""
    value, metadata = kind.label(item.scene)
    common = {
        "creation-date": f"{date}T00:00:00.000000",
        "human-annotated": "no",  # nobody was asked: what they show was known before
        "job-name": f"labeling-job/{kind.job}",
    }
    return {
        "source-ref": item.source,
        ATTRIBUTE: value,
        f"{ATTRIBUTE}-metadata": dict(sorted((common | metadata).items())),
    }


def _truth_line(kind: Kind, item: _Written) -> dict[str, Any]:
    height, width = item.scene.pixels.shape[:2]
    return {"source-ref": item.source, "width": width, "height": height} | kind.truth(item.scene)


def _write_lines(path: Path, records: Iterable[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def main(kind: Kind, arguments: Sequence[str] | None = None) -> None:
    """The command of a kind of sample."""
    parser = argparse.ArgumentParser(prog=f"python -m {kind.module}", description=kind.description)
    parser.add_argument(
        "--seed", type=int, required=True, help="not negative; another seed gives other images"
    )
    parser.add_argument("--out", type=Path, required=True, help="directory to write to")
    parser.add_argument("--train", type=int, default=kind.train, help="labelled images to learn from")
    parser.add_argument("--validation", type=int, default=kind.validation)
    parser.add_argument("--test", type=int, default=kind.test, help="held-out images in each test set")
    parser.add_argument("--batches", type=int, default=Sample.batches, help="number of nightly batches")
    parser.add_argument("--batch-images", type=int, default=kind.batch_images, help="images in each batch")
    parser.add_argument(
        "--first-date", type=dt.date.fromisoformat, default=Sample.first_date, metavar="YYYY-MM-DD"
    )
    parser.add_argument("--bucket", help=f"upload there too; without it, the manifests name {DEFAULT_BUCKET}")
    parser.add_argument("--pipeline", default=kind.pipeline)
    parser.add_argument("--endpoint-url", help="where S3 is, when the profile does not say it")
    parser.add_argument("--profile", help="AWS profile to upload with")
    options = parser.parse_args(arguments)
    for name in ("seed", "train", "validation", "test", "batches", "batch_images"):
        if (number := getattr(options, name)) < 0:
            parser.error(f"--{name.replace('_', '-')} {number}: must not be negative")
    sample = Sample(
        seed=options.seed,
        train=options.train,
        validation=options.validation,
        test=options.test,
        batches=options.batches,
        batch_images=options.batch_images,
        first_date=options.first_date,
        bucket=options.bucket or DEFAULT_BUCKET,
        pipeline=options.pipeline,
    )
    try:
        counts = generate(kind, sample, options.out)
    except SampleError as error:
        sys.exit(str(error))
    for name, count in counts.items():
        print(f"{name}: {count} images")
    if options.bucket:
        import boto3

        s3 = boto3.Session(profile_name=options.profile).client("s3", endpoint_url=options.endpoint_url)
        print(
            f"uploaded {upload(sample, options.out, s3)} objects to s3://{sample.bucket}/{sample.pipeline}/"
        )
