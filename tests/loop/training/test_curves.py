"""Training curves from the log lines of SageMaker's object detection, whatever has become of the log."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace

import boto3
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from include.loop.core.clients import Clients
from include.loop.core.records.models import TrainingCurves
from include.loop.tasks.detection.algorithm import DetectionAlgorithm
from include.loop.training import curves
from include.loop.training.logs import LOG_GROUP, TrainingLog
from tests.loop.report.rounds import make_rounds
from tests.support.cloud import LocalCloud

LOG = DetectionAlgorithm.log
LINES = """\
[03/04/2026 10:05:11 INFO 139920000000000] Epoch:    0, batches:    100, num_examples:   3200, 115 samples/sec
#quality_metric: host=algo-1, epoch=0, batch=100 train cross_entropy <loss>=(0.912)
#quality_metric: host=algo-1, epoch=0, batch=100 train smooth_l1 <loss>=(0.511)
#quality_metric: host=algo-1, epoch=0, batch=200 train cross_entropy <loss>=(0.8)
#quality_metric: host=algo-1, epoch=0, validation mAP <score>=(0.29)
#throughput_metric: host=algo-1, train throughput=110.4 records/second
#quality_metric: host=algo-1, epoch=1, validation mAP <score>=(0.41)
#throughput_metric: host=algo-1, train throughput=100.4 records/second
""".splitlines()


def epoch(number: int, score: float, host: str = "algo-1") -> str:
    return f"#quality_metric: host={host}, epoch={number}, validation mAP <score>=({score})"


def test_an_epoch_has_its_last_losses_and_its_score() -> None:
    assert curves.read_curves(LINES, LOG) == TrainingCurves(
        epochs=(
            {"epoch": 0, "validation_map": 0.29, "cross_entropy": 0.8, "smooth_l1": 0.511},
            {"epoch": 1, "validation_map": 0.41, "cross_entropy": None, "smooth_l1": None},
        ),
        throughput=105.4,
    )


def test_an_epoch_that_was_trained_twice_counts_as_it_was_the_second_time() -> None:
    told = curves.read_curves([epoch(0, 0.2), epoch(0, 0.3)], LOG).epochs
    scores = [item["validation_map"] for item in told]
    assert scores == [0.3]


def test_of_several_machines_the_first_one_speaks() -> None:
    told = curves.read_curves([epoch(0, 0.2), epoch(0, 0.9, host="algo-2")], LOG)
    assert [item["validation_map"] for item in told.epochs] == [0.2]


def test_a_loss_that_is_no_number_is_no_point_of_a_curve() -> None:
    lines = [LINES[1].replace("0.912", "nan"), LINES[2].replace("0.511", "1.2.3"), epoch(0, 0.2)]
    told = curves.read_curves(lines, LOG).epochs
    assert told == ({"epoch": 0, "validation_map": 0.2, "cross_entropy": None, "smooth_l1": None},)


@given(st.lists(st.text() | st.sampled_from(LINES).map(lambda line: line[:-3])))
def test_any_text_is_read(lines: list[str]) -> None:
    assert [item["epoch"] for item in curves.read_curves(lines, LOG).epochs] in ([], [0], [1], [0, 1])


def test_a_job_without_a_log_has_no_curves_and_says_why(cloud: LocalCloud, bucket: str) -> None:
    workspace = make_rounds(cloud, bucket).workspace
    answer = curves.keep(workspace, f"none-{bucket}")
    assert answer.epochs == 0
    assert f"none-{bucket}" in str(answer.problem)
    assert not list(workspace.storage.list("models/"))


def test_a_log_service_that_is_away_fails_nobody(cloud: LocalCloud, bucket: str) -> None:
    gone = boto3.client(
        "logs", region_name="us-east-1", endpoint_url="http://127.0.0.1:9", aws_access_key_id="x",
        aws_secret_access_key="x", config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip
    workspace = replace(make_rounds(cloud, bucket).workspace, clients=Clients(lambda service, _: gone))
    answer = curves.keep(workspace, "job")
    assert answer.epochs == 0
    assert "could not be read" in str(answer.problem)


def test_curves_are_read_over_all_pages_and_streams_and_never_get_shorter(
    cloud: LocalCloud, bucket: str
) -> None:
    workspace, logs = make_rounds(cloud, bucket).workspace, cloud.client("logs")
    job = f"job-{bucket[-8:]}"
    # More than one page of GetLogEvents (10,000), and a second stream after an interruption.
    chatter = [f"[INFO] batch {n}" for n in range(10_100)]
    write(logs, f"{job}/algo-1-1700000000000", [*chatter, epoch(0, 0.1), epoch(1, 0.2)])
    write(logs, f"{job}/algo-1-1700000009999", [epoch(1, 0.3), epoch(2, 0.4)])
    write(logs, f"{job}0/algo-1-1700000000000", [epoch(7, 0.9)])  # another job's, whose name begins alike
    assert curves.keep(workspace, job).epochs == 3
    kept = workspace.storage.read_json(f"models/{job}/curves.json")
    assert [item["validation_map"] for item in kept["epochs"]] == [0.1, 0.3, 0.4]
    write(logs, f"{job}/algo-2-1700000000000", ["of another machine"])
    assert "of another machine" in list(TrainingLog(logs, job).new_lines())
    assert "of another machine" not in list(TrainingLog(logs, job, first_machine=True).new_lines())
    logs.delete_log_stream(logGroupName=LOG_GROUP, logStreamName=f"{job}/algo-1-1700000009999")
    assert curves.keep(workspace, job).epochs == 3


def write(logs, stream: str, lines: list[str]) -> None:
    place = {"logGroupName": LOG_GROUP, "logStreamName": stream}
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=LOG_GROUP)
    logs.create_log_stream(**place)
    now = int(time.time() * 1000)
    for start in range(0, len(lines), 5000):
        events = [{"timestamp": now, "message": line} for line in lines[start : start + 5000]]
        logs.put_log_events(**place, logEvents=events)
