"""The page of the DAGs: the manual that each file's docstring is. The files are read, never run."""

from __future__ import annotations

import ast
import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "dags"
# In the order in which a pipeline meets them.
ORDER = (
    "review_setup", "labeling_job", "import_dataset", "initial_training", "nightly_review",
    "incremental_training", "deployment", "teardown",
)  # fmt: skip
INTRODUCTION = """# DAG manuals

Each pipeline has these DAGs; an id is the flow's name and the pipeline's, for instance
`nightly_review__digits`. Airflow shows the same manual on each DAG's page, where the form of a run explains
its parameters."""


def page() -> str:
    return "\n\n".join([INTRODUCTION, *(_manual(path) for path in sorted(FOLDER.glob("*.py"), key=_place))])


def _place(path: Path) -> tuple[int, str]:
    return (ORDER.index(path.stem) if path.stem in ORDER else len(ORDER), path.stem)


def _manual(path: Path) -> str:
    manual = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    if not manual:
        raise ValueError(f"{path}: the DAG file needs a docstring: it is the operator's manual")
    lower = re.sub(r"^#", "##", manual, flags=re.MULTILINE)
    return re.sub(r"\A## (.*)", rf"## {path.stem}\n\n*\1*", lower)
