"""The documentation says what is there: links lead somewhere, the reference is current, the site builds."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import include
from docs.generators import commands, permissions, records, settings
from include.loop.config import Environment, Pipeline
from include.loop.strategies import ImageScores
from tests.test_architecture import LOOP_LAYERS
from tests.test_setup import ROOT

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
YAML_FILES = [*settings.PIPELINES.glob("*.yaml"), *settings.ENVIRONMENTS.glob("*.yaml")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every page, as `make docs` builds it. A warning, for instance of a link to nowhere, is a failure."""
    place = tmp_path_factory.mktemp("site")
    result = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(place)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return place


class TestSite:
    def test_every_page_of_the_navigation_has_a_heading_and_text(self, site: Path) -> None:
        for name in navigation():
            page = Read((site / name).with_suffix(".html"))
            assert page.headings, name
            assert len(page.text) > 300, name

    def test_a_reader_fetches_nothing_from_another_host(self, site: Path) -> None:
        loaded = {(page, place) for page in site.rglob("*.html") for place in Read(page).loaded}
        assert loaded
        assert not [(page, place) for page, place in loaded if re.match(r"(https?:)?//", place)]

    def test_no_page_of_the_site_has_table_rows_or_marks_left_as_text(self, site: Path) -> None:
        """A table that Markdown did not take for one, for want of an empty line before it."""
        for page in site.rglob("*.html"):
            assert not re.search(r"^\| |\*\*\w", Read(page).text, re.MULTILINE), page

    def test_it_says_what_each_dag_does_and_what_each_command_takes(self, site: Path) -> None:
        dags = Read(site / "reference/dags.html").headings
        assert {path.stem for path in (ROOT / "dags").glob("*.py")} <= {
            heading.strip("¶") for heading in dags
        }
        commands = {heading.strip("¶") for heading in Read(site / "reference/commands.html").headings}
        assert {"make", "include.loop release-labels", "include.review_server members add"} <= commands


def navigation() -> Iterator[str]:
    """The places of all pages, in order."""

    def pages(item: object) -> Iterator[str]:
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            for inner in item.values():
                yield from pages(inner)
        elif isinstance(item, list):
            for inner in item:
                yield from pages(inner)

    yield from pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])


