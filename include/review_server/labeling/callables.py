"""Functions of labeling jobs that are Python callables, named by the operator when the server is started.

``--labeling-function NAME=MODULE:CALLABLE`` makes the callable the function of every ARN that ends with
``:function:NAME``, in whatever account and Region. It is imported once, at the start, so that a wrong name is
found by whoever wrote it; afterwards requests only choose among names. It is called as a Lambda handler is,
with the event and a context, in this process and with the rights of the server.
"""

from __future__ import annotations

import importlib
import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from include.review_server.labeling.function_errors import FunctionAway, LambdaFailed
from include.wire import strictjson

log = logging.getLogger(__name__)

_NAMED = re.compile(r"(?P<name>[a-zA-Z0-9_-]{1,64})=(?P<module>[\w.]+):(?P<callable>[\w.]+)", re.ASCII)
# A version or an alias may follow the name; a callable has none.
_FUNCTION = re.compile(r":function:([^:]+)(?::[^:]+)?\Z")


class CallableMissing(ValueError):
    """A callable that the operator has named cannot be had; the text says which, and why."""


@dataclass(frozen=True)
class Context:
    """What a callable gets second, as a Lambda handler does. ``s3`` is a boto3 client of the S3 in which the
    job's objects lie, which on one machine is not Amazon's.
    """

    function_name: str
    invoked_function_arn: str
    s3: Any


class Callables:
    """The callables of one server."""

    def __init__(self, named: Mapping[str, Callable[[Any, Any], Any]], s3: Any) -> None:
        self._named, self._s3 = dict(named), s3

    def has(self, arn: str) -> bool:
        return _name(arn) in self._named

    def call(self, arn: str, event: Mapping[str, Any]) -> Any:
        name = _name(arn)
        # By way of JSON, as to and from Lambda: the callable may do to the event what it likes.
        event = json.loads(json.dumps(event))
        try:
            reply = self._named[name](event, Context(name, arn, self._s3))
        except FunctionAway:
            raise
        except Exception as error:  # the border to the operator's code: whatever it raises fails its job
            log.exception("the callable %s has failed", name)
            raise LambdaFailed("Unhandled", f"It said: {type(error).__name__}: {error}") from error
        try:
            return strictjson.loads(json.dumps(reply, allow_nan=False))
        except (TypeError, ValueError, RecursionError) as error:
            raise LambdaFailed("Runtime.MarshalError", f"What it returned is not JSON: {error}") from error


def load(named: tuple[str, ...]) -> dict[str, Callable[[Any, Any], Any]]:
    """The callables of texts NAME=MODULE:CALLABLE. Raises ``CallableMissing``."""
    found: dict[str, Callable[[Any, Any], Any]] = {}
    for text in named:
        parts = _NAMED.fullmatch(text)
        if parts is None:
            raise CallableMissing(
                f"--labeling-function {text!r}: write NAME=MODULE:CALLABLE, such as crops=our.crops:before"
            )
        if parts["name"] in found:
            raise CallableMissing(f"--labeling-function: two callables are named {parts['name']!r}")
        found[parts["name"]] = _imported(text, parts["module"], parts["callable"])
    return found


def _imported(text: str, module: str, path: str) -> Callable[[Any, Any], Any]:
    try:
        value: Any = importlib.import_module(module)
        for part in path.split("."):
            value = getattr(value, part)
    except Exception as error:  # the operator's own module may raise whatever it likes
        why = f"{type(error).__name__}: {error}"
        raise CallableMissing(f"--labeling-function {text!r} cannot be had: {why}") from error
    if not callable(value):
        raise CallableMissing(f"--labeling-function {text!r}: {module}:{path} is no callable")
    return value


def _name(arn: str) -> str:
    found = _FUNCTION.search(arn)
    return found[1] if found else ""
