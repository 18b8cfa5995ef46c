"""Training images that this machine can run, found by their repository name.

Takes an image URI such as ``811284229777.dkr.ecr.us-east-1.amazonaws.com/object-detection:1`` and gives the
Python package that implements it; registry, account, Region and tag do not matter, so SageMaker's own URIs
work unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from include.wire import AwsError


@dataclass(frozen=True)
class Algorithm:
    """An image's repository name, the package run as ``python -m <package> train|serve``, and its metrics.

    ``metrics`` (name → regular expression with one group, over the log) are what SageMaker attaches to a
    job of its own algorithms; an algorithm without them takes the MetricDefinitions of the request.
    """

    name: str
    package: str
    metrics: Mapping[str, str] = field(default_factory=dict)


BUILT_IN = (
    Algorithm(
        "object-detection",
        "include.algorithms.object_detection",
        {
            "train:progress": r"#progress_metric: host=\S+, completed (\S+) %",
            "train:smooth_l1": r"#quality_metric: host=\S+, epoch=\S+, batch=\S+ train smooth_l1 "
            r"<loss>=(\S+)",
            "train:cross_entropy": (
                r"#quality_metric: host=\S+, epoch=\S+, batch=\S+ train cross_entropy <loss>=(\S+)"
            ),
            "train:throughput": r"#throughput_metric: host=\S+, train throughput=(\S+) records/second",
            "validation:mAP": r"#quality_metric: host=\S+, epoch=\S+, validation mAP <score>=\((\S+)\)",
        },
    ),
    Algorithm(
        "image-classification",
        "include.algorithms.image_classification",
        {
            "train:accuracy": r"Epoch\[\d+\] Train-accuracy=(\S+)",
            "validation:accuracy": r"Epoch\[\d+\] Validation-accuracy=(\S+)",
        },
    ),
)


class Algorithms:
    """The built-in algorithms and those named on the command line."""

    def __init__(self, further: tuple[tuple[str, str], ...] = ()) -> None:
        known = (*BUILT_IN, *(Algorithm(name, package) for name, package in further))
        self._known = {algorithm.name: algorithm for algorithm in known}

    def of_image(self, image: str) -> Algorithm:
        """Raises ``ValidationException`` naming what is known."""
        repository = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
        if repository not in self._known:
            raise AwsError(
                "ValidationException",
                f"Unknown image {image}: no algorithm of this cloud has the repository name "
                f"{repository!r}. It has "
                f"{', '.join(sorted(self._known))}; others are added with --algorithm NAME=PACKAGE",
            )
        return self._known[repository]
