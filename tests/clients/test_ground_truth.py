"""The Ground Truth notebook for object detection, from unlabelled images to an endpoint.

Its 43 cells in their order, with boto3 against a local cloud: images of our own instead of those of Open
Images, a private team of five simulated workers instead of Mechanical Turk, one epoch of training instead of
thirty. Cells that only show something are left out; what they would show is computed.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
import pytest
from PIL import Image

from include.review_server.__main__ import main as review_server
from include.review_server.labeling.logs import JOB_GROUP, WORKER_GROUP
from include.samples.scenes import draw
from tests.clients.notebook import Box, boxed_images, copy_down, monitor, training_data
from tests.review_server.rig import CORS, MEMBERS
from tests.support.cloud import DETECTION_IMAGE, ROLE, ROOT, LocalCloud, eventually
from tests.support.sagemaker import log_of

# A module whose first test does all that people do.
pytestmark = pytest.mark.timeout(900)

EXPERIMENT = "ground-truth-od-full-demo"
CLASS_NAME = "Digit"
WORKERS = ("ada", "ben", "cleo", "dan", "eve")
COUNT = 12
_TRIES = count(1)

TEMPLATE = """
<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form>
  <crowd-bounding-box
    name="boundingBox"
    src="{{ task.input.taskObject | grant_read_access }}"
    header="Draw a box around each Digit."
    labels="{{ task.input.labels | to_json | escape }}"
  >
    <full-instructions header="Tight boxes, please"><p>One box for each.</p></full-instructions>
    <short-instructions><p>Draw a box around each digit.</p></short-instructions>
  </crowd-bounding-box>
