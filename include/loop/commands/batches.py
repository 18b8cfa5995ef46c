"""What a person asks and says about batches: ``batches``, ``discard-labels``, ``release-labels``."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from typing import Any

from include.loop.commands.base import add_pipeline, workspace_of
from include.loop.core.records.trials import Discard
from include.loop.lineage.text import printable
from include.loop.trials.past import read_standings, release
from include.loop.trials.shards import discard
from include.loop.trials.standing import NEXT, State


def add(commands: Any) -> None:
    _add_batches(commands)
    _add_word(
        commands,
        "discard-labels",
        _discard_labels,
        help="keep a batch's labels from being learned",
        description="No model learns a discarded batch's labels or is measured with them; they stay where "
        "they are. What the command prints says how to take it back, and whether the champion has "
        "learned from them already.",
    )
    _add_word(
        commands,
        "release-labels",
        _release_labels,
        help="let a batch that is suspended or set aside be learned from again",
        description="What was tried with a batch before no longer counts against it: the next round learns "
        "from it together with the others. The gate judges as ever.",
    )


def _add_batches(commands: Any) -> None:
    parser = commands.add_parser(
        "batches",
        help="the batches whose labels the champion has not learned, and why not",
        description="Prints every batch that is not learned: its standing, what was tried with it, and what "
        "happens next. Changes nothing.",
    )
    add_pipeline(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.set_defaults(run=_batches)


def _add_word(commands: Any, name: str, run: Callable[[argparse.Namespace], int], **texts: str) -> None:
    """A command by which a person says something about a batch."""
    parser = commands.add_parser(name, **texts)
    add_pipeline(parser)
    parser.add_argument("shard", metavar="BATCH", help="the batch, for instance 2026-11-01 or 2026-11-01.1")
    parser.add_argument("--why", required=True, metavar="TEXT", help="kept with the batch")
    you = os.environ.get("USER", "somebody at a terminal")
    parser.add_argument("--by", default=you, metavar="NAME", help="who says so; default: you")
    parser.set_defaults(run=run)


def _batches(options: argparse.Namespace) -> int:
    past, found = read_standings(workspace_of(options))
    batches = {
        batch: {
            "standing": str(item.state),
            "reason": item.reason,
            "next": NEXT[item.state],
            "trials": [
                {
                    "training_job": trial.training_job,
                    "batches": list(trial.shards),
                    "outcome": str(trial.outcome),
                }
                | {"at": trial.at.isoformat(), "reasons": list(trial.reasons)}
                for trial in past.trials
                if trial.training_job in item.trials
            ],
        }
        for batch, item in found.items()
    }
    if options.json:
        print(json.dumps({"champion": past.champion, "batches": batches}, indent=2, ensure_ascii=False))
        return 0
    print(f"champion: {past.champion or 'none yet'}")
    if not batches:
        print("There are no batches with labels that it has not learned from.")
    for batch, item in batches.items():
        text = f"{batch:13} {item['standing']:10} {len(item['trials'])} tried  {item['reason']}"
        print(printable(f"{text}; {item['next']}"))
    return 0


def _discard_labels(options: argparse.Namespace) -> int:
    workspace = workspace_of(options)
    word, learned = discard(workspace, options.shard, options.by, options.why)
    print(f"{word.shard}: discarded by {word.by} at {word.at.isoformat()}: {word.why}")
    print(f"To take it back, delete {workspace.storage.uri(Discard.location(word.shard))}")
    if learned:
        name = workspace.pipeline.name
        print(
            f"The champion has learned from these labels: roll back (make rollback PIPELINE={name} NUMBER=…, "
            f"or the DAG deployment__{name}) to a number that has not; dataset.json of a champion's "
            "dataset_id says under `learned` what it knows."
        )
    return 0


def _release_labels(options: argparse.Namespace) -> int:
    word, was = release(workspace_of(options), options.shard, options.by, options.why)
    print(f"{word.shard}: released by {word.by} at {word.at.isoformat()}: {word.why}")
    print(f"It was {was.state}: it {was.reason}. Now {NEXT[State.OPEN]}.")
    return 0
