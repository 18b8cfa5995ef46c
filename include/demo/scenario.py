"""The demo, told as it happens: a sample, a first model, then three batches of another domain to learn from.

Drives a running stack from outside, as a person would: DAGs by Airflow's REST API, images and results by S3,
simulated reviewers as processes of their own. `run` gives the summary that the checks are made on.
"""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from include.demo.batch import Batch
from include.demo.checks import BATCHES
from include.demo.log_followers import ReviewFollower, TrainingFollower
from include.demo.progress import Progress
from include.demo.reviewers import Reviewers, make_accounts
from include.demo.samples import DemoSample
from include.demo.summary import BatchFacts, summarise, verdict_in_words
from include.samples.data_set import SampleError
from include.stack import environment, lifecycle
from include.stack.airflow import Airflow, RunFailed, dag_id
from include.stack.settings import BUCKET, PROJECT, StackError, StackSettings

FIRST_DATE = dt.date(2026, 11, 1)
_STAGES = 4 + 2 * BATCHES


class Scenario:
    """One demo: `directory` gets the sample, pictures and reports; the stack's home lies inside it."""

    def __init__(self, sample: DemoSample, settings: StackSettings, directory: Path, seed: int) -> None:
        self._sample = sample
        self._setup, self._initial, self._nightly, self._incremental = (
            dag_id(flow, sample.pipeline)
            for flow in ("review_setup", "initial_training", "nightly_review", "incremental_training")
        )
        self._settings = settings
        self._directory = directory
        self._seed = seed
        self._images = directory / "sample"
        self._accounts = directory / "reviewers.json"
        self.progress = Progress(_STAGES)

    def run(self) -> dict[str, Any]:
        """Run all of it; the summary. Raises StackError or RunFailed when a part of it fails."""
        airflow = self._start()
        dates = [str(FIRST_DATE + dt.timedelta(days=day)) for day in range(BATCHES)]
        pipeline = Batch(self._settings, self._sample.pipeline, dates[0])
        batches = [pipeline.on(date) for date in dates]
        self._prepare(airflow)
        champion = first = self._train_first_model(airflow, batches[0])
        told = []
        for batch in batches:
            facts = self._work_through(airflow, batch, champion)
            champion = facts.after
            told.append(facts)
        with self.progress.stage("report", "fetch the reports, and draw the before and after"):
            self._fetch_reports(batches[-1])
            self._draw(batches[-1], first["training_job"], champion["training_job"])
        summary = summarise(self._seed, told, self._sample.domains)
        summary["endpoint"] = batches[-1].endpoint()
        summary["seconds"] = self.progress.seconds | {"total": round(self.progress.elapsed(), 1)}
        summary["jobs"] = [asdict(job) for job in batches[-1].jobs()]
        return summary

    # ---- before the first batch

    def _start(self) -> Airflow:
        with self.progress.stage("start", "start the local cloud, the review server and Airflow"):
            if lifecycle.down(self._settings):
                self.progress.say("stopped what an earlier demo had left running")
            shutil.rmtree(self._directory, ignore_errors=True)
            try:
                self._sample.fetch()
            except SampleError as error:
                raise StackError(str(error)) from None
            lifecycle.up(self._settings, self.progress.say)
            return Airflow.of(self._settings, self.progress.say)

    def _prepare(self, airflow: Airflow) -> None:
        """The sample in the bucket, and everything that people need: neither waits for the other."""
        sample = self._sample
        place = f"s3://{BUCKET}/{sample.pipeline}/"
        title = (
            f"make a sample, seed {self._seed}, for {place}; set up review: template, team, flow definition"
        )
        command = [
            "--seed", str(self._seed), "--out", str(self._images), "--first-date", str(FIRST_DATE),
            "--train", str(sample.first_images), "--batches", str(BATCHES),
            "--batch-images", str(sample.batch_images), "--bucket", BUCKET, "--pipeline", sample.pipeline,
            "--endpoint-url", self._settings.cloud.url,
        ]  # fmt: skip
        with (
            self.progress.stage("preparation", title),
            subprocess.Popen(  # noqa: S603 -- our own program
                [sys.executable, "-m", sample.module, *command],
                cwd=PROJECT,
                env=environment.inherited()
                | environment.base(self._settings)
                | environment.aws(self._settings),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as drawing,
        ):
            try:
                make_accounts(self._settings, self._accounts)
                airflow.unpause(self._setup)
                airflow.follow(self._setup, airflow.trigger(self._setup))
                told, errors = drawing.communicate()
            except BaseException:
                drawing.kill()
                raise
            if drawing.returncode:
                raise StackError(f"the sample could not be made:\n{errors.strip()}")
            for line in told.splitlines():
                self.progress.say(line)

    def _train_first_model(self, airflow: Airflow, batch: Batch) -> dict[str, Any]:
        """Its champion.json."""
        source = self._sample.domains.source
        with self.progress.stage("initial_training", f"train the first model, {source.words} only"):
            airflow.unpause(self._initial)
            run = airflow.trigger(self._initial)
            airflow.follow(self._initial, run, TrainingFollower(self._sample, batch, self.progress))
            first = batch.champion()
            if first is None:
                raise RunFailed(f"{self._initial} ended without a champion: see the log of its task `gate`")
            self.progress.say(f"the first champion: {self._scores(first)}")
            # Before the asset event, which would start nothing otherwise.
            airflow.unpause(self._incremental)
            airflow.unpause(self._nightly)
        return first

    # ---- a batch

    def _work_through(self, airflow: Airflow, batch: Batch, champion: dict[str, Any]) -> BatchFacts:
        """One batch's review and the training it starts; `champion` is the one before it."""
        known = airflow.runs_by_asset(self._incremental)
        log = self._directory / f"reviewers-{batch.date}.log"
        truth = self._images / "truth.jsonl"
        reviewers = Reviewers(self._settings, truth, self._accounts, self._seed, log)
        try:
            self._review(airflow, batch, reviewers)
            return self._learn(airflow, batch, champion, reviewers, known)
        finally:
            reviewers.stop()

    def _review(self, airflow: Airflow, batch: Batch, reviewers: Reviewers) -> None:
        title = f"the batch of {batch.date}: predict, ask, wait, collect the answers"
        with self.progress.stage("nightly_review", title):
            run = airflow.trigger(self._nightly, batch_date=batch.date)
            airflow.follow(self._nightly, run, ReviewFollower(batch, reviewers, self.progress))
            labels = batch.labels()
            counts = (f"{labels[name]} {name}" for name in ("answers", "labels", "quarantined"))
            self.progress.say(", ".join(counts))

    def _learn(
        self,
        airflow: Airflow,
        batch: Batch,
        champion: dict[str, Any],
        reviewers: Reviewers,
        known: set[str],
    ) -> BatchFacts:
        title = "learn from the answers; the label asset has started it"
        with self.progress.stage("incremental_training", title):
            run = airflow.new_run_by_asset(self._incremental, known)
            airflow.follow(self._incremental, run, TrainingFollower(self._sample, batch, self.progress))
            training_job = (airflow.returned(self._incremental, run, "train") or {}).get("training_job")
            # What people would have needed, as the simulation models it: these do not look, they know.
            work = reviewers.finish()
            pinned = f"runs/dt={batch.date}/batch.json"
            facts = BatchFacts(
                batch_date=batch.date,
                images=sum(part["images"] for part in batch.read_json(pinned)["parts"]),
                labels=batch.labels(),
                loops=batch.human_loops(),
                planned=batch.planned(),
                reviewer_seconds=work["reviewer_seconds"],
                before=champion,
                after=batch.champion() or champion,
                training_job=training_job,
                verdict=batch.verdict(training_job) if training_job else None,
            )
            self.progress.say(f"the gate: {verdict_in_words(facts) or 'was not asked'}")
            self.progress.say(f"the champion now: {self._scores(facts.after)}")
        return facts

    # ---- what is left to look at

    def _fetch_reports(self, batch: Batch) -> None:
        """Copy the reports out of the bucket, so that they can be opened when the stack is down."""
        # The names of the folders are keys of a bucket, and a key may be any text.
        keys = [key for key in batch.keys("reports/") if ".." not in key.split("/")]
        for key in keys:
            batch.download(key, self._directory / key)
        self.progress.say(f"{sum(key.endswith('.html') for key in keys)} pages in reports/")

    def _draw(self, batch: Batch, first: str, last: str) -> None:
        out = self._directory / "pictures"
        out.mkdir(parents=True, exist_ok=True)
        drawn = self._sample.draw(batch, self._sample.domains.target.test_set, first, last, out)
        self.progress.say(f"{len(drawn)} pictures in pictures/")

    def _scores(self, champion: dict[str, Any]) -> str:
        domains = self._sample.domains.both
        scores = (f"{champion['score'][domain.test_set]:.3f} {domain.words}" for domain in domains)
        return f"{champion['metric']} {', '.join(scores)}"
