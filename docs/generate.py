"""The reference pages, made from the code when MkDocs builds the site; and JSON Schemas of the YAML files.

MkDocs runs it as a hook (mkdocs.yml). `python docs/generate.py` writes the schemas, which editors read and
git keeps; `make docs` does both.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "plugins")) if path not in sys.path]

from docs.generators import commands, dags, formats, permissions, records, settings  # noqa: E402 -- found from here on

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

PAGES: dict[str, Callable[[], str]] = {
    "reference/pipeline.md": settings.pipeline_page,
    "reference/environment.md": settings.environment_page,
    "reference/records.md": records.page,
    "reference/dags.md": dags.page,
    "reference/commands.md": commands.page,
    "reference/formats.md": formats.page,
    "reference/permissions.md": permissions.page,
}
# Pages of the site that are files beside README.md, where people and code hosts look for them.
FROM_THE_ROOT = {
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "reporting.md": "SECURITY.md",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """MkDocs's event: the list of pages is known, and may be added to."""
    from mkdocs.structure.files import File

    for place, make in PAGES.items():
        files.append(File.generated(config, place, content=make()))
    for place, name in FROM_THE_ROOT.items():
        text = (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """MkDocs's event: a page's text. Links to files of the root are written as a code host follows them."""
    for place, name in FROM_THE_ROOT.items():
        markdown = markdown.replace(f"](../{name}", f"]({place}").replace(f"]({name}", f"]({place}")
    return markdown


if __name__ == "__main__":
    for schema, content in settings.schemas().items():
        schema.write_text(content, encoding="utf-8")
        print(schema.relative_to(ROOT))
