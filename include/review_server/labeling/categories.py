"""The label category file: the classes of a labeling job, in the order that gives them their ids.

``{"document-version": "2018-11-28", "labels": [{"label": "dent"}, {"label": "rust"}]}``; members beyond
``labels`` belong to other kinds of jobs, or to the console, and are left alone. Pure.
"""

from __future__ import annotations

from typing import Any

from include.review_server.labeling.task_types import TaskType
from include.wire import strictjson

MOST_BYTES = 4 * 1024 * 1024
MOST_CHARACTERS = 256  # of one label


def parse(text: bytes, kind: TaskType | None) -> list[str]:
    """The names of the classes; the index is the class's id. ``ValueError`` says what is wrong."""
    try:
        document = strictjson.loads(text.removeprefix(b"\xef\xbb\xbf"))
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from None
    labels = document.get("labels") if isinstance(document, dict) else None
    if not isinstance(labels, list):
        raise ValueError('it must be an object with a list: {"labels": [{"label": "dent"}, …]}')
    names = [_name(item, number) for number, item in enumerate(labels)]
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"the label {name!r} is there twice")
        seen.add(name)
    least, most = (kind.least_labels, kind.most_labels) if kind else (1, None)
    if len(names) < least or (most is not None and len(names) > most):
        limits = f"{least} to {most}" if most else f"at least {least}"
        raise ValueError(f"it has {len(names)} labels; {kind.name if kind else 'a job'} takes {limits}")
    return names


def _name(item: Any, number: int) -> str:
    name = item.get("label") if isinstance(item, dict) else None
    if not isinstance(name, str) or not name.strip() or len(name) > MOST_CHARACTERS:
        raise ValueError(
            f'labels[{number}] must be {{"label": "…"}} with 1 to {MOST_CHARACTERS} characters, '
            f"not {item!r:.80}"
        )
    return name
