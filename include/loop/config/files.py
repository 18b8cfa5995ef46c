"""Pipelines and environments from YAML: found by name, read as data, and explained field by field when wrong.

This is the only module that reads YAML: the files in ``include/pipelines`` and ``include/environments``, and
first those below ``NIGHTLOOP_CONFIG_DIR``, when that is set.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from include.loop.config.environment import Environment
from include.loop.config.pipeline import Pipeline
from include.loop.errors import ConfigurationError

SHIPPED = Path(__file__).parents[2]  # include/


def load_pipeline(name: str) -> Pipeline:
    """Read ``pipelines/<name>.yaml``; ConfigurationError names file, field and what is allowed."""
    return _load(Pipeline, "pipelines", name)


def load_environment(name: str | None = None) -> Environment:
    """Read ``environments/<name>.yaml``; None means ``NIGHTLOOP_ENVIRONMENT``, or else ``local``."""
    return _load(Environment, "environments", name or os.environ.get("NIGHTLOOP_ENVIRONMENT") or "local")


def pipeline_names() -> list[str]:
    """The pipelines that have a file, sorted; a user's own directory may add to those shipped."""
    return sorted({path.stem for folder in _folders("pipelines") for path in folder.glob("*.yaml")})


Model = TypeVar("Model", Pipeline, Environment)


def _load(model: type[Model], kind: str, name: str) -> Model:
    path = _find(kind, name)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 -- a SafeLoader
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path}: must be a mapping of fields to values")
    if reserved := {"name", "path"} & content.keys():
        raise ConfigurationError(f"{path}: {reserved.pop()}: is taken from the file's name; remove it")
    try:
        return model(name=name, path=path, **content)
    except ValidationError as error:
        lines = [f"{path}: {_explain(model, item)}" for item in error.errors()]
        raise ConfigurationError("\n".join(lines)) from None
    except TypeError as error:  # a key that is no text, `1: x`
        raise ConfigurationError(f"{path}: field names must be text: {error}") from None


class _Loader(yaml.SafeLoader):
    """YAML as data only, in which a field that is written twice is a mistake (YAML would keep the last)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:merge" and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value!r} is written twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _folders(kind: str) -> Iterator[Path]:
    if own := os.environ.get("NIGHTLOOP_CONFIG_DIR"):
        yield Path(own) / kind
    yield SHIPPED / kind


def _find(kind: str, name: str) -> Path:
    for folder in _folders(kind):
        if (path := folder / f"{name}.yaml").is_file():
            return path
    known = sorted({path.stem for folder in _folders(kind) for path in folder.glob("*.yaml")})
    raise ConfigurationError(
        f"no {kind[:-1]} named {name!r}: {folder / name}.yaml is missing; there are {known}"
    )


def _explain(model: type[BaseModel], item: Any) -> str:
    """One pydantic error as ``field: what is wrong (what is allowed)``."""
    where = ".".join(str(part) for part in item["loc"]) or "file"
    if item["type"] == "extra_forbidden":
        return f"{where}: unknown field; allowed here: {', '.join(_fields(model, item['loc'][:-1]))}"
    if item["type"] == "string_type" and isinstance(item["input"], bool | int | float):
        return f'{where}: must be text; put it in quotes: "{item["input"]}"'
    if item["type"] == "missing":
        return f"{where}: is required"
    message = item["msg"].removeprefix("Value error, ")
    return f"{where}: {message} (given: {item['input']!r})"


def _fields(model: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    for part in loc:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        options = [annotation, *getattr(annotation, "__args__", ())]
        inner = [option for option in options if isinstance(option, type) and issubclass(option, BaseModel)]
        if not inner:
            break
        model = inner[0]
    return sorted(set(model.model_fields) - {"name", "path"})
