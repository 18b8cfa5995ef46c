"""What a batch asks: one question for each image that triage chose and that is still there.

Takes triage rows, gives the loops' names and inputs. The bytes of each image are claimed (contents.py), so
that no other batch asks about them; where another batch was faster, the row says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from include.loop.core.identity import loop_name
from include.loop.core.records.nightly import EndpointPrelabels, Question
from include.loop.core.records.triage import Decision, Row, read_looked_at, write_looked_at
from include.loop.core.stats import stat_all
from include.loop.core.storage import THREADS_OF_SMALL_REQUESTS, in_parallel
from include.loop.nightly import second_look
from include.loop.nightly.batch import read_batch
from include.loop.nightly.choosing import same_as
from include.loop.nightly.contents import Contents
from include.loop.nightly.looks import GONE, LATE, REPLACED, Look, Looks
from include.loop.nightly.predictions import predictions_of
from include.loop.nightly.prelabels import Prelabels, ask_endpoint
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Composed:
    """The questions, in the order of the rows; by image why nobody can be asked about it; and what a named
    endpoint said, None when it was not asked.
    """

    questions: list[Question]
    unreadable: dict[str, str]
    prelabels: EndpointPrelabels | None


def compose(workspace: Workspace, batch: str, arn: str) -> Composed:
    """The questions of a batch, with the answers of its champion, or of an endpoint while there is none."""
    rows, looks = _still_there(workspace, batch)
    champion = read_batch(workspace, batch).champion
    shown = [row for row, seen in zip(rows, looks, strict=True) if not seen.problem]
    if champion is None:
        prelabels = ask_endpoint(workspace, [(row.image, row.etag) for row in shown])
        said, by = prelabels.found, f"endpoint/{workspace.pipeline.review.prelabel_endpoint}"
    else:
        prelabels = Prelabels()
        said = predictions_of(workspace, batch, [row.image for row in shown])
        by = f"training-job/{champion.training_job}"
    review = workspace.pipeline.review

    before = second_look.answered_before(workspace, (row.again for row in rows if row.again))
    questions, unreadable = [], {}
    for row, seen in zip(rows, looks, strict=True):
        if seen.problem or not seen.width or not seen.height:
            unreadable[row.image] = seen.problem or "not an image"
            continue
        size = seen.width, seen.height
        content = workspace.task.question(said.get(row.image), size, review.prelabel_threshold) | {
            "taskObject": row.image,
            "instructions": review.instructions,
            "etag": row.etag,
            "batch": batch,
        }
        if workers := before.get((row.again or "", row.image)):
            content["answeredBefore"] = workers
        loop = loop_name(workspace.pipeline.name, batch, row.image, row.etag, arn)
        questions.append(
            Question(
                loop=loop,
                image=row.image,
                etag=row.etag,
                width=seen.width,
                height=seen.height,
                input=content,
                sha256=seen.sha256,
                prelabels=by if row.image in said else None,
            )
        )
    return Composed(questions, unreadable, prelabels.told)


def _still_there(workspace: Workspace, batch: str) -> tuple[list[Row], list[Look]]:
    """The rows to ask about, and what is there of each; a copy is asked about where its original has gone."""

    rows = read_looked_at(workspace.storage, batch)
    asked = [row for row in rows if row.decision is Decision.ASK]
    looks = dict(_looks(workspace, batch, asked))
    gone = {row.image: row for row in asked if looks[row.image].problem}
    copies = [row for row in rows if row.same_as in gone]
    heirs: dict[str, str] = {}
    originals = {row.image: row.same_as or "" for row in copies}
    for image, seen in _looks(workspace, batch, copies):
        if not seen.problem and heirs.setdefault(originals[image], image) == image:
            looks[image] = seen

    def settled(row: Row) -> Row:
        heir = heirs.get(row.same_as or "")
        if heir == row.image:
            was = gone[row.same_as or ""]
            return replace(
                row,
                decision=Decision.ASK,
                reason=was.reason,
                same_as=None,
                expected_seconds=was.expected_seconds,
                expected_dollars=was.expected_dollars,
            )
        return replace(row, reason=same_as(heir), same_as=heir) if heir else row

    if heirs:
        rows = [settled(row) for row in rows]
        write_looked_at(workspace.storage, batch, rows)
    asked = [row for row in rows if row.decision is Decision.ASK]
    return asked, [looks[row.image] for row in asked]


def claim(workspace: Workspace, batch: str, questions: Sequence[Question]) -> list[Question]:
    """Those whose bytes no other batch has claimed since triage looked; the rows of the others say so."""
    contents = Contents(workspace, batch)
    taken: dict[str, str] = {}

    def won(question: Question) -> bool:
        holder = question.sha256 and contents.claim(
            question.sha256, question.image, question.etag, question.loop
        )
        if holder:
            taken[question.image] = holder.told
        return not holder

    found = in_parallel(won, questions, THREADS_OF_SMALL_REQUESTS)
    kept = [item for item, mine in zip(questions, found, strict=True) if mine]
    if taken:
        rows = [
            replace(
                row,
                decision=Decision.SKIP,
                reason=taken[row.image],
                expected_seconds=0.0,
                expected_dollars=0.0,
            )
            if row.image in taken
            else row
            for row in read_looked_at(workspace.storage, batch)
        ]
        write_looked_at(workspace.storage, batch, rows)
    return kept


def asked_again(workspace: Workspace, batch: str, questions: Sequence[Question]) -> dict[str, list[str]]:
    """By set-aside batch the loops that ask about its images again; also a batch of which none could be."""
    loops = {question.image: question.loop for question in questions}
    found: dict[str, list[str]] = {}
    for row in read_looked_at(workspace.storage, batch):
        if row.again:
            found.setdefault(row.again, []).extend([loops[row.image]] if row.image in loops else [])
    return found


def _looks(workspace: Workspace, batch: str, rows: Sequence[Row]) -> Iterator[tuple[str, Look]]:
    """What triage has seen of each image, in the order of the rows, if it is still the same one."""
    there = stat_all(workspace.storage, (row.image for row in rows if row.sha256))
    look = Looks(workspace, Contents(workspace, batch))
    for row in rows:
        if row.sha256 is None:  # triaged by an earlier version, which did not look
            seen = next(look([(row.image, row.etag)]), Look(problem=LATE))
        else:
            now = there.get(row.image)
            problem = GONE if now is None else REPLACED if now.etag != row.etag else None
            seen = Look(row.sha256, row.width, row.height, problem)
        yield row.image, seen
    look.check()