class Read(HTMLParser):
    """A built page: the text of its article without code, its headings, and what a browser loads with it."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.text, self.headings, self.loaded = "", list[str](), list[str]()
        self._inside: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag in {"article", "h1", "h2", "h3", "h4", "code", "style"}:
            self._inside.append(tag)
        if tag in {"h1", "h2", "h3", "h4"}:
            self.headings.append("")
        place = given.get("href") if tag == "link" else given.get("src")
        if place and given.get("rel") != "canonical":
            self.loaded.append(place)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._inside:
            while self._inside.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "article" in self._inside and "style" not in self._inside:
            if "code" not in self._inside or "h2" in self._inside:
                self.text += data
            if any(tag in self._inside for tag in ("h1", "h2", "h3", "h4")):
                self.headings[-1] += data


class TestLinks:
    """As a code host follows them; MkDocs looks at those of the site."""

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
    def test_every_link_leads_to_a_file_and_a_heading(self, page: Path) -> None:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            place, _, anchor = target.partition("#")
            if target.startswith(("http:", "https:")) or "reference/" in place:
                continue  # the reference is made when the site is
            file = (page.parent / place).resolve() if place else page
            assert file.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in anchors(file), f"{page.name}: {target}"

    def test_every_picture_of_the_documentation_is_shown_somewhere(self) -> None:
        shown = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
        assert not [path.name for path in (ROOT / "docs/pictures").iterdir() if path.name not in shown]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class TestSchemas:
    def test_the_schemas_beside_the_yaml_files_are_those_of_the_code(self) -> None:
        for path, content in settings.schemas().items():
            assert path.read_text(encoding="utf-8") == content, f"{path.name} is of yesterday: `make docs`"

    @pytest.mark.parametrize("file", YAML_FILES, ids=lambda file: file.name)
    def test_every_shipped_file_names_its_schema_and_follows_it(self, file: Path) -> None:
        first = file.read_text(encoding="utf-8").splitlines()[0]
        named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
        assert named is not None
        schema = (file.parent / named[1]).resolve()
        assert schema in settings.schemas()
        assert check(schema, file).returncode == 0

    def test_an_editor_tells_of_a_field_that_does_not_exist_and_a_value_out_of_bounds(self, tmp_path) -> None:
        shipped = settings.PIPELINES / "digits.yaml"
        schema = next(path for path in settings.schemas() if path.parent == settings.PIPELINES)
        for right, wrong in (("threshold: 0.8", "threshold: 8"), ("audit_share:", "audit_shares:")):
            text = shipped.read_text(encoding="utf-8")
            assert right in text
            file = tmp_path / "wrong.yaml"
            file.write_text(text.replace(right, wrong), encoding="utf-8")
            assert check(schema, file).returncode == 1

    @pytest.mark.parametrize("model", [Pipeline, Environment])
    def test_most_fields_say_what_they_mean(self, model) -> None:
        """By the comments of the shipped files; sections and names speak for themselves now and then."""
        whole = settings.schema(model)
        fields = [
            field for part in (whole, *whole["$defs"].values()) for field in part["properties"].values()
        ]
        assert sum("description" in field for field in fields) > 0.6 * len(fields)


def check(schema: Path, file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(schema), str(file)]
    return subprocess.run(command, capture_output=True, text=True)


class TestReference:
    def test_the_permissions_name_what_is_called_and_nothing_that_aws_does_not_have(self) -> None:
        needed = permissions.actions()
        assert {"CreateTrainingJob", "StopTransformJob", "StartHumanLoop", "PutObject", "PassRole"} <= needed
        assert not {"CreateEndpointJob", "StopEndpoint", "Search"} & needed

    def test_every_key_of_the_bucket_says_what_it_is(self) -> None:
        said = dict(records.keys_of_layout())
        assert "labels/dt=<batch>/augmented.manifest" in said
        assert not [key for key, words in said.items() if not words]

    def test_every_record_has_a_place_of_its_own_and_says_what_it_is(self) -> None:
        kinds = records.stored()
        assert len({kind.LOCATION for kind in kinds}) == len(kinds)
        assert not [kind for kind in kinds if not kind.__doc__]

    def test_a_schema_is_plain_json_for_editors(self) -> None:
        for content in settings.schemas().values():
            assert json.loads(content)["additionalProperties"] is False


class TestCommands:
    def test_every_program_named_in_the_documentation_exists(self) -> None:
        program = re.compile(r"python -m ((?:include|benchmarks)[\w.]*\w)")
        named = {match for page in PAGES for match in program.findall(text(page))}
        assert {"include.stack", "include.loop", "include.review_server", "benchmarks.gate"} <= named
        assert not [name for name in named if importlib.util.find_spec(name) is None]

    @pytest.mark.parametrize("program", ["include.loop", "include.stack", "include.review_server"])
    def test_every_command_named_in_the_documentation_is_one_of_its_program(self, program: str) -> None:
        page = commands.page()
        pages = [each for each in PAGES if each.name != "CHANGELOG.md"]  # it tells of former ones
        asked = {word for each in pages for word in re.findall(rf"-m {program} ([a-z][\w-]*)", text(each))}
        assert asked
        assert not [command for command in asked if f"# {program} {command}\n" not in page]


class TestArchitecture:
    def test_the_page_tells_of_every_room_of_the_loop(self) -> None:
        page = text(ROOT / "docs/architecture.md")
        rooms = {room for layer in LOOP_LAYERS for room in layer} - {"__init__"}
        assert not [room for room in rooms if f"`{room}`" not in page]

    def test_the_example_of_a_strategy_is_one(self) -> None:
        page = text(ROOT / "docs/how-to/new-strategy.md")
        example = re.search(r"(?:^ {8}.*\n|^\n)+", page[page.index("    from include") - 4 :], re.MULTILINE)
        assert example is not None
        found: dict[str, Any] = {}
        exec(textwrap.dedent(example[0]), found)  # noqa: S102 -- our own page
        one = SimpleNamespace(class_id=0, score=0.9)
        other = SimpleNamespace(class_id=1, score=0.8)
        assert found["doubt"](ImageScores([one, other], 0.5), 0.2).ask
        assert not found["doubt"](ImageScores([one], 0.5), 0.2).ask
        assert found["doubt"](ImageScores([], 0.5), 0.2).ask


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


class TestReadme:
    def test_it_is_short(self) -> None:
        assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 130

    def test_the_version_is_the_one_that_the_changelog_tells_of_first(self) -> None:
        changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        first = re.search(r"^## (\S+)", changelog, re.MULTILINE)
        assert first is not None
        assert first[1] == include.__version__

    def test_nothing_claims_to_be_a_package(self) -> None:
        """No wheel is built: the folders are deployed as they are."""
        with (ROOT / "pyproject.toml").open("rb") as file:
            assert tomllib.load(file).keys() == {"tool"}
