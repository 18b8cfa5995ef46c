"""Pipelines and environments from YAML: found by name, and explained field by field when they are wrong.

Takes names, gives checked values: from the files in ``include/pipelines`` and ``include/environments``, and
first from those below ``NIGHTLOOP_CONFIG_DIR``, when that is set.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from include.loop.config.environment import Environment
from include.loop.config.fields import is_name
from include.loop.config.pipeline import Pipeline
from include.loop.config.plain_yaml import Document, read_yaml
from include.loop.core.errors import ConfigurationError

SHIPPED = Path(__file__).parents[2]  # include/
MOST_TOLD = 20  # mistakes of one file
# What settings were called before.
RENAMED = {
    "memory_images": "retention_images",
    "min_learned": "min_train_recall",
    "known_images": "smoke_test_images",
    "min_boxes": "min_objects",
}


def load_pipeline(name: str) -> Pipeline:
    """Read ``pipelines/<name>.yaml``; ConfigurationError names file, field and what is allowed."""
    return _load(Pipeline, "pipelines", name)


def load_environment(name: str | None = None) -> Environment:
    """Read ``environments/<name>.yaml``; None means ``NIGHTLOOP_ENVIRONMENT``, or else ``local``."""
    return _load(Environment, "environments", name or os.environ.get("NIGHTLOOP_ENVIRONMENT") or "local")


def pipeline_names() -> list[str]:
    """The pipelines that have a file, sorted; a user's own directory may add to those shipped.

    A file whose name no pipeline can have is none: DAG ids and pages are made of these names.
    """
    return [name for name in _names("pipelines") if is_name(name)]


Model = TypeVar("Model", Pipeline, Environment)


def _load(model: type[Model], kind: str, name: str) -> Model:
    path = _find(kind, name)
    document = read_yaml(path)
    content = document.value
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path}: must be a mapping of fields to values")
    if reserved := {"name", "path"} & content.keys():
        raise ConfigurationError(f"{path}: {reserved.pop()}: is taken from the file's name; remove it")
    try:
        return model(name=name, path=path, **content)
    except ValidationError as error:
        raise ConfigurationError("\n".join(_lines(path, model, document, error.errors()))) from None


def _lines(path: Path, model: type[BaseModel], document: Document, errors: Sequence[Any]) -> Iterator[str]:
    for item in errors[:MOST_TOLD]:
        yield f"{path}:{document.line(item['loc'])}: {_explain(model, document, item)}"
    if len(errors) > MOST_TOLD:
        yield f"{path}: and {len(errors) - MOST_TOLD} more"


def _folders(kind: str) -> Iterator[Path]:
    if own := os.environ.get("NIGHTLOOP_CONFIG_DIR"):
        yield Path(own) / kind
    yield SHIPPED / kind


def _find(kind: str, name: str) -> Path:
    for folder in _folders(kind):
        if (path := folder / f"{name}.yaml").is_file():
            return path
    raise ConfigurationError(
        f"no {kind[:-1]} named {name!r}: {folder / name}.yaml is missing; there are {_names(kind)}"
    )


def _names(kind: str) -> list[str]:
    return sorted({path.stem for folder in _folders(kind) for path in folder.glob("*.yaml")})


def _explain(model: type[BaseModel], document: Document, item: Any) -> str:
    """One pydantic error as ``field: what is wrong (what is allowed)``."""
    where = ".".join(str(part) for part in item["loc"]) or "file"
    if item["type"] == "extra_forbidden":
        if new := RENAMED.get(str(item["loc"][-1])):
            return f"{where}: is called {new} now; rename it"
        return f"{where}: unknown field; allowed here: {', '.join(_fields(model, item['loc'][:-1]))}"
    if item["type"] == "string_type" and (words := document.words(item["loc"])):
        return f'{where}: must be text; put it in quotes: "{words}"'
    if item["type"] == "missing":
        return f"{where}: is required"
    message = item["msg"].removeprefix("Value error, ")
    given = repr(item["input"])
    return f"{where}: {message} (given: {given if len(given) <= 100 else given[:99] + '…'})"


def _fields(model: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    for part in loc:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        options = [annotation, *getattr(annotation, "__args__", ())]
        inner = [option for option in options if isinstance(option, type) and issubclass(option, BaseModel)]
        if not inner:
            break
        model = inner[0]
    return sorted(set(model.model_fields) - {"name", "path"})
