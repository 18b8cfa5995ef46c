"""Which images of a batch people should look at, and what that will take.

Takes the batch's predictions, gives its triage: one row per image with decision, reason, and the expected
seconds and dollars. Each part is weighed alone (``triage_part``), by whoever is free; ``decide`` then merges
their candidates: the pipeline's strategies raise doubts, a small random share is audited whatever the model
says, and a cap bounds the batch. Without a champion the choice is diverse, or random. The bytes of every
image that is to be asked about are read first (looks.py): what nobody can see is not asked, and the same
bytes are asked once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from include.loop.config import TriageSettings
from include.loop.core import layout
from include.loop.core.records.nightly import Batch
from include.loop.core.records.parts import part_count, read_images
from include.loop.core.records.triage import (
    Decision,
    Row,
    TriageSummary,
    frame_of,
    read_looked_at,
    read_ranks,
    write_looked_at,
    write_part,
)
from include.loop.core.storage import Storage
from include.loop.nightly.batch import read_batch
from include.loop.nightly.budget import find_budget
from include.loop.nightly.candidates import candidates_of
from include.loop.nightly.choosing import Show, ask, scores_of, weigh, weigh_blindly, with_cost
from include.loop.nightly.class_weights import read_weights
from include.loop.nightly.contents import Contents
from include.loop.nightly.effort import Estimate, read_estimate
from include.loop.nightly.looks import Looks
from include.loop.nightly.predictions import Predicted, read_predictions
from include.loop.nightly.references import read_references
from include.loop.strategies import AUDIT, ImageScores, find_strategy
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class TriagedPart:
    """How many images of a part there are, and about how many people might be asked."""

    batch: str
    part: int
    images: int
    candidates: int
    unreadable: int


@dataclass(frozen=True)
class TriagedBatch:
    """How many images there are (without those that are asked ``again``), what was decided about how many,
    and what asking will take: nine times of ten it is no more and no less than by the share ``spread``, told
    from so many earlier ``answers`` (0 and None: from the settings alone); ``budget`` is the seconds that
    there were.
    ``blind`` says how they were chosen where no model could say anything.
    """

    batch: str
    images: int
    ask: int
    skip: int
    unreadable: int
    audit: int
    again: int
    blind: str
    expected_seconds: float
    expected_dollars: float
    triage_uri: str
    spread: float | None = None
    answers: int = 0
    budget: float | None = None


def triage(
    workspace: Workspace, batch: str, threshold: float | None = None, cap: int | None = None
) -> TriagedBatch:
    """Every part, one after the other, and the decision."""
    for part in range(part_count(read_batch(workspace, batch))):
        triage_part(workspace, batch, part, threshold, cap)
    return decide(workspace, batch, threshold, cap)


def triage_part(
    workspace: Workspace, batch: str, part: int, threshold: float | None = None, cap: int | None = None
) -> TriagedPart:
    """Weigh the images of a part.

    ``threshold`` and ``cap`` take the place of the pipeline's for this batch; all parts and ``decide`` must
    be given the same. Decisions are final as soon as the questions are written; until then (a plan, a crash)
    they are made anew.
    """
    storage = workspace.storage
    if not storage.exists(layout.questions_header(batch)):
        pinned = read_batch(workspace, batch)
        settings = _settings(workspace, threshold, cap)
        if pinned.champion is None:  # nothing was tried, so no batch is set aside
            weighed = weigh_blindly(read_images(storage, pinned, part), settings)
        else:
            show = show_of(workspace, pinned, part, settings)
            weighed = weigh(
                read_predictions(workspace, pinned, part),
                settings,
                show,
                workspace.pipeline.review.prelabel_threshold,
            )
        write_part(storage, batch, part, weighed, list(settings.shares)[1:])
    ranks = read_ranks(storage, batch, part)
    return TriagedPart(
        batch=batch,
        part=part,
        images=len(ranks),
        candidates=int(ranks["doubt"].notna().sum()),
        unreadable=int((ranks["decision"] == Decision.UNREADABLE).sum()),
    )


def decide(
    workspace: Workspace, batch: str, threshold: float | None = None, cap: int | None = None
) -> TriagedBatch:
    """Choose among the candidates of all parts; the counts of the decisions. Fatal before every part is
    weighed.
    """
    storage = workspace.storage
    if not storage.exists(layout.questions_header(batch)):
        pinned = read_batch(workspace, batch)
        settings = _settings(workspace, threshold, cap)
        candidates = candidates_of(workspace, pinned, settings)
        review = workspace.pipeline.review
        # What answers took that began with a model's boxes says nothing of those that begin with none.
        estimate = Estimate.of(review) if pinned.champion is None else read_estimate(workspace)

        def price(row: Row) -> Row:
            return with_cost(row, estimate.seconds(row.shown), review)

        budget = find_budget(workspace, batch)
        look = Looks(workspace, Contents(workspace, batch))
        rows = ask(candidates, settings.cap, look, price, budget, candidates.give_back)
        look.check()
        write_looked_at(storage, batch, rows)
        asked = [row for row in rows if row.decision is Decision.ASK]
        spread = estimate.spread(sum(row.expected_seconds for row in asked), len(asked) * review.task_count)
        audits = None if pinned.champion is None else settings.audit_share
        known = {"audit_share": audits, "answers": estimate.answers, "spread": spread, "budget": budget}
        _summary(storage, pinned).model_copy(update=known).write(storage, batch)
    found = find_counts(storage, batch)
    if found is None:
        raise FileNotFoundError(f"no object at {storage.uri(layout.triage_file(batch))}")
    return found


def find_counts(storage: Storage, batch: str) -> TriagedBatch | None:
    """The counts of the decisions, None before they are made."""
    if not storage.exists(layout.triage_file(batch)):
        return None
    table = frame_of(read_looked_at(storage, batch))
    own = table[table["again"].isna()]
    # Version 1 has no summary: every image is in the table.
    rest = TriageSummary.find(storage, batch) or TriageSummary(parts=0, images=len(own), unreadable=0)
    unreadable = rest.unreadable + int((own["decision"] == Decision.UNREADABLE).sum())
    asked = table[table["decision"] == Decision.ASK]
    return TriagedBatch(
        batch=batch,
        images=rest.images,
        ask=len(asked),
        skip=rest.images - unreadable - int(asked["again"].isna().sum()),
        unreadable=unreadable,
        audit=int((asked["reason"] == AUDIT).sum()),
        again=int(asked["again"].notna().sum()),
        blind=next(iter(asked.loc[asked["top_score"].isna() & asked["again"].isna(), "reason"]), ""),
        expected_seconds=round(float(table["expected_seconds"].sum()), 1),
        expected_dollars=round(float(table["expected_dollars"].sum()), 2),
        triage_uri=storage.uri(layout.triage_file(batch)),
        spread=rest.spread,
        answers=rest.answers,
        budget=rest.budget,
    )


def _settings(workspace: Workspace, threshold: float | None, cap: int | None) -> TriageSettings:
    given = {"threshold": threshold, "cap": cap}
    changes = {name: value for name, value in given.items() if value is not None}
    return workspace.pipeline.triage.model_copy(update=changes)


def _summary(storage: Storage, pinned: Batch) -> TriageSummary:
    decisions = (read_ranks(storage, pinned.batch, part)["decision"] for part in range(part_count(pinned)))
    return TriageSummary(
        parts=part_count(pinned),
        images=pinned.image_count,
        unreadable=sum(int((some == Decision.UNREADABLE).sum()) for some in decisions),
    )


def show_of(workspace: Workspace, pinned: Batch, part: int, settings: TriageSettings) -> Show:
    """The scores in the light of the pipeline: its classes, what they weigh, and what is known of images."""
    pipeline, references = workspace.pipeline, {}
    weights: tuple[float, ...] = ()
    if pinned.champion and any(find_strategy(name).weights for name in settings.shares):
        weights = read_weights(workspace, pinned.champion.training_job)
    if settings.references:
        images = {image.uri for image in read_images(workspace.storage, pinned, part)}
        references = read_references(workspace, settings.references, images)

    def show(prediction: Predicted) -> ImageScores:
        known = references.get(prediction.uri)
        scores = replace(
            scores_of(prediction),
            multi_label=pipeline.multi_label,
            classes=pipeline.classes,
            exclusive=pipeline.one_label,
            weights=weights,
        )
        if isinstance(known, frozenset):
            return replace(scores, reference=known)
        return replace(scores, no_reference=known) if known else scores

    return show
