"""What a batch transform costs per image, beside what its network alone takes.

    python -m benchmarks.transform --images 200
    python -m benchmarks.transform --images 120 --features lite0 --side 320

Takes a detector with random weights, JPEGs of coloured patches, and a local cloud of its own. Prints a table:
images per second and CPU milliseconds per image of a transform job (the S3 requests of both sides, the
model's container and its server among them), and of the same network in this process: an image for each
processor at once (as its server does it), one image after the other, and in batches. All of them in turns,
medians; the share is that of the first of these in the same turn. CPU time is the whole machine's: nothing
else may run on it.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from include.algorithms.images import decode
from include.algorithms.object_detection import artifact
from include.algorithms.object_detection.artifact import Artifact, ArtifactSettings
from include.algorithms.object_detection.hyperparameters import parse_hyperparameters
from include.algorithms.object_detection.network import initial_variables
from include.algorithms.object_detection.predict import Predictor
from include.algorithms.serving import AT_ONCE
from tests.support.cloud import DETECTION_IMAGE, ROLE, LocalCloud
from tests.support.sagemaker import transform_request, transformed

JOB = "a transform job, without its start"
ALL, ONE = f"the network alone, {AT_ONCE} images at once", "the network alone, one image after the other"
_CLASSES = 10
_FEW = 8  # images of the job that is taken away from the other: its start and its end


@dataclass(frozen=True)
class Cost:
    """Seconds, and CPU seconds of the machine in them."""

    wall: float
    cpu: float

    def per_image(self, images: int, start: Cost | None = None) -> tuple[float, float]:
        """Images per second and CPU milliseconds per image, without what a job of ``_FEW`` images takes."""
        fewer = Cost(0.0, 0.0) if start is None else start
        count = images - (0 if start is None else _FEW)
        return count / (self.wall - fewer.wall), 1000 * (self.cpu - fewer.cpu) / count


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transform", description=__doc__)
    parser.add_argument("--images", type=int, default=200, help="of the job (default: %(default)s)")
    parser.add_argument(
        "--times", type=int, default=3, help="turns, of which the median (default: %(default)s)"
    )
    parser.add_argument("--features", choices=("compact", "lite0"), default="compact")
    parser.add_argument("--side", type=int, default=128, help="of an image in pixels (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=8, help="images in a batch (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.images <= _FEW:
        parser.error(f"--images: must be more than {_FEW}, which the other job has")
    images = [picture(number, arguments.side) for number in range(arguments.images)]
    settings = parse_hyperparameters(
        {"num_classes": str(_CLASSES), "num_training_samples": "1", "image_shape": str(arguments.side)}
    )
    kept = ArtifactSettings.of(settings, arguments.features)
    model = Artifact(initial_variables(_CLASSES, 0, arguments.features), kept)
    network = Network(model, arguments.batch)
    with tempfile.TemporaryDirectory() as scratch:
        archive = packed(model, Path(scratch, "model"))
        with LocalCloud(Path(scratch, "cloud")) as cloud:
            jobs = Jobs(cloud, archive, images)
            turns = [
                {
                    "few": jobs.run("few", turn),
                    JOB: jobs.run("in", turn),
                    ALL: network.side_by_side(images),
                    ONE: network.alone(images),
                    f"the network alone, in batches of {arguments.batch}": network.batches(images),
                }
                for turn in range(arguments.times + 1)
            ][1:]  # what is compiled or read for the first time is not counted
    start = min((turn.pop("few") for turn in turns), key=lambda cost: cost.wall)
    rows = {
        what: [turn[what].per_image(len(images), start if what == JOB else None) for turn in turns]
        for what in turns[0]
    }
    own = rows[ALL]
    print("| | images/s | of the network's own | CPU ms per image |")
    print("|---|---:|---:|---:|")
    for what, measured in rows.items():
        shares = [here[0] / there[0] for here, there in zip(measured, own, strict=True)]
        rate, cpu = map(statistics.median, zip(*measured, strict=True))
        print(f"| {what} | {rate:.1f} | {statistics.median(shares):.0%} | {cpu:.1f} |")
    print(f"\nA job of {_FEW} images: {start.wall:.1f} s, {start.cpu:.1f} CPU s.")


def picture(number: int, side: int) -> bytes:
    """A JPEG of coloured patches."""
    patches = np.random.default_rng(number).integers(0, 255, (side // 8, side // 8, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(patches).resize((side, side), Image.Resampling.BILINEAR).save(stream, "JPEG")
    return stream.getvalue()


def packed(model: Artifact, directory: Path) -> bytes:
    """The model's archive."""
    directory.mkdir()
    artifact.write(directory, model)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        tar.add(directory, ".")
    return stream.getvalue()