</crowd-form>
"""


@dataclass
class Walk:
    """Where the walk has come to."""

    cloud: LocalCloud
    folder: Path
    bucket: str
    job_name: str
    truths: dict[str, list[Box]]

    @property
    def output(self) -> str:
        return f"s3://{self.bucket}/{EXPERIMENT}/output/{self.job_name}"

    def client(self, service: str) -> Any:
        return self.cloud.client(service)

    def lines(self) -> list[dict[str, Any]]:
        """Cell 13: the output manifest."""
        key = f"{EXPERIMENT}/output/{self.job_name}/manifests/output/output.manifest"
        self.client("s3").download_file(self.bucket, key, str(self.folder / "output.manifest"))
        text = (self.folder / "output.manifest").read_text()
        return [json.loads(line.strip()) for line in text.splitlines()]


@pytest.fixture(scope="module")
def walk(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """Cells 1 to 12: a labeling job, made and worked on until it is Completed."""
    folder = tmp_path_factory.mktemp("notebook")
    # The simulated workers' errors follow from these names: the same in every run.
    job_name = f"od-demo-{next(_TRIES)}"
    walk = Walk(cloud, folder, cloud.make_bucket(f"notebook of {job_name}"), job_name, {})
    region, s3 = same_region(walk)
    put_images(walk, s3)
    put_class_labels(walk, s3)
    put_template(walk, s3)
    team = private_team(walk)
    sagemaker = walk.client("sagemaker")
    sagemaker.create_labeling_job(**request(walk, region, team))
    with people(walk):
        eventually(lambda: status(walk) not in ("Initializing", "InProgress"), within=300, pause=0.5)
    described = sagemaker.describe_labeling_job(LabelingJobName=walk.job_name)
    assert described["LabelingJobStatus"] == "Completed", described.get("FailureReason")
    return walk


def same_region(walk: Walk) -> tuple[str, Any]:
    """Cells 1 and 2."""
    region, s3 = walk.cloud.session().region_name, walk.client("s3")
    headers = s3.head_bucket(Bucket=walk.bucket)["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amz-bucket-region"] == region
    return region, s3


def put_images(walk: Walk, s3: Any) -> None:
    """Cell 3: pictures with known boxes are copied from another bucket; their manifest."""
    source = walk.cloud.make_bucket(f"open images of {walk.bucket}")
    lines, truths = "", []
    for number in range(COUNT + 1):
        scene, name = draw("day", "learning", 4, number), f"{number:016x}.jpg"
        body = io.BytesIO()
        Image.fromarray(scene.pixels).save(body, "JPEG", quality=92)
        (walk.folder / name).write_bytes(body.getvalue())
        walk.truths[name] = [Box(box.left, box.top, box.width, box.height) for box in scene.boxes]
        if number == COUNT:
            break  # nobody labels it: the model is asked about it in the end
        s3.put_object(Bucket=source, Key=f"test/{name}", Body=body.getvalue())
        s3.copy({"Bucket": source, "Key": f"test/{name}"}, walk.bucket, f"{EXPERIMENT}/images/{name}")
        lines += '{"source-ref": "' + f"s3://{walk.bucket}/{EXPERIMENT}/images/{name}" + '"}\n'
        boxes = [vars(box) | {"label": CLASS_NAME} for box in scene.boxes]
        truths.append({"source-ref": name, "width": 128, "height": 128, "boxes": boxes})
    (walk.folder / "truth.jsonl").write_text("".join(json.dumps(line) + "\n" for line in truths))
    (walk.folder / "input.manifest").write_text(lines)
    s3.upload_file(str(walk.folder / "input.manifest"), walk.bucket, f"{EXPERIMENT}/input.manifest")
    # Since 2021 Amazon asks for this too, or workers' browsers could not show the images.
    s3.put_bucket_cors(Bucket=walk.bucket, CORSConfiguration=CORS)


def put_class_labels(walk: Walk, s3: Any) -> None:
    """Cell 4: without a document-version, as the notebook writes it."""
    (walk.folder / "class_labels.json").write_text(json.dumps({"labels": [{"label": CLASS_NAME}]}))
    s3.upload_file(str(walk.folder / "class_labels.json"), walk.bucket, f"{EXPERIMENT}/class_labels.json")


def put_template(walk: Walk, s3: Any) -> None:
    """Cells 5 and 6: the instructions, tried out before they are sent."""
    (walk.folder / "instructions.template").write_text(TEMPLATE)
    s3.upload_file(
        str(walk.folder / "instructions.template"), walk.bucket, f"{EXPERIMENT}/instructions.template"
    )
    shown = walk.client("sagemaker").render_ui_template(
        UiTemplate={"Content": TEMPLATE},
        Task={"Input": json.dumps({"taskObject": "s3://any/1.jpg", "labels": [CLASS_NAME]})},
        RoleArn=ROLE,
    )
    assert shown["Errors"] == []
    assert CLASS_NAME in shown["RenderedContent"]


def private_team(walk: Walk) -> str:
    """Cell 7, and what it asks for in the console: a team and its members."""
    team = f"team-of-{walk.job_name}"
    made = walk.client("sagemaker").create_workteam(
        WorkteamName=team, Description="simulated", MemberDefinitions=MEMBERS
    )
    for name in WORKERS:
        options = ["--team", team, "--data", str(walk.cloud.data)]
        options += ["--credentials", str(walk.folder / "workers.json")]
        assert review_server(["members", "add", f"{name}-{walk.job_name}", *options]) == 0
    return str(made["WorkteamArn"])


def request(walk: Walk, region: str, team: str) -> dict[str, Any]:
    """Cells 8 and 9: the functions by their ARNs, and the request with all that the notebook gives."""
    account = {"us-west-2": "081040173940", "us-east-1": "432418664414", "eu-west-1": "568282634449"}[region]
    function = f"arn:aws:lambda:{region}:{account}:function:"
    root = f"s3://{walk.bucket}/{EXPERIMENT}"
    return {
        "InputConfig": {
            "DataSource": {"S3DataSource": {"ManifestS3Uri": f"{root}/input.manifest"}},
            "DataAttributes": {
                "ContentClassifiers": ["FreeOfPersonallyIdentifiableInformation", "FreeOfAdultContent"]
            },
        },
        "OutputConfig": {"S3OutputPath": f"{root}/output/"},
        "HumanTaskConfig": {
            "AnnotationConsolidationConfig": {
                "AnnotationConsolidationLambdaArn": f"{function}ACS-BoundingBox"
            },
            "PreHumanTaskLambdaArn": f"{function}PRE-BoundingBox",
            "MaxConcurrentTaskCount": 200,
            "NumberOfHumanWorkersPerDataObject": len(WORKERS),
            "TaskAvailabilityLifetimeInSeconds": 21600,
            "TaskDescription": f"Dear Annotator, please draw a box around each {CLASS_NAME}. Thank you!",
            "TaskKeywords": ["image", "object", "detection"],
            "TaskTimeLimitInSeconds": 300,
            "TaskTitle": f"Please draw a box around each {CLASS_NAME}.",
            "UiConfig": {"UiTemplateS3Uri": f"{root}/instructions.template"},
            "WorkteamArn": team,
        },
        "LabelingJobName": walk.job_name,
        "RoleArn": ROLE,
        "LabelAttributeName": "category",
        "LabelCategoryConfigS3Uri": f"{root}/class_labels.json",
    }


def status(walk: Walk) -> str:
    """Cells 10 and 12."""
    described = walk.client("sagemaker").describe_labeling_job(LabelingJobName=walk.job_name)
    return str(described["LabelingJobStatus"])


@contextmanager
def people(walk: Walk) -> Iterator[None]:
    """Five simulated workers at the portal's HTTP interface, for as long as the block lasts."""
    options = ["--review-url", walk.cloud.review_url, "--truth", str(walk.folder / "truth.jsonl")]
    options += ["--credentials", str(walk.folder / "workers.json"), "--workers", str(len(WORKERS))]
    options += ["--missed", "0.05", "--shifted", "0.2", "--mislabelled", "0"]
    command = [sys.executable, "-m", "include.samples.reviewers", *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=120)
    summary = json.loads(said.rstrip("\n").split("\n")[-1])
    assert (summary["answers"], summary["lost"], summary["declined"]) == (COUNT * len(WORKERS), 0, 0)


