"""One class for each object: image and text classification, and the verification of labels.

All objects of a call are one batch of the method (include/consensus/classes.py): their workers are judged by
it alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from include.consensus.classes import ClassConsensus, agree_on_class
from include.review_server.labeling.consolidation.reading import class_of, member, read_answers
from include.review_server.labeling.consolidation.values import AnsweredObject, BadAnswer, Label, Question

# Of a comment in the metadata: chained jobs refuse attributes of 20,000 characters. The worker's answer keeps
# the whole.
MOST_COMMENT = 1_000


def label_classes(question: Question, objects: Sequence[AnsweredObject]) -> list[Label | BadAnswer]:
    """The most probable class of each object, with Ground Truth's confidence in it."""
    told: list[dict[str, int] | BadAnswer] = [_read(question, item) for item in objects]
    good = [answers for answers in told if not isinstance(answers, BadAnswer)]
    found = iter(agree_on_class(good, len(question.job.categories)))
    write = _verified if question.task_type.reviews == "verification" else _classified
    return [
        answers if isinstance(answers, BadAnswer) else write(question, item, next(found))
        for item, answers in zip(objects, told, strict=True)
    ]


def _read(question: Question, item: AnsweredObject) -> dict[str, int] | BadAnswer:
    try:
        return read_answers(
            question, item, lambda content: class_of(question, member(content, "label", object))
        )
    except BadAnswer as error:
        return error


def _classified(question: Question, item: AnsweredObject, found: ClassConsensus) -> Label:
    return Label(
        found.label,
        {
            "confidence": found.confidence or 0,
            "job-name": question.job_name,
            "class-name": question.job.categories[found.label],
            "human-annotated": "yes",
            "creation-date": question.date,
            "type": question.task_type.output_type,
        },
    )


def _verified(question: Question, item: AnsweredObject, found: ClassConsensus) -> Label:
    comments = _comments(question, item)
    return Label(
        str(found.label),  # a text here, a number in classification: so does Ground Truth
        {
            "class-name": question.job.categories[found.label],
            "confidence": found.confidence or 0,
            "type": question.task_type.output_type,
            "job-name": question.job_name,
            "human-annotated": "yes",
            "creation-date": question.date,
        }
        | ({"worker-feedback": [{"comment": text} for text in comments]} if comments else {}),
    )


def _comments(question: Question, item: AnsweredObject) -> list[str]:
    """What the workers wrote beside their answers."""
    return [text for text in read_answers(question, item, _comment).values() if text.strip()]


def _comment(content: Any) -> str:
    text = content.get("workerComment")
    if not isinstance(text, str):
        return ""  # a broken comment spoils no class
    # Half a character, or none at all (U+0000), would spoil the line that it stands in.
    return text[:MOST_COMMENT].replace("\0", "").encode(errors="replace").decode()
