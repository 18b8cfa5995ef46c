"""The pages of the two kinds of YAML files, and a JSON Schema of each.

Fields, kinds, limits and defaults come from the pydantic models, what a field means from the comments of the
files that we ship: each is written once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from docs.generators import code, paragraphs, table
from include.loop.config import Environment, Pipeline

ROOT = Path(__file__).resolve().parents[2]
PIPELINES = ROOT / "include/pipelines"
ENVIRONMENTS = ROOT / "include/environments"
COMMENTED = {
    Pipeline: [PIPELINES / "digits.yaml", PIPELINES / "digit-classes.yaml"],
    Environment: [ENVIRONMENTS / "aws.example.yaml", ENVIRONMENTS / "local.yaml"],
}
# Taken from the file's place, so nobody writes them.
GIVEN = {"name", "path"}
FIELD = re.compile(r"(?P<indent> *)(?P<off># )?(?P<key>[a-z_0-9]+):(?P<rest>( .*)?)$")


def schemas() -> dict[Path, str]:
    """The schema of each kind of file, by the place where editors find it."""
    return {
        PIPELINES / "pipeline.schema.json": _as_json(Pipeline),
        ENVIRONMENTS / "environment.schema.json": _as_json(Environment),
    }


def pipeline_page() -> str:
    return _page(
        Pipeline,
        "Pipeline file",
        "One file per model, `include/pipelines/NAME.yaml`: what to look for, when to ask people, "
        "when to promote. Further files may lie in `pipelines/` below the directory that "
        "`NIGHTLOOP_CONFIG_DIR` names.",
    )


def environment_page() -> str:
    return _page(
        Environment,
        "Environment file",
        "One file per place, `include/environments/NAME.yaml`, chosen by `NIGHTLOOP_ENVIRONMENT` "
        "(default `local`): account, machines, network, endpoint, reviewers. Further files may lie in "
        "`environments/` below the directory that `NIGHTLOOP_CONFIG_DIR` names.",
    )


def schema(model: type[BaseModel]) -> dict[str, Any]:
    """The model's JSON Schema as a file has to follow it, each field with what our comments say of it."""
    whole = model.model_json_schema()
    whole = _with_choices_in_place(whole, whole["$defs"])
    whole["$defs"] = {name: part for name, part in whole["$defs"].items() if "enum" not in part}
    whole["properties"] = {name: value for name, value in whole["properties"].items() if name not in GIVEN}
    whole["required"] = [name for name in whole.get("required", []) if name not in GIVEN]
    for path, words in _meanings(model, whole).items():
        *above, name = path
        _at(whole, above)["properties"][name]["description"] = words
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole}


def _with_choices_in_place(part: Any, definitions: dict[str, Any]) -> Any:
    """The same, where a field refers to a section only: an enum stands where it is used."""
    if isinstance(part, list):
        return [_with_choices_in_place(item, definitions) for item in part]
    if not isinstance(part, dict):
        return part
    name = str(part.get("$ref", "")).rpartition("/")[2]
    if name and "enum" in definitions[name]:
        return {**definitions[name], **{key: value for key, value in part.items() if key != "$ref"}}
    return {key: _with_choices_in_place(value, definitions) for key, value in part.items()}


def _as_json(model: type[BaseModel]) -> str:
    return json.dumps(schema(model), indent=2, ensure_ascii=False) + "\n"


def _meanings(model: type[BaseModel], whole: dict[str, Any]) -> dict[tuple[str, ...], str]:
    found: dict[tuple[str, ...], str] = {}
    for path in COMMENTED[model]:
        for place, words in comments(path.read_text(encoding="utf-8"), whole).items():
            found.setdefault(place, words)
    return found


def comments(text: str, whole: dict[str, Any]) -> dict[tuple[str, ...], str]:
    """What a YAML file's comments say of each field of the schema, also of one that is commented out."""
    found: dict[tuple[str, ...], str] = {}
    pending: list[str] = []
    open_fields: list[tuple[int, str]] = []  # how far a field is indented, and its name
    last: tuple[str, ...] = ()
    for line in text.splitlines():
        match = FIELD.fullmatch(line)
        depth = len(match["indent"]) if match else 0
        above = [(indent, key) for indent, key in open_fields if indent < depth]
        place = (*(key for _, key in above), match["key"]) if match else ()
        if match and _known(whole, place):
            open_fields = [*above, (depth, match["key"])]
            words = [*pending, *re.findall(r"\s# (.*)$", match["rest"])]
            if words:
                found[place] = " ".join(words)
            pending, last = [], place
        elif further := re.fullmatch(r"(?:\s{10,}# |\s*#\s{10,})(.*)", line):
            found[last] += " " + further[1].strip()
        elif comment := re.fullmatch(r"\s*# ?(.*)", line):
            pending.append(comment[1].strip())
        else:
            pending = []
    return {place: words for place, words in found.items() if words}


