"""The hyperparameters of a training job.

Takes a dataset and its parent model; gives what is counted, then the pipeline's settings, then the
environment's, all as text, as the API wants them. For an image of one's own they fill the environment's
template (``adapter.hyperparameters``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from include.loop.config import Stage
from include.loop.config.adapter import LOOP_VALUES
from include.loop.core.errors import ConfigurationError, Incompatible
from include.loop.core.records.dataset import Dataset
from include.loop.tasks.algorithm import Algorithm
from include.loop.training.parents import Parent
from include.loop.workspace import Workspace

N = TypeVar("N", int, float)

# In CreateTrainingJob.
MOST_CHARACTERS = 2_500  # of a value
MOST_HYPERPARAMETERS = 100


def make_hyperparameters(workspace: Workspace, dataset: Dataset, parent: Parent | None) -> dict[str, str]:
    """Those of the request. Incompatible when its parent cannot be trained further with them."""
    return request_hyperparameters(workspace, loop_values(workspace, dataset, parent), parent)


def loop_values(workspace: Workspace, dataset: Dataset, parent: Parent | None) -> dict[str, str]:
    """All of them, under the names of SageMaker's algorithm. A model that is trained further takes the first
    model's settings, gentler, and then its own. Incompatible as above.
    """
    pipeline, algorithm = workspace.pipeline, workspace.task.algorithm
    values = algorithm.computed(pipeline.training, len(pipeline.classes), dataset.train, dataset.max_boxes)
    values |= _settings(workspace, "initial")
    if parent:
        values |= _gentler(workspace, values, parent) | _settings(workspace, "incremental")
        values["use_pretrained_model"] = 0  # the parent's weights take the place of SageMaker's
        _check_parent(algorithm, parent, values)
    # "The number of input images must be bigger or equal to the mini_batch_size": so a small dataset trains
    # too.
    size = _number(
        workspace, int, "mini_batch_size", values.get("mini_batch_size", algorithm.mini_batch_size)
    )
    values["mini_batch_size"] = min(size, dataset.train)
    return {name: str(value) for name, value in sorted(values.items())}


def request_hyperparameters(
    workspace: Workspace, values: Mapping[str, str], parent: Parent | None
) -> dict[str, str]:
    """``loop_values`` as the image wants them. ConfigurationError for what SageMaker would refuse."""
    environment, algorithm = workspace.environment, workspace.task.algorithm
    adapter = environment.adapter
    if adapter.hyperparameters is None:
        if environment.algorithm == "sagemaker":
            algorithm.check_limits(values)
            algorithm.check_machines(environment)
        return dict(values)
    classes = json.dumps(workspace.pipeline.classes, ensure_ascii=False)
    found = dict(adapter.fill({**values, "class_names": classes, "continues": str(int(parent is not None))}))
    # What only this place needs is meant for its image, unless it is a value that the template has taken up.
    own = _of_environment(workspace, "initial") | (
        _of_environment(workspace, "incremental") if parent else {}
    )
    found |= {name: str(value) for name, value in own.items() if name not in LOOP_VALUES}
    if len(found) > MOST_HYPERPARAMETERS:
        raise ConfigurationError(
            f"{environment.path}: adapter.hyperparameters and training.hyperparameters are {len(found)} "
            f"together, and SageMaker takes {MOST_HYPERPARAMETERS}"
        )
    for name, text in found.items():
        if len(text) > MOST_CHARACTERS:
            raise ConfigurationError(
                f"{environment.path}: adapter.hyperparameters: {name} would have {len(text):,} characters, "
                f"and SageMaker takes {MOST_CHARACTERS:,}; give the image what it needs otherwise"
            )
    return dict(sorted(found.items()))


def _settings(workspace: Workspace, stage: Stage) -> dict[str, Any]:
    pipeline = workspace.pipeline.training
    chosen = pipeline.initial if stage == "initial" else pipeline.incremental
    return chosen.hyperparameters | _of_environment(workspace, stage)


def _of_environment(workspace: Workspace, stage: Stage) -> dict[str, Any]:
    place = workspace.environment.training
    of_task = place.task_hyperparameters.get(workspace.pipeline.task) or {}
    return place.hyperparameters.get(stage, {}) | of_task.get(stage, {})


def _gentler(workspace: Workspace, first: dict[str, Any], parent: Parent) -> dict[str, Any]:
    """What changes when a model is trained further and nothing is said: SageMaker's example for retraining
    with A2I keeps all settings of the first training but its learning rate, a tenth, so that what the model
    knows is refined and not overwritten. The size of its images stays.
    """
    algorithm = workspace.task.algorithm
    inherited = {name: parent.hyperparameters[name] for name in algorithm.inherited}
    if workspace.environment.adapter.hyperparameters is not None and "learning_rate" not in first:
        return inherited  # nobody can tell a tenth of what an image of one's own does by itself
    rate = _number(workspace, float, "learning_rate", first.get("learning_rate", algorithm.learning_rate))
    return inherited | {"learning_rate": f"{rate / 10:g}"}


def _number(workspace: Workspace, kind: type[N], name: str, value: Any) -> N:
    try:
        return kind(value)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{workspace.pipeline.path} or {workspace.environment.path}: training: the hyperparameter {name} "
            f"must be a number, not {value!r}, as the loop counts with it; what only an image of your own "
            "understands is said in adapter.hyperparameters"
        ) from None


def _check_parent(algorithm: Algorithm, parent: Parent, values: dict[str, Any]) -> None:
    """SageMaker's rule for incremental training: the same network and the same number of classes."""
    for name in algorithm.shared:
        ours, theirs = str(values[name]), parent.hyperparameters[name]
        if ours != theirs:
            raise Incompatible(
                f"{name} is {ours}, but the champion {parent.training_job} has {theirs}: a model cannot be "
                f"trained further with another {name}. Give the new model a pipeline of its own."
            )
