"""What one batch was: its funnel from images to labels, what it cost, and how sure the model was.

Takes the records of a batch (images, predictions, triage, questions, labels) as they lie in S3, gives its
``BatchFacts``. A batch that never got so far has zeros; a record that cannot be read is noted. Also how far
the scores of a batch have moved from those of others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from include.loop.core import layout, storage
from include.loop.core.records.batch_facts import BatchFacts, ScoreHistogram, ShareFacts
from include.loop.core.records.nightly import (
    Batch,
    LabelSummary,
    Predictions,
    Quarantined,
    QuestionsHeader,
    Started,
)
from include.loop.core.records.triage import Decision, read_frames
from include.loop.live import drift
from include.loop.report.reader import Reader
from include.loop.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

BINS = 10
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# So many earlier batches are shown beside those of a round.
EARLIER = 12
REASONS = 12


def read_batches(
    workspace: Workspace, batches: Sequence[str], known: Mapping[str, BatchFacts], problems: list[str]
) -> tuple[tuple[BatchFacts, ...], tuple[BatchFacts, ...]]:
    """The batches of a round, and the last ones before them.

    Those that are ``known`` and committed will not change any more, and are not read again.
    """
    if not batches:
        return (), ()
    there = layout.batch_folders(workspace.storage.list_folders(layout.RUNS))
    before = [batch for batch in there if batch < batches[0]][-EARLIER:]

    def read(batch: str) -> BatchFacts:
        told = known.get(batch)
        return told if told and told.committed_at else read_batch(workspace, batch, problems)

    found = list(storage.in_parallel(read, [*before, *batches]))
    return tuple(found[len(before) :]), tuple(item for item in found[: len(before)] if item.images)


def read_batch(workspace: Workspace, batch: str, problems: list[str]) -> BatchFacts:
    """Everything of a batch that is there."""
    reader = Reader(workspace.storage, problems)
    pinned = reader.find(Batch, batch)
    predicted = reader.find(Predictions, batch)
    header = reader.find(QuestionsHeader, batch)
    started = reader.find(Started, batch)
    summary = reader.find(LabelSummary, batch)
    triaged = _triaged(workspace, batch, problems)
    lines = reader.values(layout.labels_manifest(batch)) if summary else []
    # A label that serves several images with the same bytes is one.
    labels = {line.get("loop", number): line for number, line in enumerate(lines)}.values()
    refused = reader.lines(Quarantined, batch) if summary else []
    committed = workspace.storage.modified_at(layout.summary_file(batch)) if summary else None
    labelled = {line.get("loop") for line in labels if line.get("batch") == batch} - {None}
    own = labelled | {line.loop for line in refused if (line.worker or line.said) and line.batch == batch}
    # A label may be of copies of the image that was asked about, too.
    loops = {
        line.get("loop"): line["source-ref"] for line in lines if line.get("source-ref") in triaged.asked
    }
    loops |= {line.loop: line.image for line in refused}
    counts = summary or LabelSummary(batch=batch, labels=0)
    return BatchFacts(
        batch=batch,
        champion=pinned.champion.training_job if pinned and pinned.champion else None,
        backfill=bool(pinned and pinned.backfill),
        images=pinned.image_count if pinned else counts.labels,  # of an import, which nobody has pinned
        predicted=predicted.predicted if predicted else 0,
        asked=header.asked if header else 0,
        audits=triaged.audits,
        answered=len(own - {None}),
        labels=counts.labels,
        late=sum(line.get("batch") != batch for line in labels),
        negatives=counts.negatives,
        answers=counts.answers,
        open=len(counts.open_loops),
        quarantined=counts.quarantined,
        disagreed=counts.disagreed,
        reasons=_reasons(line.reason for line in refused),
        reviewer_seconds=counts.reviewer_seconds,
        expected_seconds=triaged.expected_seconds,
        dollars=counts.reviewer_seconds / 3600 * workspace.pipeline.review.dollars_per_hour,
        asked_at=started.started_at if started else "",
        committed_at=committed.isoformat(timespec="seconds") if committed else "",
        flow_definition=header.flow_definition_arn if header else "",
        prelabels=header.prelabels if header else None,
        shares=_shares(triaged.asked, *([loops.get(one) for one in some] for some in (own, labelled))),
        scores=make_scores(triaged.top_scores),
    )


def _shares(
    asked: Mapping[str, tuple[str, float]],
    answered: Iterable[str | None],
    labelled: Iterable[str | None],
) -> tuple[ShareFacts, ...]:
    """By share what became of the images that it asked about: ``asked`` has the share and the expected
    seconds of each.
    """
    answers, labels = (
        Counter(asked[image][0] for image in some if image is not None and image in asked)
        for some in (answered, labelled)
    )
    return tuple(
        ShareFacts(
            share=share,
            asked=count,
            answered=answers[share],
            labels=labels[share],
            expected_seconds=round(sum(seconds for name, seconds in asked.values() if name == share), 1),
        )
        for share, count in Counter(share for share, _ in asked.values()).most_common()
    )


def _reasons(reasons: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """The most frequent reasons, each with its number; what does not fit is the last one."""
    found = Counter(reasons).most_common()
    if len(found) > REASONS:
        found = [*found[: REASONS - 1], ("another reason", sum(n for _, n in found[REASONS - 1 :]))]
    return tuple(found)


def make_scores(values: Iterable[float]) -> ScoreHistogram | None:
    """Histogram and quantiles of scores from 0 to 1; None of none."""
    ordered = sorted(min(max(value, 0.0), 1.0) for value in values)
    if not ordered:
        return None
    histogram = [0] * BINS
    for value in ordered:
        histogram[min(int(value * BINS), BINS - 1)] += 1
    quantiles = (round(ordered[round(level * (len(ordered) - 1))], 4) for level in QUANTILES)
    return ScoreHistogram(histogram=tuple(histogram), quantiles=tuple(quantiles))


def stability_index(one: ScoreHistogram, others: Sequence[ScoreHistogram]) -> tuple[float, float] | None:
    """How far one batch's scores lie from those of others together, and how far chance alone would take them
    (live/drift.py); None without others.
    """
    import numpy as np

    if not any(item.count for item in others):
        return None
    pooled = np.array([item.histogram for item in others]).sum(axis=0)
    index, chance = drift.stability_index(np.array(one.histogram), pooled)
    return float(index), float(chance)


@dataclass(frozen=True)
class _Triaged:
    top_scores: tuple[float, ...] = ()
    audits: int = 0
    expected_seconds: float = 0.0
    asked: Mapping[str, tuple[str, float]] = field(default_factory=dict)


def _triaged(workspace: Workspace, batch: str, problems: list[str]) -> _Triaged:
    from pyarrow import ArrowException

    columns = ["image", "top_score", "decision", "reason", "expected_seconds", "share"]
    found = _Triaged()
    try:
        for table in read_frames(workspace.storage, batch, columns):
            asked = table[table["decision"] == Decision.ASK]
            found = _Triaged(
                top_scores=(*found.top_scores, *map(float, table["top_score"].dropna())),
                audits=found.audits + int((asked["reason"] == "audit").sum()),
                expected_seconds=found.expected_seconds + float(table["expected_seconds"].sum()),
                asked={**found.asked, **_asked(asked)},
            )
    except FileNotFoundError:
        return _Triaged()
    except (ArrowException, ValueError) as error:
        problems.append(f"{layout.triage_file(batch)} cannot be read: {error}")
        return _Triaged()
    return found


def _asked(rows: pd.DataFrame) -> dict[str, tuple[str, float]]:
    """By image, for which share it was asked about, and its expected seconds; none of earlier versions."""
    known = rows[rows["share"].notna()]
    columns = (known[name].tolist() for name in ("image", "share", "expected_seconds"))
    return {image: (share, seconds) for image, share, seconds in zip(*columns, strict=True)}
