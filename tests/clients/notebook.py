"""What the Ground Truth notebook does with a job's files, cell by cell, in boto3 and the standard library.

The paths, names of members and texts of logs that are looked for here are the notebook's own: where they are
not found, the notebook fails too.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

HUMAN_PRICE, AUTO_PRICE = 0.26, 0.08  # dollars for a label by five people, and by machine


def copy_down(s3: Any, address: str, folder: Path) -> list[Path]:
    """``aws s3 cp --recursive``."""
    place = urlparse(address)
    prefix = place.path.lstrip("/").rstrip("/") + "/"
    files = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=place.netloc, Prefix=prefix):
        for found in page.get("Contents", []):
            file = folder / found["Key"].removeprefix(prefix)
            file.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(place.netloc, found["Key"], str(file))
            files.append(file)
    return files


@dataclass
class Progress:
    """Cell 11: images and boxes of each iteration, by people and by machine, and the trained models."""

    images: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    boxes: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    times: dict[int, datetime] = field(default_factory=dict)
    auto_images: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    trainings: dict[int, tuple[int, list[float]]] = field(default_factory=dict)

    @property
    def dollars(self) -> tuple[float, float]:
        return sum(self.images.values()) * HUMAN_PRICE, sum(self.auto_images.values()) * AUTO_PRICE


def monitor(sagemaker: Any, s3: Any, logs: Any, job_name: str, folder: Path) -> Progress:
    """Cell 11, as it may be run at any time."""
    described = sagemaker.describe_labeling_job(LabelingJobName=job_name)
    root = described["OutputConfig"]["S3OutputPath"] + job_name
    progress, seen = Progress(), set()
    for file in copy_down(
        s3, f"{root}/annotations/consolidated-annotation/consolidation-response", folder / "response"
    ):
        if str(file).endswith("json"):
            iteration = int(str(file).split("/")[-2][-1])
            moment = datetime.strptime(str(file).split("/")[-1], "%Y-%m-%d_%H:%M:%S.json")
            progress.times[iteration] = max(progress.times.get(iteration, moment), moment)
            for consolidation in json.loads(file.read_text()):
                content = consolidation["consolidatedAnnotation"]["content"]
                if consolidation["datasetObjectId"] not in seen:
                    seen.add(consolidation["datasetObjectId"])
                    progress.images[iteration] += 1
                    progress.boxes[iteration] += len(content["category"]["annotations"])
    for file in copy_down(s3, f"{root}/activelearning", folder / "auto"):
        if str(file).endswith("auto_annotator_output.txt"):
            labels = [json.loads(" ".join(line.split()[1:])) for line in file.read_text().splitlines()]
            progress.auto_images[int(str(file).split("/")[-3])] += len(labels)
    for file in copy_down(s3, f"{root}/training", folder / "training"):
        parts = str(file).split("/")
        if parts[-1] == "model.tar.gz":
            progress.trainings[int(parts[-5])] = training_data(logs, parts[-3])
    return progress


def training_data(logs: Any, training_job_name: str) -> tuple[int, list[float]]:
    """Cell 11: how many samples a model learned from, and its mAP after each epoch, from the job's log."""
    group = "/aws/sagemaker/TrainingJobs"
    stream = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=training_job_name)[
        "logStreams"
    ][0]["logStreamName"]
    place = {"logGroupName": group, "logStreamName": stream, "startFromHead": True}
    found = logs.get_log_events(**place)
    events, token = found["events"], found["nextForwardToken"]
    while True:
        found = logs.get_log_events(**place, nextToken=token)
        if found["nextForwardToken"] == token:
            break
        events, token = events + found["events"], found["nextForwardToken"]
    samples, scores = 0, []
    for message in (event["message"] for event in events):
        if "Final configuration" in message:
            samples = int(message.split("num_training_samples': u'")[1].split("'")[0])
        elif "validation mAP <score>=(" in message:
            scores.append(float(message.split("validation mAP <score>=(")[1][:-1]))
    return samples, scores


@dataclass(frozen=True)
class Box:
    """A box in pixels."""

    left: float
    top: float
    width: float
    height: float
    confidence: float = 0.0

    def iou(self, other: Box) -> float:
        width = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        height = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        both = max(width, 0) * max(height, 0)
        return both / (self.width * self.height + other.width * other.height - both)


@dataclass
class BoxedImage:
    """Cell 14: an image with the boxes of its label, of each worker, and those it really has."""

    name: str
    human: bool
    boxes: list[Box]
    truth: list[Box]
    by_worker: dict[str, list[Box]] = field(default_factory=lambda: defaultdict(list))

    def compute_iou_bb(self) -> float:
        """Mean IoU of the label's boxes, the surest first, each with the nearest free reference box; what is
        left over on either side counts 0.
        """
        free, found = list(self.truth), []
        for box in sorted(self.boxes, key=lambda one: -one.confidence):
            nearest = max(free, key=box.iou, default=None)
            found.append(box.iou(nearest) if nearest else 0.0)
            if nearest and found[-1] > 0:
                free.remove(nearest)
        found += [0.0] * len(free)
        return sum(found) / len(found) if found else 1.0

    def compute_img_confidence(self) -> float:
        return sum(box.confidence for box in self.boxes) / len(self.boxes) if self.boxes else 0.0


def boxed_images(
    output: Sequence[dict[str, Any]], worker_files: Sequence[Path], truths: dict[str, list[Box]]
) -> list[BoxedImage]:
    """Cell 14: the manifest's lines and the workers' answers as images with boxes."""
    key = next(name for name in output[0] if "-metadata" in name)
    images = []
    for datum in output:
        label, metadata, name = datum["category"], datum[key], datum["source-ref"].split("/")[-1]
        assert {"width", "height", "depth"} <= label["image_size"][0].keys()
        boxes = [
            Box(
                box["left"],
                box["top"],
                box["width"],
                box["height"],
                metadata["objects"][number]["confidence"],
            )
            for number, box in enumerate(label["annotations"])
        ]
        images.append(BoxedImage(name, metadata["human-annotated"] == "yes", boxes, truths[name]))
    for file in worker_files:
        image = images[int(str(file).split("/")[-2])]
        for answer in json.loads(file.read_text())["answers"]:
            drawn = answer["answerContent"]["boundingBox"]["boundingBoxes"] or []
            image.by_worker[answer["workerId"]] += [
                Box(box["left"], box["top"], box["width"], box["height"]) for box in drawn
            ]
    return images