class Jobs:
    """Transform jobs of these images: of all (``in``), or of a ``few``."""

    def __init__(self, cloud: LocalCloud, archive: bytes, images: list[bytes]) -> None:
        self._cloud = cloud
        self._sagemaker, s3 = cloud.client("sagemaker"), cloud.client("s3")
        s3.create_bucket(Bucket="benchmark")
        s3.put_object(Bucket="benchmark", Key="model.tar.gz", Body=archive)
        for number, image in enumerate(images):
            s3.put_object(Bucket="benchmark", Key=f"in/{number:06}.jpg", Body=image)
        for number in range(_FEW):
            s3.put_object(Bucket="benchmark", Key=f"few/{number:06}.jpg", Body=images[number])
        self._sagemaker.create_model(
            ModelName="benchmark",
            PrimaryContainer={"Image": DETECTION_IMAGE, "ModelDataUrl": "s3://benchmark/model.tar.gz"},
            ExecutionRoleArn=ROLE,
        )

    def run(self, prefix: str, turn: int) -> Cost:
        name = f"{prefix}-{turn}"
        request = transform_request(name, "benchmark", "benchmark")
        request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] = f"s3://benchmark/{prefix}/"
        before = _cpu()
        self._sagemaker.create_transform_job(**request)
        done = transformed(self._cloud, name)
        if done["TransformJobStatus"] != "Completed":
            raise SystemExit(f"{name}: {done['FailureReason']}")
        wall = (done["TransformEndTime"] - done["CreationTime"]).total_seconds()
        return Cost(wall, _cpu() - before)


class Network:
    """The model in this process, compiled: one image after the other, and several at once."""

    def __init__(self, model: Artifact, batch: int) -> None:
        self._predictor, self._batch = Predictor(model.settings, model.variables), batch
        side = self._side = self._predictor.image_shape
        for count in (1, batch):
            self._predictor.detect(np.zeros((count, side, side, 3), np.uint8), count)

    def alone(self, images: list[bytes]) -> Cost:
        return _measured(lambda: [self._predictor.detect(self._decoded([body])) for body in images])

    def side_by_side(self, images: list[bytes]) -> Cost:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return _measured(
                lambda: list(pool.map(lambda body: self._predictor.detect(self._decoded([body])), images))
            )

    def batches(self, images: list[bytes]) -> Cost:
        return _measured(
            lambda: [
                self._predictor.detect(self._decoded(some), self._batch)
                for some in batched(images, self._batch)
            ]
        )

    def _decoded(self, images: Iterable[bytes]) -> np.ndarray:
        return np.stack([decode(body, self._side, self._side).pixels for body in images])


def batched(images: list[bytes], size: int) -> Iterator[list[bytes]]:
    return (images[first : first + size] for first in range(0, len(images), size))


def _measured(work: Callable[[], object]) -> Cost:
    wall, cpu = time.monotonic(), _cpu()
    work()
    return Cost(time.monotonic() - wall, _cpu() - cpu)


def _cpu() -> float:
    """Of the whole machine: whose a job's processes were is not known any more when they have ended."""
    times = psutil.cpu_times()
    return float(sum(times[:7]) - times.idle - times.iowait)


if __name__ == "__main__":
    main()