def test_the_jobs_progress_is_read_from_its_files(walk: Walk, tmp_path: Path) -> None:
    """Cells 11 and 12."""
    sagemaker, s3, logs = (walk.client(service) for service in ("sagemaker", "s3", "logs"))
    progress = monitor(sagemaker, s3, logs, walk.job_name, tmp_path)
    assert dict(progress.images) == {1: 10, 2: 2}
    assert progress.times[1] < progress.times[2]
    assert progress.boxes[1] + progress.boxes[2] >= COUNT
    assert np.allclose(progress.dollars, (COUNT * 0.26, 0))
    assert progress.trainings == {}
    described = sagemaker.describe_labeling_job(LabelingJobName=walk.job_name)
    assert described["LabelCounters"] == {
        "TotalLabeled": COUNT, "HumanLabeled": COUNT, "MachineLabeled": 0, "FailedNonRetryableError": 0,
        "Unlabeled": 0,
    }  # fmt: skip
    assert described["LabelingJobOutput"]["OutputDatasetS3Uri"] == (
        f"{walk.output}/manifests/output/output.manifest"
    )
    assert described["OutputConfig"]["S3OutputPath"].endswith("/output/")
    # Nobody waits for a log: its last lines may be on their way.
    eventually(lambda: logged(walk, JOB_GROUP, "event-name")[-1:] == ["EXPORTED_LABELED_MANIFEST"])
    eventually(lambda: len(logged(walk, WORKER_GROUP, "event_type")) >= 2 * COUNT * len(WORKERS))
    turns = logged(walk, WORKER_GROUP, "event_type")
    assert turns.count("TasksSubmitted") == turns.count("TasksAccepted") == COUNT * len(WORKERS)


def logged(walk: Walk, group: str, field: str) -> list[str]:
    return [json.loads(line)[field] for line in log_of(walk.cloud, group, walk.job_name)]


