"""What automated labeling saves, and what its labels are worth: one labeling job of digit classes.

    python -m benchmarks.auto_labeling --images 1500 --workers 3

A local cloud of its own, three simulated reviewers who answer through the worker's interface, and a labeling
job with an algorithm: its models are really trained and asked. Prints a row for each of people and machine,
the threshold of each round, and dollars beside those of a job that people label alone. It takes a quarter of
an hour on two cores.
"""

from __future__ import annotations

import argparse
import io
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from include.loop.analysis.costs import Prices, ledger
from include.samples.digits import CLASSES
from include.samples.scenes import draw_single
from tests.support.cloud import ROLE, LocalCloud

BUCKET, TEAM, JOB, ATTRIBUTE = "auto-labeling", "reviewers", "digits", "digit"
SEED = 7
FUNCTIONS = "arn:aws:lambda:us-east-1:432418664414:function"
ALGORITHM = (
    "arn:aws:sagemaker:us-east-1:027400017018:labeling-job-algorithm-specification/image-classification"
)
TEMPLATE = Path("include/pipelines/templates/labeling/image-classification.liquid.html")
# The published suggestions for classes: the service's fee for each object, and each answer of a worker.
PRICES = Prices(service=0.08, answer=0.012)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--workers", type=int, default=3, help="people who answer about each image")
    parser.add_argument("--batch", type=int, default=300, help="MaxConcurrentTaskCount")
    parser.add_argument("--mislabelled", type=float, default=0.02, help="share of answers that are wrong")
    options = parser.parse_args()
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="nightloop-auto-") as folder,
        LocalCloud(Path(folder) / "cloud") as cloud,
    ):
        truth = _images(cloud, options.images)
        lines = "".join(
            json.dumps({"source-ref": source, "class": name}) + "\n" for source, name in truth.items()
        )
        (Path(folder) / "truth.jsonl").write_text(lines)
        with _reviewers(cloud, Path(folder), options) as reviewers:
            job = _label(cloud, options)
            answers = reviewers()
        _tell(cloud, job, truth, answers, time.monotonic() - began)
    return 0 if job["LabelingJobStatus"] == "Completed" else 1


def _images(cloud: LocalCloud, count: int) -> dict[str, str]:
    """Pictures of one digit by day, in S3 with their manifest; what each shows, by its URI."""
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}
    s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [rule]})
    truth = {}
    for number in range(count):
        scene, stream = draw_single("day", "learning", SEED, number), io.BytesIO()
        Image.fromarray(scene.pixels).save(stream, "JPEG", quality=92, subsampling=0)
        s3.put_object(Bucket=BUCKET, Key=f"in/{number:05}.jpg", Body=stream.getvalue())
        truth[f"s3://{BUCKET}/in/{number:05}.jpg"] = scene.boxes[0].label
    _put(cloud, "input.manifest", "".join(json.dumps({"source-ref": source}) + "\n" for source in truth))
    _put(cloud, "labels.json", json.dumps({"labels": [{"label": name} for name in CLASSES]}))
    _put(cloud, "template.liquid.html", TEMPLATE.read_text(encoding="utf-8"))
    return truth


