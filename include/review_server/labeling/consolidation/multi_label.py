"""Several classes for each object: the union of what the workers chose, each class with a confidence.

All objects of a call are one batch of the method (include/consensus/classes.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from include.consensus.classes import NONES, ClassConsensus, agree_on_labels
from include.review_server.labeling.consolidation.reading import class_of, member, read_answers
from include.review_server.labeling.consolidation.values import AnsweredObject, BadAnswer, Label, Question


def label_multi(question: Question, objects: Sequence[AnsweredObject]) -> list[Label | BadAnswer]:
    """Every class that at least one worker chose, the surest first, with 0.0 where there was one worker."""
    told: list[dict[str, set[int]] | BadAnswer] = [_read(question, item) for item in objects]
    found = iter(agree_on_labels([answers for answers in told if not isinstance(answers, BadAnswer)]))
    return [answers if isinstance(answers, BadAnswer) else _label(question, next(found)) for answers in told]


def _label(question: Question, found: dict[int, ClassConsensus]) -> Label:
    chosen = sorted(found, key=lambda index: (-found[index].confidence, index))
    return Label(
        chosen,
        {
            "job-name": question.job_name,
            "class-map": {str(index): question.job.categories[index] for index in chosen},
            "human-annotated": "yes",
            "creation-date": question.date,
            "confidence-map": {str(index): found[index].confidence for index in chosen},
            "type": question.task_type.output_type,
        },
    )


def _read(question: Question, item: AnsweredObject) -> dict[str, set[int]] | BadAnswer:
    try:
        return read_answers(question, item, lambda content: _chosen(question, content))
    except BadAnswer as error:
        return error


def _chosen(question: Question, content: Any) -> set[int]:
    texts = member(content, "labels", list)
    if len(texts) > len(question.classes) + 1:
        raise BadAnswer(f"it has {len(texts):,} labels, and the job has {len(question.classes)} categories")
    if len(texts) == 1 and texts[0] not in question.job.categories and _is_none(texts[0]):
        return set()  # the exclusion category of a template is in no category file
    return {class_of(question, text) for text in texts}


def _is_none(text: Any) -> bool:
    return isinstance(text, str) and text.casefold() in NONES