def _known(whole: dict[str, Any], place: tuple[str, ...]) -> bool:
    *above, name = place
    try:
        return name in _at(whole, above)["properties"]
    except KeyError:
        return False


def _at(whole: dict[str, Any], place: list[str]) -> dict[str, Any]:
    """The schema of a section."""
    here = whole
    for name in place:
        here = whole["$defs"][_section(here["properties"][name])]
    return here


def _section(field: dict[str, Any]) -> str:
    """Which definition a field's value follows; KeyError: it is no section."""
    options = [field, *field.get("anyOf", [])]
    return next((str(option["$ref"]).rsplit("/", 1)[1] for option in options if "$ref" in option), "")


def _page(model: type[BaseModel], title: str, introduction: str) -> str:
    whole = schema(model)
    files = ", ".join(f"`{path.relative_to(ROOT)}`" for path in COMMENTED[model])
    return "\n\n".join(
        [
            f"# {title}",
            introduction,
            f"Made from `{model.__module__.replace('.', '/')}.py` and the comments in {files}. A field that "
            "is not known is an error, which names file, line and what is allowed. The first line of a file, "
            f"`# yaml-language-server: $schema={_schema_file(model)}`, has it checked while it is written, "
            "by every editor with the YAML language server.",
            *_sections(whole, whole, ()),
        ]
    )


def _schema_file(model: type[BaseModel]) -> str:
    return f"{model.__name__.lower()}.schema.json"


def _sections(whole: dict[str, Any], here: dict[str, Any], place: tuple[str, ...]) -> Iterator[str]:
    if place:
        yield f"## `{'.'.join(place)}`"
    yield paragraphs(here.get("description"))
    required = set(here.get("required", []))
    yield table(
        ("Field", "Kind", "Default", "Meaning"),
        (
            (code(name), _kind(field), _default(field, name in required), field.get("description", ""))
            for name, field in here["properties"].items()
        ),
    )
    for name, field in here["properties"].items():
        if inner := _section(field):
            yield from _sections(whole, whole["$defs"][inner], (*place, name))


def _default(field: dict[str, Any], required: bool) -> str:
    if required:
        return "required"
    if _section(field):
        return "" if field.get("default", {}) is not None else "left out"
    value = field.get("default")
    return "" if value is None else code(json.dumps(value, ensure_ascii=False))


def _kind(field: dict[str, Any]) -> str:
    """A JSON Schema in words."""
    if _section(field):
        return "section"
    if options := [option for option in field.get("anyOf", []) if option.get("type") != "null"]:
        return " or ".join(dict.fromkeys(map(_kind, options)))
    if "const" in field:
        return code(field["const"])
    if "enum" in field:
        return ", ".join(map(code, field["enum"]))
    if field["type"] == "array":
        return f"list of {_kind(field['items'])}{_limits(field, 'Items', ' entries')}"
    if field["type"] == "object":
        kinds = [*field.get("patternProperties", {}).values(), field.get("additionalProperties")]
        return f"mapping to {_kind(kinds[0])}"
    names = {"integer": "whole number", "number": "number", "boolean": "`true` or `false`", "string": "text"}
    pattern = f" that matches `{field['pattern']}`" if "pattern" in field else ""
    return names[field["type"]] + pattern + _limits(field, "Length", " characters") + _range(field)


def _limits(field: dict[str, Any], what: str, unit: str) -> str:
    least, most = field.get(f"min{what}"), field.get(f"max{what}")
    if most is None:
        return f", at least {least}{unit}" if least and least > 1 else ""
    return f", {least}–{most}{unit}" if least else f", at most {most}{unit}"


def _range(field: dict[str, Any]) -> str:
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {field[key]}" for key, sign in words.items() if key in field]
    return f", {', '.join(limits)}" if limits else ""
