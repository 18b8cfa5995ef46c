"""The demo's story, told as it happens: a sample, a first model by day, then three nights of learning.

Drives a running stack from outside, as a person would: DAGs by Airflow's REST API, images and results by S3,
simulated reviewers as processes of their own. `tell` gives the summary that the promises are checked on.
"""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from include.demo import pictures
from include.demo.checks import NIGHTS
from include.demo.log_followers import ReviewWatch, TrainingWatch
from include.demo.night import Night
from include.demo.progress import Progress
from include.demo.reviewers import Reviewers, make_accounts
from include.demo.summary import NightFacts, summarise, verdict_in_words
from include.stack import environment, lifecycle
from include.stack.airflow import Airflow, RunFailed, dag_id
from include.stack.settings import BUCKET, PROJECT, StackError, StackSettings

PIPELINE = "digits"
REVIEW_SETUP, INITIAL_TRAINING, NIGHTLY_REVIEW, INCREMENTAL_TRAINING = (
    dag_id(flow, PIPELINE)
    for flow in ("review_setup", "initial_training", "nightly_review", "incremental_training")
)
FIRST_DATE = dt.date(2026, 11, 1)
NIGHT_IMAGES = 200
_STAGES = 5 + 2 * NIGHTS


class Story:
    """One demo: `directory` gets the sample, pictures and reports; the stack's home lies inside it."""

    def __init__(self, settings: StackSettings, directory: Path, seed: int) -> None:
        self._settings = settings
        self._directory = directory
        self._seed = seed
        self._sample = directory / "sample"
        self._accounts = directory / "reviewers.json"
        self.progress = Progress(_STAGES)

    def tell(self) -> dict[str, Any]:
        """Run all of it; the summary. Raises StackError or RunFailed when a part of it fails."""
        airflow = self._start()
        dates = [str(FIRST_DATE + dt.timedelta(days=day)) for day in range(NIGHTS)]
        nights = [Night(self._settings, PIPELINE, date) for date in dates]
        self._make_sample()
        self._set_up_review(airflow)
        champion = first = self._train_first_model(airflow, nights[0])
        told = []
        for night in nights:
            facts = self._live_through(airflow, night, champion)
            champion = facts.after
            told.append(facts)
        with self.progress.stage("report", "fetch the reports, and draw the before and after"):
            self._fetch_reports(nights[-1])
            self._draw(nights[-1], first["training_job"], champion["training_job"])
        summary = summarise(self._seed, told)
        summary["endpoint"] = nights[-1].endpoint()
        summary["seconds"] = self.progress.seconds | {"total": round(self.progress.elapsed(), 1)}
        summary["jobs"] = [asdict(job) for job in nights[-1].jobs()]
        return summary

    # ---- before the first night

    def _start(self) -> Airflow:
        with self.progress.stage("start", "start the local cloud, the review server and Airflow"):
            if lifecycle.down(self._settings):
                self.progress.say("stopped what an earlier demo had left running")
            shutil.rmtree(self._directory, ignore_errors=True)
            lifecycle.up(self._settings, self.progress.say)
            return Airflow.of(self._settings, self.progress.say)

    def _make_sample(self) -> None:
        title = f"draw the sample, seed {self._seed}, and put it into s3://{BUCKET}/{PIPELINE}/"
        command = [
            "--seed", str(self._seed), "--out", str(self._sample), "--first-date", str(FIRST_DATE),
            "--nights", str(NIGHTS), "--night-images", str(NIGHT_IMAGES),
            "--bucket", BUCKET, "--pipeline", PIPELINE, "--endpoint-url", self._settings.cloud.url,
        ]  # fmt: skip
        with self.progress.stage("sample", title):
            result = subprocess.run(  # noqa: S603 -- our own program
                [sys.executable, "-m", "include.samples.digit_scenes", *command],
                cwd=PROJECT,
                env=environment.inherited()
                | environment.base(self._settings)
                | environment.aws(self._settings),
                capture_output=True,
                text=True,
            )
            if result.returncode:
                raise StackError(f"the sample could not be made:\n{result.stderr.strip()}")
            for line in result.stdout.splitlines():
                self.progress.say(line)

    def _set_up_review(self, airflow: Airflow) -> None:
        title = "set up human review: bucket, template, team, flow definition"
        with self.progress.stage("review_setup", title):
            make_accounts(self._settings, self._accounts)
            airflow.unpause(REVIEW_SETUP)
            airflow.follow(REVIEW_SETUP, airflow.trigger(REVIEW_SETUP))

    def _train_first_model(self, airflow: Airflow, night: Night) -> dict[str, Any]:
        """Its champion.json."""
        with self.progress.stage("initial_training", "train the first model, on day scenes only"):
            airflow.unpause(INITIAL_TRAINING)
            run = airflow.trigger(INITIAL_TRAINING)
            airflow.follow(INITIAL_TRAINING, run, TrainingWatch(night, self.progress))
            first = night.champion()
            if first is None:
                raise RunFailed(
                    f"{INITIAL_TRAINING} ended without a champion: see the log of its task `gate`"
                )
            self.progress.say(f"the first champion: {_metrics(first)}")
            airflow.unpause(
                INCREMENTAL_TRAINING
            )  # before the asset event, which would start nothing otherwise
            airflow.unpause(NIGHTLY_REVIEW)
        return first

    # ---- a night

    def _live_through(self, airflow: Airflow, night: Night, champion: dict[str, Any]) -> NightFacts:
        """One night's review and the training it starts; `champion` is the one before it."""
        known = airflow.runs_by_asset(INCREMENTAL_TRAINING)
        log = self._directory / f"reviewers-{night.date}.log"
        truth = self._sample / "truth.jsonl"
        reviewers = Reviewers(self._settings, truth, self._accounts, self._seed, log)
        try:
            self._review(airflow, night, reviewers)
            return self._learn(airflow, night, champion, reviewers, known)
        finally:
            reviewers.stop()

    def _review(self, airflow: Airflow, night: Night, reviewers: Reviewers) -> None:
        title = f"the night of {night.date}: predict, ask, wait, collect the answers"
        with self.progress.stage("nightly_review", title):
            run = airflow.trigger(NIGHTLY_REVIEW, batch_date=night.date)
            airflow.follow(NIGHTLY_REVIEW, run, ReviewWatch(night, reviewers, self.progress))
            labels = night.labels()
            counts = (f"{labels[name]} {name}" for name in ("answers", "labels", "quarantined"))
            self.progress.say(", ".join(counts))

    def _learn(
        self,
        airflow: Airflow,
        night: Night,
        champion: dict[str, Any],
        reviewers: Reviewers,
        known: set[str],
    ) -> NightFacts:
        title = "learn from the answers; the label asset has started it"
        with self.progress.stage("incremental_training", title):
            run = airflow.new_run_by_asset(INCREMENTAL_TRAINING, known)
            airflow.follow(INCREMENTAL_TRAINING, run, TrainingWatch(night, self.progress))
            training_job = (airflow.returned(INCREMENTAL_TRAINING, run, "train") or {}).get("training_job")
            # What people would have needed, as the simulation models it: these do not look, they know.
            work = reviewers.finish()
            facts = NightFacts(
                batch_date=night.date,
                images=len(night.read_json(f"runs/dt={night.date}/batch.json")["images"]),
                labels=night.labels(),
                loops=night.human_loops(),
                reviewer_seconds=work["reviewer_seconds"],
                before=champion,
                after=night.champion() or champion,
                training_job=training_job,
                verdict=night.verdict(training_job) if training_job else None,
            )
            self.progress.say(f"the gate: {verdict_in_words(facts) or 'was not asked'}")
            self.progress.say(f"the champion now: {_metrics(facts.after)}")
        return facts

    # ---- what is left to look at

    def _fetch_reports(self, night: Night) -> None:
        """Copy the reports out of the bucket, so that they can be opened when the stack is down."""
        # The names of the folders are keys of a bucket, and a key may be any text.
        keys = [key for key in night.keys("reports/") if ".." not in key.split("/")]
        for key in keys:
            night.download(key, self._directory / key)
        self.progress.say(f"{sum(key.endswith('.html') for key in keys)} pages in reports/")

    def _draw(self, night: Night, first: str, last: str) -> None:
        out = self._directory / "pictures"
        out.mkdir(parents=True, exist_ok=True)
        drawn = pictures.draw(night, "night", first, last, out)
        self.progress.say(f"{len(drawn)} pictures in pictures/")


def _metrics(champion: dict[str, Any]) -> str:
    return ", ".join(f"mAP@0.5 {champion['metrics'][light]:.3f} by {light}" for light in ("day", "night"))
