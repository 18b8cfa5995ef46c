"""YAML that does harm, or that means something else than it says, is refused by file, line and rule."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.loop import config
from include.loop.config.files import SHIPPED
from include.loop.config.plain_yaml import DEEPEST, MOST_BYTES, MOST_NODES, read_yaml
from include.loop.core.errors import ConfigurationError

# Undefended, some of these never come to an end: a minute is far more than any of them takes.
pytestmark = pytest.mark.timeout(60)

PIPELINE = "classes: [cat]\n"
# Nine lines that unfold to a billion words.
LAUGHS = "a: &a [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)
# The same by merged mappings, and as a chain that no line shows to be deep.
MERGED = "a: &a {x: 1}\n" + "".join(
    f"b{n}: &b{n} {{<<: [{', '.join([f'*b{n - 1}' if n else '*a'] * 50)}]}}\n" for n in range(8)
)
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}]\n" for n in range(5_000))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for kind in ("pipelines", "environments"):
        (tmp_path / kind).mkdir()
    monkeypatch.setenv("NIGHTLOOP_CONFIG_DIR", str(tmp_path))
    return tmp_path


def refusal(own: Path, content: str | bytes) -> str:
    """What is said about a pipeline's file, without its path."""
    path = own / "pipelines" / "pets.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigurationError) as caught:
        config.load_pipeline("pets")
    said = str(caught.value)
    assert said.startswith(f"{path}:"), said
    assert len(said) < 1_000
    return said.removeprefix(f"{path}:")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PIPELINE + "? [1, 2]\n: x\n", "2: field names must be text"),
        (PIPELINE + "? {a: 1}\n: x\n", "2: field names must be text"),
        (PIPELINE + "test_sets: {2026: x}", '2: field names must be text; put it in quotes: "2026"'),
        (PIPELINE + "triage: &t {cap: 1}\ntriage: *t\n", "3: 'triage' is written twice, first in line 2"),
        (PIPELINE + "triage:\n  cap: 1\n\n  cap: 2\n", "5: 'cap' is written twice, first in line 3"),
        (PIPELINE + "description: !!python/object/apply:os.system ['touch pwned']", "2: tags (tag:yaml.org,"),
        (PIPELINE + "description: !secret x\n", "2: tags (!secret) are not read here"),
        (PIPELINE + "description: !!binary aGk=\n", "2: tags (tag:yaml.org,2002:binary)"),
        (PIPELINE + "description: &d [*d]\n", "2: *d stands inside of what it refers to"),
        (PIPELINE + "description: *nobody\n", "2: not valid YAML: found undefined alias 'nobody'"),
        (PIPELINE + "---\nclasses: [dog]\n", "2: not valid YAML: expected a single document"),
        (PIPELINE + "triage:\n\tcap: 3\n", "3: not valid YAML: while scanning for the next token, found"),
        (PIPELINE + "triage:\n\tcap: 3\n", "indent with spaces, not tabs"),
        (PIPELINE + "description: \x00\n", "2: not valid YAML: special characters are not allowed"),
        (PIPELINE + "triage: {threshold: .nan}\n", "2: .nan is not a finite number"),
        (PIPELINE + "review:\n  dollars_per_hour: .inf\n", "3: .inf is not a finite number"),
        (PIPELINE + "review: {dollars_per_hour: 1e999}\n", "2: 1e999 is not a finite number"),
        (PIPELINE + 'review: {dollars_per_hour: "inf"}\n', "2: review.dollars_per_hour: Input should be"),
        ("classes: [yes]\n", '1: write true or false, or "yes" in quotes for the text'),
        ("classes:\n- cat\n- No\n", '3: write true or false, or "No" in quotes for the text'),
        ("classes: [true]\n", '1: classes.0: must be text; put it in quotes: "true"'),
        ("classes: [cat, null]\n", '1: classes.1: must be text; put it in quotes: "null"'),
        ("classes: [cat,\n  1.50]\n", '2: classes.1: must be text; put it in quotes: "1.50"'),
        (PIPELINE + "triage: {cap: " + "9" * 5_000 + "}\n", "2: triage.cap: "),
        (PIPELINE + "training:\n  retention_images: -1\n", "3: training.retention_images: "),
    ],
)  # fmt: skip
def test_what_is_no_plain_data_is_refused_with_its_line(own: Path, text: str, said: str) -> None:
    assert said in refusal(own, text)
    assert not Path("pwned").exists()


