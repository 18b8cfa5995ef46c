"""What automated labeling reads from the tables of a job, and keeps there of its rounds.

Each function works in the caller's session and knows nothing of S3 or SageMaker.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, select
from sqlalchemy.orm import Session

from include.review_server.db.models import DataObject, LearningRound, ObjectLabel, ObjectLine, Prediction
from include.review_server.db.statuses import ObjectStatus, RoundStage

# A statement's parameters: SQLite takes 32,766 of them.
_AT_ONCE = 1_000


@dataclass(frozen=True)
class Labelled:
    """An object that people have labelled: its number, its image, and its label attribute with metadata."""

    number: int
    source: str
    content: dict[str, Any]


def to_label(session: Session, job_id: int) -> list[int]:
    """The objects that the job was to label: neither labelled before nor spoilt. The same at any time."""
    spoilt = and_(DataObject.status == ObjectStatus.FAILED, DataObject.iteration.is_(None))
    query = select(DataObject.number).where(
        DataObject.job_id == job_id, DataObject.status != ObjectStatus.EXISTING, ~spoilt
    )
    return list(session.scalars(query.order_by(DataObject.number)))


def probed(session: Session, job_id: int) -> list[int]:
    """The objects of the first batch."""
    query = select(DataObject.number).where(DataObject.job_id == job_id, DataObject.iteration == 1)
    return list(session.scalars(query))


def unlabelled(session: Session, job_id: int, numbers: Sequence[int], most: int) -> list[int]:
    """The first of these, in their order, that have no label and are not asked about."""
    found: list[int] = []
    for start in range(0, len(numbers), _AT_ONCE):
        part = numbers[start : start + _AT_ONCE]
        waiting = set(session.scalars(_waiting(job_id).where(DataObject.number.in_(part))))
        found += [number for number in part if number in waiting]
        if len(found) >= most:
            break
    return found[:most]


def rest(session: Session, job_id: int) -> list[int]:
    """All objects without a label."""
    return list(session.scalars(_waiting(job_id).order_by(DataObject.number)))


def labelled_by_people(session: Session, job_id: int, attribute: str) -> Iterator[Labelled]:
    """In the order of the manifest. What a machine labelled is no truth, and is left out."""
    query = (
        select(ObjectLabel.number, ObjectLabel.content, ObjectLine.content)
        .join(
            ObjectLine, and_(ObjectLine.job_id == ObjectLabel.job_id, ObjectLine.number == ObjectLabel.number)
        )
        .join(
            DataObject, and_(DataObject.job_id == ObjectLabel.job_id, DataObject.number == ObjectLabel.number)
        )
        .where(ObjectLabel.job_id == job_id, DataObject.status == ObjectStatus.LABELED)
        .order_by(ObjectLabel.number)
        .execution_options(yield_per=_AT_ONCE)
    )
    for number, label, line in session.execute(query):
        content = json.loads(label)
        if content.get(f"{attribute}-metadata", {}).get("human-annotated") == "yes" and attribute in content:
            yield Labelled(number, str(json.loads(line).get("source-ref", "")), content)


def images(session: Session, job_id: int, numbers: Sequence[int]) -> dict[int, str]:
    """Number to the S3 URI of the image."""
    found: dict[int, str] = {}
    for start in range(0, len(numbers), _AT_ONCE):
        query = select(ObjectLine.number, ObjectLine.content).where(
            ObjectLine.job_id == job_id, ObjectLine.number.in_(numbers[start : start + _AT_ONCE])
        )
        for number, line in session.execute(query):
            found[number] = str(json.loads(line).get("source-ref", ""))
    return found


def this_round(session: Session, job_id: int, iteration: int) -> LearningRound | None:
    """The round before people's batch of this number."""
    return session.get(LearningRound, (job_id, iteration), populate_existing=True)


def is_first(session: Session, job_id: int, iteration: int) -> bool:
    """Whether no round has begun before the one of this iteration."""
    earlier = exists().where(LearningRound.job_id == job_id, LearningRound.iteration < iteration)
    return not session.scalars(select(earlier)).one()


def judged_before(session: Session, job_id: int, iteration: int) -> set[int]:
    """The objects of the validation sample that earlier rounds would have labelled.

    What is left to label has lost objects that are as easy as these: with them a model that only knows the
    easy ones would look good for ever.
    """
    query = select(LearningRound.passed).where(
        LearningRound.job_id == job_id, LearningRound.iteration < iteration
    )
    return {number for passed in session.scalars(query) for number in json.loads(passed)}


def move(session: Session, job_id: int, iteration: int, stage: RoundStage) -> LearningRound:
    """Put a round into a stage; begins one that has not begun, without what the last one's model said."""
    found = this_round(session, job_id, iteration)
    if found is None:
        session.execute(delete(Prediction).where(Prediction.job_id == job_id))
        found = LearningRound(job_id=job_id, iteration=iteration, stage=stage, passed="[]")
        session.add(found)
    found.stage = stage
    return found


def unread(session: Session, job_id: int, most: int) -> list[int]:
    """Objects without a label of which it is not known yet what the model says."""
    said = and_(Prediction.job_id == DataObject.job_id, Prediction.number == DataObject.number)
    query = _waiting(job_id).outerjoin(Prediction, said).where(Prediction.number.is_(None))
    return list(session.scalars(query.order_by(DataObject.number).limit(most)))


def keep(session: Session, job_id: int, said: Mapping[int, tuple[float, str | None]]) -> None:
    """What the model says of objects: confidence, and JSON or None where it says nothing."""
    session.add_all(
        Prediction(job_id=job_id, number=number, confidence=confidence, content=content)
        for number, (confidence, content) in said.items()
    )


def sure(session: Session, job_id: int, threshold: float, most: int) -> dict[int, dict[str, Any]]:
    """The first objects without a label whose prediction reaches the threshold."""
    query = (
        _predicted(job_id, Prediction.confidence >= threshold)
        .where(Prediction.content.is_not(None))
        .order_by(Prediction.number)
        .limit(most)
    )
    return {number: json.loads(content) for number, content in session.execute(query)}


def least_sure(session: Session, job_id: int, most: int) -> list[int]:
    """The objects without a label whose predictions are worth the least, least first; those of which nothing
    is known at the beginning.
    """
    waiting = (
        select(DataObject.number)
        .outerjoin(
            Prediction, and_(Prediction.job_id == DataObject.job_id, Prediction.number == DataObject.number)
        )
        .where(DataObject.job_id == job_id, DataObject.status == ObjectStatus.UNLABELED)
        .order_by(func.coalesce(Prediction.confidence, -1.0), DataObject.number)
        .limit(most)
    )
    return list(session.scalars(waiting))


def _waiting(job_id: int) -> Any:
    return select(DataObject.number).where(
        DataObject.job_id == job_id, DataObject.status == ObjectStatus.UNLABELED
    )


def _predicted(job_id: int, condition: ColumnElement[bool]) -> Any:
    return (
        select(Prediction.number, Prediction.content)
        .join(
            DataObject, and_(DataObject.job_id == Prediction.job_id, DataObject.number == Prediction.number)
        )
        .where(Prediction.job_id == job_id, condition, DataObject.status == ObjectStatus.UNLABELED)
    )
