"""What the loop shows to others: data lineage as OpenLineage, numbers as Airflow's own metrics.

Operators name S3 URIs and numbers; which service they reach is Airflow's configuration (`[openlineage]`,
`[metrics]`), and without one they reach none. Neither is a reason to fail a task.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

PREFIX = "nightloop"


def gauge(name: str, value: float | None, **tags: str) -> None:
    """`nightloop.<name>` is `value` now; None tells nothing."""
    if value is not None:
        _emit("gauge", name, value, tags)


def count(name: str, **tags: str) -> None:
    """`nightloop.<name>` has happened once more."""
    _emit("incr", name, 1, tags)


def _emit(kind: str, name: str, value: float, tags: dict[str, str]) -> None:
    from airflow.sdk.observability import stats

    try:
        getattr(stats, kind)(f"{PREFIX}.{name}", value, tags=tags)
    except Exception as error:
        log.warning("The metric %s.%s was not sent: %s: %s", PREFIX, name, type(error).__name__, error)


def lineage(inputs: Iterable[str], outputs: Iterable[str]) -> Any:
    """S3 URIs as OpenLineage names them: the bucket is the namespace, the key the name."""
    from airflow.providers.openlineage.extractors import OperatorLineage

    return OperatorLineage(
        inputs=[_dataset(uri) for uri in inputs], outputs=[_dataset(uri) for uri in outputs]
    )


def _dataset(uri: str) -> Any:
    from openlineage.client.event_v2 import Dataset

    parts = urlsplit(uri)
    return Dataset(namespace=f"{parts.scheme}://{parts.netloc}", name=parts.path.strip("/"))
