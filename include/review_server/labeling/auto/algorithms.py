"""What automated data labeling can label: one algorithm for each task type, with its target and its machines.

Targets, instance types and least sizes are those of the developer guide (sms-automated-labeling); the
hyperparameters are ours, since AWS publishes none, and a server's settings may change them. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

NO_SAGEMAKER = (
    "automated labeling trains models, and this server is not told where SageMaker is: start it with "
    "--sagemaker-endpoint, or leave LabelingJobAlgorithmsConfig out, and people label every object"
)
# Of a job's objects people label so many to judge models by: a fifth of a small set, a tenth of a large one.
_LARGE = 5_000
_SPECIFICATION = re.compile(r":labeling-job-algorithm-specification/([a-z-]+)\Z")
_MOST_BATCH = 32
# Two numbers of header and five for each box: what SageMaker's object detection calls label_width.
_LEAST_WIDTH, _HEADER, _PER_BOX = 350, 2, 5


@dataclass(frozen=True)
class Algorithm:
    """One of SageMaker's algorithms in the service of a task type.

    ``target`` is what machine labels must reach: the share that is right for classes, the mean IoU for boxes.
    ``content_type`` is that of the training channels, ``accept`` what a transform job answers in.
    """

    name: str
    task_type: str
    target: float
    measure: str
    trains_on: str
    predicts_on: str
    accept: str
    hyperparameters: Mapping[str, str]

    def machine(self, region: str) -> str:
        """The instance type for training: Mumbai has no P3."""
        return "ml.p2.8xlarge" if region == "ap-south-1" else self.trains_on

    def settings(self, classes: int, images: int, most: int, changes: Mapping[str, str]) -> dict[str, str]:
        """The hyperparameters of a training with so many images, the fullest with ``most`` boxes."""
        values = {**self.hyperparameters, **changes}
        values |= {"num_classes": str(classes), "num_training_samples": str(images)}
        # "The number of input images must be bigger or equal to the mini_batch_size."
        values["mini_batch_size"] = str(min(int(values.get("mini_batch_size", _MOST_BATCH)), images))
        if self is DETECTION:
            values["label_width"] = str(max(_LEAST_WIDTH, _HEADER + _PER_BOX * most))
        return values


# Transfer learning, as in SageMaker's own examples: a few hundred labels are too few to start from nothing.
CLASSIFICATION = Algorithm(
    name="image-classification",
    task_type="ImageMultiClass",
    target=0.95,
    measure="labels that agree with people's",
    trains_on="ml.p3.2xlarge",
    predicts_on="ml.c5.xlarge",
    accept="application/json",
    hyperparameters=MappingProxyType(
        {
            "num_layers": "18",
            "image_shape": "3,224,224",
            "resize": "224",
            "multi_label": "0",
            "use_pretrained_model": "1",
            "epochs": "20",
            "optimizer": "adam",
            "learning_rate": "0.0005",
            "mini_batch_size": "32",
        }
    ),
)
DETECTION = Algorithm(
    name="object-detection",
    task_type="BoundingBox",
    target=0.6,
    measure="mean IoU with people's boxes",
    trains_on="ml.p3.2xlarge",
    predicts_on="ml.c5.4xlarge",
    # Boxes in pixels, with the image's size: no image has to be opened here to make a label of them.
    accept="application/json;annotation=1",
    hyperparameters=MappingProxyType(
        {
            "base_network": "resnet-50",
            "image_shape": "512",
            "use_pretrained_model": "1",
            "epochs": "30",
            "optimizer": "sgd",
            "learning_rate": "0.001",
            "mini_batch_size": "16",
        }
    ),
)
ALGORITHMS = {item.name: item for item in (CLASSIFICATION, DETECTION)}


def algorithm_of(request: Mapping[str, Any]) -> Algorithm | None:
    """The algorithm that a CreateLabelingJob request asks for; None without automated labeling."""
    config = request.get("LabelingJobAlgorithmsConfig")
    return _named(config["LabelingJobAlgorithmSpecificationArn"]) if config else None


def too_few(objects: int, minimum: int) -> str | None:
    """Why a job with so many objects to label cannot be labelled by machine, or None."""
    if objects >= minimum:
        return None
    return (
        f"automated labeling takes {minimum:,} objects without a label or more, and there are {objects:,}: "
        "create the job without LabelingJobAlgorithmsConfig, or give the server a lower minimum_objects "
        "(--auto-labeling)"
    )


def validation_size(objects: int) -> int:
    """How many of a job's objects people label to judge models by."""
    return max(1, objects // 5 if objects < _LARGE else objects // 10)


def _named(arn: str) -> Algorithm | None:
    found = _SPECIFICATION.search(arn)
    return ALGORITHMS.get(found[1]) if found else None
