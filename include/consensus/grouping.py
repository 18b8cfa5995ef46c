"""Which of several workers' parts (boxes, spans of text) are of one thing: the closest pairs first, and never
two parts of one worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def join(workers: Sequence[int], pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Groups of parts, by index. ``workers`` says whose each part is; ``pairs`` are those that may lie in one
    group, the closest first. Two groups with a worker in common stay apart.
    """
    group_of = {part: {part} for part in range(len(workers))}
    for one, other in pairs:
        together = group_of[one] | group_of[other]
        if len({workers[part] for part in together}) == len(together):
            for part in together:
                group_of[part] = together
    unique = {min(group): group for group in group_of.values()}
    return [sorted(group) for _, group in sorted(unique.items())]