def test_the_labels_are_compared_with_the_reference_boxes(walk: Walk, tmp_path: Path) -> None:
    """Cells 13 to 23."""
    output = walk.lines()
    assert [line["source-ref"].split("/")[-1] for line in output] == [f"{n:016x}.jpg" for n in range(COUNT)]
    for line in output:
        assert list(line) == ["source-ref", "category", "category-metadata"]
        assert line["category-metadata"]["job-name"] == f"labeling-job/{walk.job_name}"
        boxes = line["category"]["annotations"]
        assert line["category-metadata"]["class-map"] == ({"0": CLASS_NAME} if boxes else {})
        assert len(line["category-metadata"]["objects"]) == len(boxes)
    files = copy_down(walk.client("s3"), f"{walk.output}/annotations/worker-response", tmp_path)
    images = boxed_images(output, files, walk.truths)
    assert all(len(image.by_worker) == len(WORKERS) for image in images)
    assert all(image.human for image in images)
    scores = np.array([image.compute_iou_bb() for image in images])
    sureness = np.array([image.compute_img_confidence() for image in images])
    assert scores.mean() > 0.8, scores
    assert ((sureness >= 0) & (sureness <= 1)).all()
    counts, _ = np.histogram(scores, bins=np.linspace(0, 1, 17))
    assert counts.sum() == COUNT


def test_a_model_learns_from_the_labels_and_is_asked_in_a_batch_and_at_an_endpoint(
    walk: Walk, request: pytest.FixtureRequest
) -> None:
    """Cells 24 to 43."""
    s3, sagemaker = walk.client("s3"), walk.client("sagemaker")
    # The walk is the module's: a second try needs names of its own.
    mine = f"{walk.job_name}-{getattr(request.node, 'execution_count', 1)}"
    manifests = split(walk, s3)
    training = train(walk, s3, sagemaker, manifests, f"{mine}-training")
    model = f"{mine}-model"
    arn = sagemaker.create_model(
        ModelName=model,
        ExecutionRoleArn=ROLE,
        PrimaryContainer={
            "Image": DETECTION_IMAGE,
            "ModelDataUrl": training["ModelArtifacts"]["S3ModelArtifacts"],
        },
    )["ModelArn"]
    assert arn.endswith(f":model/{model}")
    held_out = walk.folder / f"{COUNT:016x}.jpg"
    s3.upload_file(str(held_out), walk.bucket, f"{EXPERIMENT}/test/{held_out.name}")
    batch = transform(walk, s3, sagemaker, model, f"{mine}-transform")
    hosted = host(sagemaker, walk.client("sagemaker-runtime"), model, held_out.read_bytes(), mine)
    assert [row[0] for row in hosted] == [row[0] for row in batch]
    assert np.allclose(hosted, batch, atol=1e-4)


def split(walk: Walk, s3: Any) -> dict[str, str]:
    """Cells 24 to 27: four parts of five to learn from."""
    output = walk.lines()
    np.random.default_rng(0).shuffle(output)
    index = round(len(output) * 0.8)
    places = {}
    for name, part in (("train", output[:index]), ("validation", output[index:])):
        file = walk.folder / f"{name}.manifest"
        file.write_text("".join(json.dumps(line) + "\n" for line in part))
        s3.upload_file(str(file), walk.bucket, f"{EXPERIMENT}/{file.name}")
        places[name] = f"s3://{walk.bucket}/{EXPERIMENT}/{file.name}"
    return places


