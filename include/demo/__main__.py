"""`make demo`: starts the stack, trains a first model by day, runs one night of review, and compares.

Works as a person would, with simulated reviewers: it signs in to Airflow, triggers the DAGs and watches them,
puts images into the bucket and reads the results from there. DEMO_SEED changes every image; KEEP=1 leaves the
stack running. The exit code says whether the promises of `promises.py` were kept.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

from include.demo import pictures, promises
from include.demo.airflow import Airflow, RunFailed
from include.demo.night import Night
from include.demo.progress import Progress
from include.demo.reviewers import Reviewers, make_accounts
from include.demo.table import table
from include.demo.watch import ReviewWatch, TrainingWatch
from include.stack import environment, lifecycle
from include.stack.secrets import ADMINISTRATOR, load_or_create
from include.stack.settings import BUCKET, PROJECT, StackError, StackSettings

PIPELINE = "digits"
BATCH_DATE = "2026-11-01"
STAGES = 7


def main() -> int:
    try:
        seed = int(os.environ.get("DEMO_SEED") or 7)
        outer = StackSettings.from_environment()
    except (ValueError, StackError) as error:
        print(f"DEMO_SEED is a whole number, the ports are numbers: {error}", file=sys.stderr)
        return 1
    keep = os.environ.get("KEEP", "") not in ("", "0")
    directory = outer.home / "demo"
    settings = replace(outer, home=directory / "home")  # apart from the state of `make up`, and new each time
    progress = Progress(STAGES)
    summary, interrupted = None, False
    try:
        with lifecycle.interruptible():
            summary = _run(settings, directory, seed, progress)
    except (StackError, RunFailed, FileNotFoundError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        interrupted = True
        print("\ninterrupted", file=sys.stderr)
    finally:
        if interrupted or not keep:
            progress.say("stopping what the demo started")
            lifecycle.down(settings)
    code = _verdict(summary, directory) if summary else 1
    if keep and not interrupted and lifecycle.is_up(settings):
        print(f"\nLeft running. Stop it with `make down`.\n{lifecycle.addresses(settings)}")
    return 130 if interrupted else code


def _run(settings: StackSettings, directory: Path, seed: int, progress: Progress) -> dict[str, object]:
    with progress.stage("start", "start the local cloud, the review server and Airflow"):
        if lifecycle.down(settings):
            progress.say("stopped what an earlier demo had left running")
        shutil.rmtree(directory, ignore_errors=True)
        lifecycle.up(settings, progress.say)
        airflow = Airflow(
            settings.airflow.url,
            ADMINISTRATOR,
            load_or_create(settings).password,
            settings.logs / "tasks",
            progress.say,
        )
        airflow.sign_in()
        night = Night(settings, PIPELINE, BATCH_DATE)

    sample = directory / "sample"
    with progress.stage("sample", f"draw the sample, seed {seed}, and put it into s3://{BUCKET}/{PIPELINE}/"):
        _make_sample(settings, sample, seed, progress)

    with progress.stage("review_setup", "set up human review: bucket, template, team, flow definition"):
        credentials = directory / "reviewers.json"
        make_accounts(settings, credentials)
        airflow.unpause("review_setup")
        airflow.follow("review_setup", airflow.trigger("review_setup"))

    with progress.stage("initial_training", "train the first model, on day scenes only"):
        airflow.unpause("initial_training")
        airflow.follow(
            "initial_training", airflow.trigger("initial_training"), TrainingWatch(night, progress)
        )
        first = night.champion()
        if first is None:
            raise RunFailed("initial_training ended without a champion: see the log of its task `promote`")
        progress.say(f"the first champion: {_metrics(first)}")

    reviewers = Reviewers(settings, sample / "truth.jsonl", credentials, seed, directory / "reviewers.log")
    try:
        with progress.stage(
            "nightly_review", f"the night of {BATCH_DATE}: predict, ask, wait, collect the answers"
        ):
            airflow.unpause("incremental_training")  # before the bell, which nobody would hear otherwise
            airflow.unpause("nightly_review")
            run = airflow.trigger("nightly_review", batch_date=BATCH_DATE)
            airflow.follow("nightly_review", run, ReviewWatch(night, reviewers, progress))
            labels = night.labels()
            counts = (f"{labels[name]} {name}" for name in ("answers", "labels", "quarantined"))
            progress.say(", ".join(counts))
        with progress.stage(
            "incremental_training", "learn from the answers; the label asset has rung for it"
        ):
            airflow.follow(
                "incremental_training",
                airflow.run_rung_by_asset("incremental_training"),
                TrainingWatch(night, progress),
            )
            champion = night.champion() or first
            progress.say(f"the champion now: {_metrics(champion)}")
            work = reviewers.finish()
            progress.say(f"the reviewers went home after {work['answers']} answers")
    finally:
        reviewers.stop()

    with progress.stage("report", "measure, and draw the before and after"):
        summary = _summary(night, seed, first, champion)
        # What people would have needed, as the simulation models it: these reviewers do not look, they know.
        summary["reviewer_seconds"] = work["reviewer_seconds"]
        trained = [job.name for job in night.jobs() if job.kind == "training"]
        drawn = _draw(night, trained, directory / "pictures")
        progress.say(f"{len(drawn)} pictures in {_shown(directory / 'pictures')}")
    summary["seconds"] = progress.seconds | {"total": round(progress.elapsed(), 1)}
    (directory / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    return summary


def _make_sample(settings: StackSettings, out: Path, seed: int, progress: Progress) -> None:
    command = ["--seed", str(seed), "--out", str(out), "--first-date", BATCH_DATE, "--bucket", BUCKET]
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "include.samples.digit_scenes",
            *command,
            "--endpoint-url",
            settings.cloud.url,
        ],
        cwd=PROJECT,
        env=environment.inherited() | environment.base(settings) | environment.aws(settings),
        capture_output=True,
        text=True,
    )
    if result.returncode:
        raise StackError(f"the sample could not be made:\n{result.stderr.strip()}")
    for line in result.stdout.splitlines():
        progress.say(line)


def _summary(night: Night, seed: int, first: dict, champion: dict) -> dict[str, object]:
    labels = night.labels()
    return {
        "seed": seed,
        "batch_date": night.date,
        "images": len(night.read_json(f"runs/dt={night.date}/batch.json")["images"]),
        "reviewed": labels["asked"],
        "answers": labels["answers"],
        "labels": labels["labels"],
        "quarantined": labels["quarantined"],
        "human_loops": night.human_loops(),
        "map50": {
            light: {
                "before": round(first["metrics"][light], 4),
                "after": round(champion["metrics"][light], 4),
            }
            for light in ("day", "night")
        },
        "promoted": champion["number"] > first["number"],
        "reviewer_seconds": labels["reviewer_seconds"],
        "seconds": {},
        "jobs": [asdict(job) for job in night.jobs()],
    }


def _draw(night: Night, trained: list[str], out: Path) -> list[Path]:
    out.mkdir(parents=True, exist_ok=True)
    before, after = (f"evaluations/{job}/" for job in (trained[0], trained[-1]))
    return pictures.draw(night, "night", before, after, out)


def _metrics(champion: dict) -> str:
    return ", ".join(
        f"mAP@0.5 {value:.3f} by {light}" for light, value in sorted(champion["metrics"].items())
    )


def _verdict(summary: dict[str, object], directory: Path) -> int:
    print(f"\n{table(summary)}\n\n  {_shown(directory / 'summary.json')}   {_shown(directory / 'pictures')}/")
    if not (unkept := promises.broken(summary)):
        print("\nEvery promise was kept.")
        return 0
    print("\nNot kept:\n" + "\n".join(f"  - {promise}" for promise in unkept), file=sys.stderr)
    return 1


def _shown(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


if __name__ == "__main__":
    sys.exit(main())
