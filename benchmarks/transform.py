"""What a batch transform costs per image, beside what its network alone takes.

    python -m benchmarks.transform --images 200

Takes a detector of 128 pixels with random weights, JPEGs of a data set of scenes, and a local cloud of its
own. Prints a table: images per second and CPU milliseconds per image of a transform job (the S3 requests of
both sides, the model's container and its server among them), and of the same network in this process, one
image after the other.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable
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
from tests.support.cloud import DETECTION_IMAGE, ROLE, LocalCloud
from tests.support.sagemaker import transform_request, transformed

_SIDE, _CLASSES = 128, 10
_FEW = 8  # images of the job that is taken away from the other: its start and its end


@dataclass(frozen=True)
class Cost:
    """Seconds, and CPU seconds of all processes that took part."""

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
        "--times", type=int, default=3, help="jobs, of which the median (default: %(default)s)"
    )
    arguments = parser.parse_args()
    images = [picture(number) for number in range(arguments.images)]
    settings = parse_hyperparameters(
        {"num_classes": str(_CLASSES), "num_training_samples": "1", "image_shape": str(_SIDE)}
    )
    kept = ArtifactSettings.model_validate(settings, from_attributes=True)
    model = Artifact(initial_variables(_CLASSES, 0), kept)
    with tempfile.TemporaryDirectory() as scratch:
        archive = packed(model, Path(scratch, "model"))
        with LocalCloud(Path(scratch, "cloud")) as cloud:
            starts, jobs = in_a_job(cloud, archive, images, arguments.times)
    start = min(starts, key=lambda cost: cost.wall)
    print("| | images/s | CPU ms per image |")
    print("|---|---:|---:|")
    rows = [cost.per_image(len(images), start) for cost in jobs]
    print(_row("a transform job, without its start", *map(statistics.median, zip(*rows, strict=True))))
    print(_row("the network alone, in one process", *alone(model, images).per_image(len(images))))
    print(f"\nA job of {_FEW} images: {start.wall:.1f} s, {start.cpu:.1f} CPU s.")


def picture(number: int) -> bytes:
    """A JPEG of coloured patches."""
    patches = np.random.default_rng(number).integers(0, 255, (_SIDE // 8, _SIDE // 8, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(patches).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR).save(stream, "JPEG")
    return stream.getvalue()


def packed(model: Artifact, directory: Path) -> bytes:
    """The model's archive."""
    directory.mkdir()
    artifact.write(directory, model)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        tar.add(directory, ".")
    return stream.getvalue()


def in_a_job(
    cloud: LocalCloud, archive: bytes, images: list[bytes], times: int
) -> tuple[list[Cost], list[Cost]]:
    """Costs of jobs of a few images, and of jobs of all of them, in turns; the first pair is not counted."""
    s3, sagemaker = cloud.client("s3"), cloud.client("sagemaker")
    s3.create_bucket(Bucket="benchmark")
    s3.put_object(Bucket="benchmark", Key="model.tar.gz", Body=archive)
    for number, image in enumerate(images):
        s3.put_object(Bucket="benchmark", Key=f"in/{number:06}.jpg", Body=image)
    for number in range(_FEW):
        s3.put_object(Bucket="benchmark", Key=f"few/{number:06}.jpg", Body=images[number])
    sagemaker.create_model(
        ModelName="benchmark",
        PrimaryContainer={"Image": DETECTION_IMAGE, "ModelDataUrl": "s3://benchmark/model.tar.gz"},
        ExecutionRoleArn=ROLE,
    )

    def job(prefix: str, number: int) -> Cost:
        name = f"{prefix}-{number}"
        request = transform_request(name, "benchmark", "benchmark")
        request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] = f"s3://benchmark/{prefix}/"
        before = _cpu_of(cloud)
        sagemaker.create_transform_job(**request)
        done = transformed(cloud, name)
        if done["TransformJobStatus"] != "Completed":
            raise SystemExit(f"{name}: {done['FailureReason']}")
        wall = (done["TransformEndTime"] - done["CreationTime"]).total_seconds()
        time.sleep(1)  # what a job's processes used is told when they have ended
        return Cost(wall, _cpu_of(cloud) - before)

    pairs = [(job("few", number), job("in", number)) for number in range(times + 1)][1:]
    return [few for few, _ in pairs], [many for _, many in pairs]


def alone(model: Artifact, images: list[bytes]) -> Cost:
    """Decoded and detected one by one, as a model's server does it."""
    settings = model.settings
    predictor = Predictor(settings, model.variables)
    predictor.warm_up()
    return _measured(lambda: [predictor.detect(decode(body, _SIDE, _SIDE).pixels[None]) for body in images])


def _measured(work: Callable[[], object]) -> Cost:
    wall, cpu = time.monotonic(), time.process_time()
    work()
    return Cost(time.monotonic() - wall, time.process_time() - cpu)


def _cpu_of(cloud: LocalCloud) -> float:
    """Of the cloud and of all that it has started, also of what has ended and was not waited for yet."""
    root = psutil.Process(cloud.process.pid)
    return sum(sum(process.cpu_times()[:4]) for process in [root, *root.children(recursive=True)])


def _row(what: str, rate: float, milliseconds: float) -> str:
    return f"| {what} | {rate:.0f} | {milliseconds:.1f} |"


if __name__ == "__main__":
    main()