def train(walk: Walk, s3: Any, sagemaker: Any, manifests: dict[str, str], name: str) -> dict[str, Any]:
    """Cells 28 to 32."""
    place = urlparse(manifests["train"])
    text = s3.get_object(Bucket=place.netloc, Key=place.path[1:])["Body"].read().decode()
    lines = text.split("\n")
    attributes = [name for name in json.loads(lines[0]) if "meta" not in name]
    assert attributes == ["source-ref", "category"]
    samples = len(lines)  # one more than there are: the notebook counts what is behind the last line end
    sagemaker.create_training_job(
        AlgorithmSpecification={"TrainingImage": DETECTION_IMAGE, "TrainingInputMode": "Pipe"},
        RoleArn=ROLE,
        OutputDataConfig={"S3OutputPath": f"s3://{walk.bucket}/groundtruth-od-augmented-manifest-output"},
        ResourceConfig={"InstanceCount": 1, "InstanceType": "ml.p3.2xlarge", "VolumeSizeInGB": 50},
        TrainingJobName=name,
        HyperParameters={
            "base_network": "resnet-50", "use_pretrained_model": "1", "num_classes": "1",
            "mini_batch_size": "1", "epochs": "1", "learning_rate": "0.001", "lr_scheduler_step": "",
            "lr_scheduler_factor": "0.1", "optimizer": "sgd", "momentum": "0.9", "weight_decay": "0.0005",
            "overlap_threshold": "0.5", "nms_threshold": "0.45", "image_shape": "96", "label_width": "350",
            "num_training_samples": str(samples),
        },
        StoppingCondition={"MaxRuntimeInSeconds": 86400},
        InputDataConfig=[
            {
                "ChannelName": channel,
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "AugmentedManifestFile",
                        "S3Uri": uri,
                        "S3DataDistributionType": "FullyReplicated",
                        "AttributeNames": attributes,
                    }
                },
                "ContentType": "application/x-recordio",
                "RecordWrapperType": "RecordIO",
                "CompressionType": "None",
            }
            for channel, uri in manifests.items()
        ],
    )  # fmt: skip
    described = {"TrainingJobName": name}
    assert sagemaker.describe_training_job(**described)["TrainingJobStatus"] == "InProgress"
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(
        **described, WaiterConfig={"Delay": 1, "MaxAttempts": 300}
    )
    told, scores = training_data(walk.client("logs"), name)
    assert told == samples
    assert len(scores) == 1
    job: dict[str, Any] = sagemaker.describe_training_job(**described)
    assert job["SecondaryStatus"] == "Completed"
    return job


def transform(walk: Walk, s3: Any, sagemaker: Any, model: str, name: str) -> list[list[float]]:
    """Cells 33 to 39: the rows (class, score, corners) of the image that nobody labelled."""
    root = f"s3://{walk.bucket}/{EXPERIMENT}"
    sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName=model,
        MaxConcurrentTransforms=16,
        MaxPayloadInMB=6,
        BatchStrategy="SingleRecord",
        TransformOutput={"S3OutputPath": f"{root}/{name}/output/"},
        TransformInput={
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"{root}/test/"}},
            "ContentType": "application/x-image",
            "SplitType": "None",
            "CompressionType": "None",
        },
        TransformResources={"InstanceType": "ml.p2.xlarge", "InstanceCount": 1},
    )

    def ended() -> bool:
        job = sagemaker.describe_transform_job(TransformJobName=name)
        assert job["TransformJobStatus"] != "Failed", job["FailureReason"]
        return bool(job["TransformJobStatus"] == "Completed")

    eventually(ended, within=300, pause=0.5)
    (found,) = s3.list_objects(Bucket=walk.bucket, Prefix=f"{EXPERIMENT}/{name}/output/")["Contents"]
    rows: list[list[float]] = json.loads(s3.get_object(Bucket=walk.bucket, Key=found["Key"])["Body"].read())[
        "prediction"
    ]
    assert all(len(row) == 6 for row in rows)
    return rows


def host(sagemaker: Any, runtime: Any, model: str, picture: bytes, mine: str) -> list[list[float]]:
    """Cells 40 to 43: the same by an endpoint, which is deleted afterwards."""
    config, name = f"{mine}-epc", f"{mine}-ep"
    sagemaker.create_endpoint_config(
        EndpointConfigName=config,
        ProductionVariants=[
            {
                "InstanceType": "ml.m4.xlarge",
                "InitialInstanceCount": 1,
                "ModelName": model,
                "VariantName": "AllTraffic",
            }
        ],
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    sagemaker.get_waiter("endpoint_in_service").wait(
        EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 300}
    )
    reply = runtime.invoke_endpoint(
        EndpointName=name, ContentType="application/x-image", Body=bytearray(picture)
    )
    rows: list[list[float]] = json.loads(reply["Body"].read())["prediction"]
    sagemaker.delete_endpoint(EndpointName=name)
    return rows
