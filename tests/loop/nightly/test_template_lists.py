"""A template that lists classes by itself is held against the pipeline's."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.loop.nightly.template_lists import warnings


def template(attributes: str) -> str:
    return (
        f"<crowd-form><crowd-image-classifier name='annotatedResult' {attributes}></crowd-image-classifier>"
    )


@pytest.mark.parametrize("written", ["['cat', 'dog']", '["cat","dog"]', "[ '0:cat', '1:dog', ]"])
def test_a_list_of_all_classes_is_all_right(written):
    assert not warnings(template(f"categories='{written.replace(chr(39), '&#39;')}'"), ("cat", "dog"))


def test_a_class_that_is_not_in_the_list_is_told():
    (told,) = warnings(
        template("""categories="['4:Sphynx', '6:spaniel']" """), ("4:Sphynx", "9:havanese", "spaniel")
    )
    assert "without '9:havanese': reviewers cannot choose" in told


def test_a_category_that_is_no_class_is_told():
    (told,) = warnings(template("""labels="['cat', 'dog', 'unclear']" """), ("cat", "dog"))
    assert "lists 'unclear', no class of the pipeline" in told


def test_several_elements_are_one_list():
    """More classes than one element takes are put into several."""
    both = template("categories='[\"cat\"]'") + template("categories='[\"dog\"]'")
    assert not warnings(both, ("cat", "dog"))


@pytest.mark.parametrize(
    "path",
    sorted(Path("include/pipelines/templates").rglob("*.html")),
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)
def test_the_shipped_templates_list_what_the_pipeline_has(path):
    assert not warnings(path.read_text(), ("cat",))


def test_a_list_that_a_script_makes_is_not_known():
    script = "<script>document.querySelector('crowd-image-classifier').categories = ['cat']</script>"
    assert not warnings(template("categories='[]'") + script, ("cat",))
