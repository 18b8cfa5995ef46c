"""Arrows between the rooms run one way, at the head of a file or inside a function."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Room → whom of ours it may import. Every room may import itself.
MAY_IMPORT: dict[str, set[str]] = {
    "dags": {"nightloop"},
    "nightloop": {"include.loop"},
    "a2i": {"nightloop"},
    "include.loop": {"include.pictures", "include.recordio", "include.consensus", "include.__version__"},
    "include.pictures": set(),
    "include.recordio": set(),
    "include.consensus": set(),
    "include.wire": set(),
    "include.review_server": {"include.wire", "include.consensus", "include.pictures"},
    "include.local_cloud": {
        "include.wire",
        "include.review_server",
        "include.recordio",
        "include.algorithms.archives",
    },
    "include.algorithms": {"include.pictures", "include.recordio"},
    "include.samples": {"include.pictures"},
    "include.stack": {"include.samples"},
    "include.cluster": {"include.stack"},
    "include.demo": {"include.samples", "include.stack", "include.pictures"},
}
# The rooms of one package, from above: each may import those of lower layers, and none beside it.
LOOP_LAYERS = [
    {"__main__"},
    {"commands"},
    {"lineage"},
    {"serving"},
    {"evaluation"},
    {"labeling"},
    {"analysis"},
    {"training", "exchange", "backtest"},
    {"dataset", "nightly", "report", "manifests"},
    {"live"},
    {"trials"},
    {"models"},
    {"aws"},
    {"workspace"},
    {"tasks"},
    {"config"},
    {"strategies"},
    {"core"},
    {"__init__"},
]
LAYERS = {
    "include.loop": LOOP_LAYERS,
    "include.review_server": [
        {"__main__"},
        {"app"},
        {"api", "portal", "health", "metrics"},
        {"people"},
        {"labeling"},
        {"work", "templates"},
        {"s3"},
        {"db", "settings", "reach", "bodies"},
        {"arns", "clock", "errors", "jsontext", "private_files", "s3_location"},
        {"__init__"},
    ],
    "include.local_cloud": [
        {"__main__"},
        {"server"},
        {"dispatcher"},
        {"gateway", "instance"},
        {"base", "control"},
        {"credentials", "model_reply", "processes"},
        {"asgi", "locks", "settings", "store"},
        {"__init__"},
    ],
}
FOLDERS = {"nightloop": "plugins/nightloop", "a2i": "plugins/a2i"}
KNOW_AIRFLOW = {"dags", "nightloop", "include.stack"}  # the stack brings an executor of its own
OURS = ("include", "nightloop", "a2i", "dags", "tests")


def folder(room: str) -> Path:
    return ROOT / FOLDERS.get(room, room.replace(".", "/"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import; `from a.b import c` counts as a.b.c, for c may be a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def sources(room: str) -> list[Path]:
    return sorted(folder(room).rglob("*.py"))


def test_every_room_is_listed() -> None:
    rooms = {f"include.{path.name}" for path in (ROOT / "include").iterdir() if any(path.glob("*.py"))}
    assert rooms <= MAY_IMPORT.keys(), "say in MAY_IMPORT whom the new room may know"


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_whom_it_may_know(room: str) -> None:
    allowed = {room, *MAY_IMPORT[room]}
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sources(room)
        for line, name in imports(path)
        if name.split(".")[0] in OURS
        if not any(within(name, friend) for friend in allowed)
    ]
    assert not wrong, "\n".join(wrong)


def layer(package: str, room: str) -> int:
    """How high a room of a package stands, 0 at the top."""
    return next(height for height, rooms in enumerate(LAYERS[package]) if room in rooms)


def inner_room(parts: Sequence[str]) -> str:
    """The first name below a package in include/."""
    return parts[2].removesuffix(".py") if len(parts) > 2 else "__init__"


@pytest.mark.parametrize("package", LAYERS)
def test_every_room_of_a_package_has_one_layer(package: str) -> None:
    found = {inner_room(path.relative_to(ROOT).parts) for path in sources(package)}
    assert sorted(found) == sorted(room for rooms in LAYERS[package] for room in rooms), "say where it stands"


@pytest.mark.parametrize("package", LAYERS)
def test_lower_layers_know_no_higher_one(package: str) -> None:
    """Nor does a room know its neighbours of the same layer."""
    wrong = []
    for path in sources(package):
        mine = inner_room(path.relative_to(ROOT).parts)
        for line, name in imports(path):
            room = inner_room(name.split("."))
            if not within(name, package) or room == mine:
                continue
            if layer(package, room) <= layer(package, mine):
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {name}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_type_of_task_is_known_to_who_chooses_it_alone(room: str) -> None:
    """Stages reach it as ``workspace.task``; and one type does not know another."""
    tasks = folder("include.loop") / "tasks"
    types = {path.parent for path in tasks.glob("*/__init__.py")}
    assert tasks / "detection" in types
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sources(room)
        if path != tasks / "__init__.py"
        for line, name in imports(path)
        for kind in types - set(path.parents)
        if within(name, f"include.loop.tasks.{kind.name}")
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", sorted(MAY_IMPORT.keys() - KNOW_AIRFLOW))
def test_only_dags_and_plugins_know_airflow(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sources(room)
        for line, name in imports(path)
        if within(name, "airflow")
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", sorted(MAY_IMPORT.keys() - {"include.pictures"}))
def test_only_pictures_opens_images(room: str) -> None:
    """Bytes that are not our own: every other way to Pillow's decoders knows no bounds."""
    wrong = [f"{path.relative_to(ROOT)}:{line}" for path in sources(room) for line in opened(path)] + [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sources(room)
        for line, name in imports(path)
        if within(name, "PIL") and (name.endswith("Plugin") or name in {"PIL.Image.open", "PIL.ImageFile"})
    ]
    assert not wrong, "\n".join(wrong)


def opened(path: Path) -> Iterator[int]:
    """Lines with a call like ``Image.open(…)``, under the names that it has here."""
    ways = {"Image.open", "PIL.Image.open", "pillow.open"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ways:
            yield node.lineno


def test_imports_are_absolute() -> None:
    """Airflow may run a file under its bare name, where a relative import has no parent."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for room in MAY_IMPORT
        for path in sources(room)
        for line, name in imports(path)
        if name.startswith(".")
    ]
    assert not wrong, "\n".join(wrong)
