"""A source's classes and a pipeline's, matched by their names: indices and their order mean nothing here."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches

from include.loop.core.errors import ConfigurationError

LEFT_OUT = None  # what a class is mapped to whose labels are not taken
_NUMBERED = re.compile(r"(\d{1,6}):(.+)")


def match_classes(
    theirs: Collection[str], ours: Sequence[str], renamed: Mapping[str, str], *, drop_others: bool = False
) -> dict[str, str | None]:
    """The pipeline's class for each of a source's, LEFT_OUT for those that are not taken.

    ``renamed`` are a person's words: theirs → ours. ConfigurationError, with both lists, when a class has no
    counterpart and is not to be dropped; or when a word names a class that is not there.
    """
    if strange := sorted(set(renamed.values()) - set(ours)):
        raise ConfigurationError(
            f"--map: the pipeline has no class {_listed(strange)}; it has {_listed(ours)}"
        )
    if strange := sorted(set(renamed) - set(theirs)):
        raise ConfigurationError(
            f"--map: the source has no class {_listed(strange)}; it has {_listed(theirs)}"
        )
    found = {name: renamed.get(name, name if name in ours else LEFT_OUT) for name in sorted(theirs)}
    unknown = [name for name, mine in found.items() if mine is LEFT_OUT]
    if unknown and not drop_others:
        raise ConfigurationError(
            f"the source has classes that the pipeline has not: {_listed(unknown)}. The pipeline's are "
            f"{_listed(ours)}, the source's {_listed(theirs)}. Say which one of ours each is "
            f"({_advice(unknown, ours)}), or leave their labels out (--drop-others)"
        )
    if found and len(unknown) == len(found):
        raise ConfigurationError(
            f"none of the source's classes is the pipeline's: {_listed(unknown)}; the pipeline's are "
            f"{_listed(ours)}. Say which is which: {_advice(unknown, ours)}"
        )
    return found


def read_class_list(text: str, place: str) -> list[str]:
    """Names by index: one on each line in order, or ``N:name``. ConfigurationError for gaps and doubles."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    numbered = [_NUMBERED.fullmatch(line) for line in lines]
    names = dict(enumerate(lines))
    if lines and all(numbered):
        pairs = [(int(item[1]), item[2].strip()) for item in numbered if item]
        names = dict(pairs)
        if sorted(names) != list(range(len(pairs))):
            raise ConfigurationError(f"{place}: the numbers must be 0 to {len(pairs) - 1}, each once")
    if not names or len(set(names.values())) < len(names):
        raise ConfigurationError(f"{place}: must name classes, one on each line, each once")
    return [names[index] for index in range(len(names))]


def _advice(unknown: Sequence[str], ours: Sequence[str]) -> str:
    folded = {name.casefold(): name for name in ours}
    close = get_close_matches(unknown[0].casefold(), list(folded), n=1)
    return f"--map '{unknown[0]}={folded[close[0]] if close else ours[0]}'"


def _listed(names: Collection[str]) -> str:
    shown = [name if name.isprintable() else repr(name) for name in names]
    return ", ".join(shown[:40]) + (f" and {len(shown) - 40} more" if len(shown) > 40 else "")
