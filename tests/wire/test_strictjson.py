"""What is JSON and what is not, and how much of it is read at once."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from include.wire import strictjson
from tests.support.mutants import mutants, thorough


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[" * 100_000, "nested"),
        ("[" * 101 + "]" * 101, "nested"),
        ('{"a":' * 101 + "1" + "}" * 101, "nested"),
        (f"[{'[],' * 400_000}0]", "values"),
        (f"[{'1,' * 1_600_001}0]", "values"),
        ("1" * 1_000_000, "digits"),
        ('{"a": NaN}', "NaN"),
        ("-Infinity", "Infinity"),
        ('{"a": ["\\ud800"]}', "character"),
        ('{"\\uDFFF": 1}', "character"),
        ("{'a': 1}", "line 1"),
        ("", "line 1"),
        (b"\xff\xfe[\x00]\x00", "utf-8"),
    ],
)
def test_what_is_refused_says_why(text: str | bytes, what: str):
    with pytest.raises(ValueError, match=what):
        strictjson.loads(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[" * 99 + "{}" + "]" * 99, None),
        (f"[{','.join(['1'] * 1_500_000)}]", None),
        (f"[{','.join(['[12,34]'] * 390_000)}]", None),
        (f'"{"x" * 3_000_000}"', "x" * 3_000_000),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ('"\\ud83d\\ude00"', "😀"),
        ("1e400", float("inf")),
        (b" 7 ", 7),
    ],
)
def test_what_is_read(text: str | bytes, value: object):
    read = strictjson.loads(text)
    assert value is None or read == value


def test_half_a_character_passes_in_what_is_kept_as_it_came():
    assert strictjson.loads('"\\ud800"', lone_surrogates=True) == "\ud800"


TEXTS = [
    b'{"a": [1, -2.5e3, true, null, {"b": "\\u00e9\\ud83d\\ude00", "c": []}], "": "x"}',
    '["é", "\u2028", [[[{"k": {"k": "v"}}]]], 12345678901234567890, 1e-5]'.encode(),
]


@pytest.mark.parametrize("examples", [50, pytest.param(3000, marks=pytest.mark.slow)])
def test_no_bytes_leave_but_as_what_can_be_written_again_or_with_a_reason(examples: int):
    @thorough(examples)
    @given(mutants(TEXTS))
    def tried(text: bytes) -> None:
        try:
            value = strictjson.loads(text)
        except ValueError:
            return
        json.dumps(value, ensure_ascii=False).encode()

    tried()
