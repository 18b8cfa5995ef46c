"""SageMaker's control plane: one object whose methods are the operations, put together from its parts.

Each part implements the operations of one kind of resource. A part knows ``store`` and not the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from include.local_cloud.control.algorithms import Algorithms
from include.local_cloud.control.endpoints import Endpoints
from include.local_cloud.control.model_package_groups import ModelPackageGroups
from include.local_cloud.control.model_packages import ModelPackages
from include.local_cloud.control.models import Models
from include.local_cloud.control.tags import Tags
from include.local_cloud.control.training_jobs import TrainingJobs
from include.local_cloud.control.transform_jobs import TransformJobs
from include.local_cloud.store import Store


class Operations:
    """Operations found by name in the parts, first come first served; what none has is not implemented."""

    def __init__(self, *parts: object) -> None:
        self._parts = parts

    def __getattr__(self, name: str) -> Any:
        for part in self._parts:
            if (method := getattr(part, name, None)) is not None:
                return method
        raise AttributeError(name)


class SageMaker(Operations):
    """Jobs, models, model packages, endpoints and tags; ``further`` are parts of others, such as human
    review's.
    """

    def __init__(
        self, store: Store, algorithms: Algorithms, wake: Callable[[], None], *further: object
    ) -> None:
        tags = Tags(store)
        super().__init__(
            TrainingJobs(store, algorithms, tags, wake),
            TransformJobs(store, tags, wake),
            Models(store, algorithms, tags),
            ModelPackageGroups(store, tags),
            ModelPackages(store, algorithms, tags),
            Endpoints(store, tags, wake),
            tags,
            *further,
        )