@pytest.mark.parametrize("open", ["[", "{a: ", "- ", "? ", "[{a: "])
def test_nesting_ends_at_a_limit_and_not_with_the_interpreters_stack(own: Path, open: str) -> None:
    assert f"nested more than {DEEPEST} levels deep" in refusal(own, open * (200_000 // len(open)))


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (LAUGHS, 5, f"more than {MOST_NODES:,} values, aliases unfolded"),
        (MERGED, 4, f"more than {MOST_NODES:,} values, aliases unfolded"),
        ("a: &a " + "x" * 100_000 + "\nb: [" + "*a, " * 1_000 + "]", 2, f"more than {MOST_NODES:,} values"),
        (CHAIN, 19, f"nested more than {DEEPEST} levels deep"),
        ("".join(f"f{n}:\n" for n in range(MOST_NODES)), MOST_NODES // 2, f"more than {MOST_NODES:,} values"),
    ],
    ids=["laughs", "merged", "repeated text", "chain", "fields"],
)
def test_what_aliases_unfold_to_is_limited(own: Path, text: str, line: int, said: str) -> None:
    assert len(text) < MOST_BYTES
    found = refusal(own, text)
    assert said in found
    assert int(found.partition(":")[0]) == line


def test_a_huge_file_is_refused_unread(own: Path) -> None:
    path = own / "pipelines" / "pets.yaml"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)  # a terabyte of nothing
    with pytest.raises(ConfigurationError, match=rf"larger than the {MOST_BYTES:,} bytes"):
        config.load_pipeline("pets")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PIPELINE.encode() + b"description: caf\xe9\n", "2: not UTF-8 (byte 0xe9); save the file as UTF-8"),
        (PIPELINE.encode("utf-16"), "1: not UTF-8 (byte 0xff); save the file as UTF-8"),
        (PIPELINE.encode() + b"description: \xed\xa0\x80\n", "2: not UTF-8 (byte 0xed)"),
    ],
)
def test_other_encodings_are_refused_with_the_line(own: Path, content: bytes, said: str) -> None:
    assert said in refusal(own, content)


def test_of_many_mistakes_twenty_are_told(own: Path) -> None:
    (own / "pipelines" / "pets.yaml").write_text(PIPELINE + "".join(f"f{n}: {n}\n" for n in range(5_000)))
    with pytest.raises(ConfigurationError) as caught:
        config.load_pipeline("pets")
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[0].startswith(
        f"{own / 'pipelines' / 'pets.yaml'}:2: f0: unknown field; allowed here: batch,"
    )
    assert lines[-1].endswith("and 4980 more")


def test_a_worker_template_of_another_encoding_or_size_is_refused(own: Path) -> None:
    (own / "pipelines" / "pets.yaml").write_text("classes: [cat]\nreview: {template: mine.html}")
    template = own / "pipelines" / "mine.html"
    template.write_bytes(b"<p>\n\xff</p>")
    with pytest.raises(ConfigurationError, match=r"mine\.html:2: not UTF-8"):
        config.load_pipeline("pets").template()
    with template.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(ConfigurationError, match=r"mine\.html: larger than"):
        config.load_pipeline("pets").template()


def test_only_a_web_address_is_a_portals(own: Path) -> None:
    """It becomes a link in Airflow."""
    text = (SHIPPED / "environments" / "aws.example.yaml").read_text()
    assert "  # portal_url: https://" in text
    portal = text.replace("  # portal_url: https://", "  portal_url: javascript://")
    (own / "environments" / "mine.yaml").write_text(portal)
    with pytest.raises(ConfigurationError, match=r"review\.portal_url: String should match pattern"):
        config.load_environment("mine")


def test_a_file_whose_name_no_pipeline_can_have_is_none(own: Path) -> None:
    before = config.pipeline_names()
    for name in ('x"><img src=x onerror=alert(1)>', "..", "a b", "Pets", "x" * 25, "pets"):
        (own / "pipelines" / f"{name}.yaml").write_text(PIPELINE)
    assert config.pipeline_names() == sorted([*before, "pets"])


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("2026-01-02", "2026-01-02"), ("2026-01-02 03:04:05", "2026-01-02 03:04:05"), ("007", "007"),
        ("0x10", "0x10"), ("1_000", "1_000"), ("12:30", "12:30"), ("=", "="), ("yesterday", "yesterday"),
        ('"yes"', "yes"), ("7", 7), ("-7", -7), ("1e-3", 0.001), ("1.", 1.0), (".5", 0.5), ("true", True),
        ("null", None), ("", None), ("~", None),
    ],
)  # fmt: skip
def test_a_plain_word_means_what_it_says(tmp_path: Path, word: str, value: object) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"\ufefffield: {word}\n", encoding="utf-8")
    assert read_yaml(path).value == {"field": value}
    assert type(read_yaml(path).value["field"]) is type(value)


def test_what_was_written_once_can_be_used_twice(own: Path) -> None:
    """Aliases and merged mappings are read, later ones winning, however they are nested."""
    (own / "pipelines" / "pets.yaml").write_text(
        "classes: [cat]\n"
        "training:\n"
        "  initial: {hyperparameters: &first {epochs: 3, learning_rate: 1e-3}}\n"
        "  incremental: {hyperparameters: {<<: *first, epochs: 1}}\n"
    )
    training = config.load_pipeline("pets").training
    assert training.initial.hyperparameters == {"epochs": 3, "learning_rate": 0.001}
    assert training.incremental.hyperparameters == {"epochs": 1, "learning_rate": 0.001}


@given(st.binary(max_size=200) | st.text(alphabet="a:{}[]&*!? -\n\t'\"<|>%~1.", max_size=200).map(str.encode))
@settings(max_examples=200, deadline=None)
def test_whatever_bytes_a_file_has_only_one_kind_of_error_leaves(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    with suppress(ConfigurationError):
        read_yaml(path)