@contextmanager
def _reviewers(cloud: LocalCloud, folder: Path, options: argparse.Namespace) -> Iterator[Any]:
    """People at work; called, they go home, and it gives their summary."""
    credentials = folder / "reviewers.json"
    for number in range(options.workers):
        command = ["members", "add", f"reviewer-{number}", "--team", TEAM, "--data", str(cloud.data)]
        subprocess.run(  # noqa: S603 -- our own program
            [sys.executable, "-m", "include.review_server", *command, "--credentials", str(credentials)],
            capture_output=True,
            check=True,
        )
    process = subprocess.Popen(  # noqa: S603 -- our own program
        [
            sys.executable, "-m", "include.samples.reviewers", "--review-url", cloud.review_url,
            "--truth", str(folder / "truth.jsonl"), "--credentials", str(credentials),
            "--workers", str(options.workers), "--mislabelled", str(options.mislabelled), "--seed", str(SEED),
        ],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip

    def home() -> dict[str, Any]:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
        return dict(json.loads(said.strip().split("\n")[-1]))

    try:
        yield home
    finally:
        process.kill()


def _label(cloud: LocalCloud, options: argparse.Namespace) -> dict[str, Any]:
    """The labeling job, from its creation to its end."""
    sagemaker = cloud.client("sagemaker")
    team = sagemaker.create_workteam(
        WorkteamName=TEAM,
        Description="reviewers",
        MemberDefinitions=[{"OidcMemberDefinition": {"Groups": [TEAM]}}],
    )["WorkteamArn"]
    sagemaker.create_labeling_job(
        LabelingJobName=JOB,
        LabelAttributeName=ATTRIBUTE,
        InputConfig={"DataSource": {"S3DataSource": {"ManifestS3Uri": f"s3://{BUCKET}/input.manifest"}}},
        OutputConfig={"S3OutputPath": f"s3://{BUCKET}/out/"},
        RoleArn=ROLE,
        LabelCategoryConfigS3Uri=f"s3://{BUCKET}/labels.json",
        LabelingJobAlgorithmsConfig={"LabelingJobAlgorithmSpecificationArn": ALGORITHM},
        HumanTaskConfig={
            "WorkteamArn": team,
            "UiConfig": {"UiTemplateS3Uri": f"s3://{BUCKET}/template.liquid.html"},
            "PreHumanTaskLambdaArn": f"{FUNCTIONS}:PRE-ImageMultiClass",
            "AnnotationConsolidationConfig": {
                "AnnotationConsolidationLambdaArn": f"{FUNCTIONS}:ACS-ImageMultiClass"
            },
            "TaskTitle": "Name the digit",
            "TaskDescription": "Choose the digit that the picture shows",
            "NumberOfHumanWorkersPerDataObject": options.workers,
            "TaskTimeLimitInSeconds": 300,
            "MaxConcurrentTaskCount": options.batch,
        },
    )
    told = None
    while True:
        job: dict[str, Any] = sagemaker.describe_labeling_job(LabelingJobName=JOB)
        counters = job["LabelCounters"]
        now = (job["LabelingJobStatus"], counters["HumanLabeled"], counters["MachineLabeled"])
        if now != told:
            print(
                f"{time.strftime('%H:%M:%S')} {now[0]}: {now[1]} by people, {now[2]} by machine", flush=True
            )
            told = now
        if now[0] in ("Completed", "Failed", "Stopped"):
            return job
        time.sleep(2)


def _tell(
    cloud: LocalCloud, job: dict[str, Any], truth: dict[str, str], reviewers: dict[str, Any], seconds: float
) -> None:
    if reason := job.get("FailureReason"):
        print(f"failed: {reason}")
        return
    s3 = cloud.client("s3")
    right: Counter[str] = Counter()
    labelled: Counter[str] = Counter()
    for line in _read(s3, job["LabelingJobOutput"]["OutputDatasetS3Uri"]).split("\n"):
        if line and ATTRIBUTE in (record := json.loads(line)):
            who = "people" if record[f"{ATTRIBUTE}-metadata"]["human-annotated"] == "yes" else "machine"
            labelled[who] += 1
            right[who] += CLASSES[int(record[ATTRIBUTE])] == truth[record["source-ref"]]
    total = labelled.total()
    print("\n| labelled by | images | share | right | 95 % interval |\n|---|---:|---:|---:|---:|")
    for who in ("people", "machine"):
        low, high = _interval(right[who], labelled[who])
        share = labelled[who] / total
        accuracy = right[who] / max(labelled[who], 1)
        print(f"| {who} | {labelled[who]:,} | {share:.1%} | {accuracy:.1%} | {low:.1%} to {high:.1%} |")
    print()
    for item in s3.list_objects_v2(Bucket=BUCKET, Prefix=f"out/{JOB}/activelearning/").get("Contents", []):
        if item["Key"].endswith("threshold.json"):
            iteration, said = item["Key"].split("/")[3], json.loads(_read(s3, f"s3://{BUCKET}/{item['Key']}"))
            print(f"iteration {iteration}: {json.dumps(said)}")
    _tell_costs(cloud, labelled, reviewers)
    model = job["LabelingJobOutput"].get("FinalActiveLearningModelArn")
    print(f"{seconds / 60:.1f} minutes in all; model: {model}")


def _tell_costs(cloud: LocalCloud, labelled: Counter[str], reviewers: dict[str, Any]) -> None:
    answers = reviewers["answers"]
    each = answers / max(labelled["people"], 1)
    mixed = ledger(PRICES, human=labelled["people"], machine=labelled["machine"], answers=answers)
    alone = ledger(PRICES, human=labelled.total(), machine=0, answers=round(each * labelled.total()))
    computed = sum(_seconds(cloud, kind) for kind in ("training", "transform"))
    saved = 1 - mixed.total / alone.total
    print(
        f"\n{answers:,} answers; ${mixed.total:.2f} (people ${mixed.people:.2f}, machine "
        f"${mixed.machine:.2f}) "
        f"and {computed / 60:.1f} minutes of training and transform jobs; people alone cost "
        f"${alone.total:.2f}, so {saved:.1%} is saved"
    )


def _seconds(cloud: LocalCloud, kind: str) -> float:
    """Of the job's own jobs of a kind, from start to end."""
    sagemaker, name = cloud.client("sagemaker"), kind.capitalize()
    listed = getattr(sagemaker, f"list_{kind}_jobs")()[f"{name}JobSummaries"]
    seconds = 0.0
    for item in listed:
        job = getattr(sagemaker, f"describe_{kind}_job")(**{f"{name}JobName": item[f"{name}JobName"]})
        seconds += (job[f"{name}EndTime"] - job[f"{name}StartTime"]).total_seconds()
    return seconds


def _interval(right: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's for a share."""
    if count == 0:
        return 0.0, 1.0
    share = right / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * ((share * (1 - share) / count + z * z / (4 * count * count)) ** 0.5) / (1 + z * z / count)
    return middle - half, middle + half


def _put(cloud: LocalCloud, key: str, text: str) -> None:
    cloud.client("s3").put_object(Bucket=BUCKET, Key=key, Body=text.encode())


def _read(s3: Any, uri: str) -> str:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return str(s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode())


if __name__ == "__main__":
    sys.exit(main())
