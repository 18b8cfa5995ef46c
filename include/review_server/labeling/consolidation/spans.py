"""Named entities of one text from several workers' marks (include/consensus/spans.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from include.consensus.boxes import TooManyPairs
from include.consensus.spans import Span, agree_on_spans
from include.review_server.labeling.consolidation.reading import (
    class_of,
    member,
    number,
    one_by_one,
    read_answers,
)
from include.review_server.labeling.consolidation.values import AnsweredObject, BadAnswer, Label, Question

MOST_SPANS = 1_000  # of one answer


def label_spans(question: Question, objects: Sequence[AnsweredObject]) -> list[Label | BadAnswer]:
    """The entities that more than half of the workers marked, each with the share that gave it its label as
    its confidence, 0 where there was one worker.
    """
    return one_by_one(_label, question, objects)


def _label(question: Question, item: AnsweredObject) -> Label:
    length = _length(item.line.get("source"))
    told = read_answers(question, item, lambda content: _read(question, content, length))
    try:
        agreed = agree_on_spans(list(told.values()))
    except TooManyPairs:
        raise BadAnswer("more entities lie over each other than people mark") from None
    categories = question.job.categories
    return Label(
        {
            "annotations": {
                "entities": [
                    {
                        "endOffset": found.span.end,
                        "startOffset": found.span.start,
                        "label": categories[found.span.label],
                    }
                    for found in agreed
                ],
                "labels": [{"label": name} for name in categories],
            }
        },
        {
            "entities": [{"confidence": round(found.share, 4) if len(told) > 1 else 0} for found in agreed],
            "job-name": question.job_name,
            "type": question.task_type.output_type,
            "creation-date": question.date,
            "human-annotated": "yes",
        },
    )


def _length(text: Any) -> int | None:
    """In UTF-16 code units, as the browser counts; None where the text is not in the line."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2 if isinstance(text, str) else None


def _read(question: Question, content: Any, length: int | None) -> list[Span]:
    entities = member(content, "entities", list)
    if len(entities) > MOST_SPANS:
        raise BadAnswer(f"it has {len(entities):,} entities, more than {MOST_SPANS:,}")
    read = (
        _span(question, entity, f"entity {place}", length) for place, entity in enumerate(entities, start=1)
    )
    return list(dict.fromkeys(read))


def _span(question: Question, entity: Any, at: str, length: int | None) -> Span:
    label = class_of(question, member(entity, "label", str, at))
    start, end = (number(entity, name, at) for name in ("startOffset", "endOffset"))
    if int(start) != start or int(end) != end or not 0 <= start < end:
        raise BadAnswer(f"{at} from {start:g} to {end:g} is no part of a text")
    if length is not None and end > length:
        raise BadAnswer(f"{at} ends at {end:g}, and the text at {length}")
    return Span(int(start), int(end), label)
