"""What a model is to learn: each type of task behind one protocol (protocol.py).

Stages know ``workspace.task`` only. This module alone knows the types: a pipeline's ``task`` names one.
"""

from __future__ import annotations

from collections.abc import Callable

from include.loop.config import Pipeline
from include.loop.config.adapter import SAGEMAKER
from include.loop.tasks.classification.task import ImageClassification
from include.loop.tasks.detection.task import ObjectDetection
from include.loop.tasks.protocol import AnyTask
from include.loop.tasks.replies import find_reader

# By the name in the pipeline file, which is that of SageMaker's algorithm. A new type is added here, and to
# the names that config/pipeline.py allows.
TASKS: dict[str, Callable[[Pipeline], AnyTask]] = {
    "image-classification": lambda pipeline: ImageClassification(
        pipeline.classes,
        pipeline.label_attribute,
        multi_label=pipeline.multi_label,
        metric=pipeline.evaluation.metric,
        top_k=pipeline.evaluation.top_k,
    ),
    "object-detection": lambda pipeline: ObjectDetection(pipeline.classes, pipeline.label_attribute),
}


def task_of(pipeline: Pipeline, output: str = SAGEMAKER) -> AnyTask:
    """The task of a pipeline; ``output`` is the environment's ``adapter.output``. ConfigurationError when
    nothing of that name can read the replies of this task.
    """
    task = TASKS[pipeline.task](pipeline)
    task.reader = find_reader(output, task.readers, pipeline.task)
    return task
