"""The requests of one round's jobs, and what those jobs read: manifests of labels, and lists of images.

Takes a job, its round and what people have labelled; gives the members of CreateTrainingJob, CreateModel and
CreateTransformJob. Keys below ``training``, ``inference`` and ``activelearning`` are made here and of
``layout`` alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.review_server.labeling.auto.algorithms import DETECTION, Algorithm
from include.review_server.labeling.auto.place import job_stem
from include.review_server.labeling.auto.records import Labelled
from include.review_server.labeling.auto.registries import training_image
from include.review_server.labeling.jobs import JobView
from include.review_server.s3_location import S3Location
from include.review_server.settings import ReviewSettings

_VOLUME_GB = 50
_LONGEST_TRAINING = 86_400  # seconds: a day
_PAYLOAD_MB = 40  # the largest image of a labeling job
_MOST_KEY = 1_024
# Of the labels to learn from, so many choose the epoch instead: the sample that judges may not choose either.
_CHOOSES_EPOCH = 0.2


@dataclass(frozen=True)
class Round:
    """A job in one of its rounds, in this server."""

    job: JobView
    iteration: int
    algorithm: Algorithm
    settings: ReviewSettings

    @property
    def training_stem(self) -> str:
        return job_stem(self.job.name, self.iteration)

    @property
    def training_output(self) -> S3Location:
        """Below it are ``<training job>/output/model.tar.gz``."""
        return self.job.output.training(self.iteration).below("model")

    def manifest(self, channel: str) -> S3Location:
        return self.job.output.training(self.iteration).below("input", f"{channel}.manifest")

    def annotator_output(self, part: int) -> S3Location:
        """What the machine labelled, in parts that begin with this object."""
        folder = self.job.output.activelearning(self.iteration)
        return folder.below(f"part-{part:06}", "auto_annotator_output.txt")

    @property
    def threshold(self) -> S3Location:
        return self.job.output.activelearning(self.iteration).below("validation", "threshold.json")

    @property
    def first_model(self) -> str | None:
        """The ARN of the model that the job is to begin with."""
        return self.job.request["LabelingJobAlgorithmsConfig"].get("InitialActiveLearningModelArn")

    @property
    def image(self) -> str:
        """The training image. ``LookupError`` where SageMaker has none."""
        name = self.algorithm.name
        return self.settings.auto_labeling.images.get(name) or training_image(name, self.settings.region)

    def training_request(
        self, chosen: Mapping[str, Sequence[Labelled]], first_model: str | None
    ) -> dict[str, Any]:
        """For the labels that ``learning_split`` chose; ``first_model`` is an artifact to go on from."""
        changes = dict(self.settings.auto_labeling.hyperparameters.get(self.algorithm.name, {}))
        channels = [self._channel(name) for name in chosen]
        if first_model:
            # The artifact's weights take the place of SageMaker's.
            changes["use_pretrained_model"] = "0"
            channels.append(_model_channel(first_model))
        most = max((_boxes(item, self.job.label_attribute) for item in chosen["train"]), default=0)
        return _given(
            AlgorithmSpecification={"TrainingImage": self.image, "TrainingInputMode": "Pipe"},
            RoleArn=self.job.role_arn,
            HyperParameters=self.algorithm.settings(
                len(self.job.categories), len(chosen["train"]), most, changes
            ),
            InputDataConfig=channels,
            OutputDataConfig=_given(S3OutputPath=self.training_output.uri, KmsKeyId=self.job.kms_key_id),
            ResourceConfig=_given(
                InstanceType=self.algorithm.machine(self.settings.region),
                InstanceCount=1,
                VolumeSizeInGB=_VOLUME_GB,
                VolumeKmsKeyId=self.resources.get("VolumeKmsKeyId"),
            ),
            StoppingCondition={"MaxRuntimeInSeconds": _LONGEST_TRAINING},
            VpcConfig=self.resources.get("VpcConfig"),
            Tags=self.tags,
        )

    def model_request(self, artifact: str) -> dict[str, Any]:
        return _given(
            PrimaryContainer={"Image": self.image, "ModelDataUrl": artifact},
            ExecutionRoleArn=self.job.role_arn,
            VpcConfig=self.resources.get("VpcConfig"),
            Tags=self.tags,
        )

    @property
    def resources(self) -> dict[str, Any]:
        config = self.job.request["LabelingJobAlgorithmsConfig"]
        return config.get("LabelingJobResourceConfig") or {}

    @property
    def tags(self) -> list[dict[str, str]]:
        # CreateTrainingJob has no member for it; AWS itself shows it as LabelingJobArn.
        return [{"Key": "nightloop:labeling-job", "Value": self.job.arn}]

    def _channel(self, name: str) -> dict[str, Any]:
        source = {
            "S3DataType": "AugmentedManifestFile",
            "S3Uri": self.manifest(name).uri,
            "S3DataDistributionType": "FullyReplicated",
            # The order counts: the image first, then its label.
            "AttributeNames": ["source-ref", self.job.label_attribute],
        }
        return {
            "ChannelName": name,
            "DataSource": {"S3DataSource": source},
            "ContentType": "application/x-recordio",
            "RecordWrapperType": "RecordIO",
            "CompressionType": "None",
            "InputMode": "Pipe",
            **({"ShuffleConfig": {"Seed": 1}} if name == "train" else {}),
        }


@dataclass(frozen=True)
class Piece:
    """The images of one transform job: those of one bucket, since a list of images names one."""

    round: Round
    part: str
    bucket: str
    images: Mapping[int, str]

    @property
    def stem(self) -> str:
        mark = hashlib.sha256(self.bucket.encode()).hexdigest()[:6]
        return job_stem(self.round.job.name, self.round.iteration, f"{self.part}-{mark}")

    @property
    def list(self) -> S3Location:
        return self._folder.below("images.manifest")

    @property
    def output(self) -> S3Location:
        return self._folder.below("out")

    @property
    def list_text(self) -> str:
        """SageMaker's ManifestFile: a prefix, then names that are put behind it as they are."""
        return json.dumps([{"prefix": f"s3://{self.bucket}/"}, *sorted(set(self._keys.values()))])

    def outputs(self) -> dict[int, S3Location]:
        """Number to the place of its prediction."""
        return {number: self.output.below(f"{key}.out") for number, key in self._keys.items()}

    def request(self, model: str) -> dict[str, Any]:
        return {
            "ModelName": model,
            "MaxPayloadInMB": _PAYLOAD_MB,
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "ManifestFile", "S3Uri": self.list.uri}},
                "ContentType": "application/x-image",
                "CompressionType": "None",
                "SplitType": "None",
            },
            "TransformOutput": _given(
                S3OutputPath=self.output.uri,
                Accept=self.round.algorithm.accept,
                KmsKeyId=self.round.job.kms_key_id,
            ),
            "TransformResources": _given(
                InstanceType=self.round.algorithm.predicts_on,
                InstanceCount=1,
                VolumeKmsKeyId=self.round.resources.get("VolumeKmsKeyId"),
            ),
            "Tags": self.round.tags,
        }

    @property
    def _folder(self) -> S3Location:
        return self.round.job.output.inference(self.round.iteration).below(self.part, self.bucket)

    @property
    def _keys(self) -> dict[int, str]:
        """Without those whose output would have a key that S3 does not take."""
        start = len(f"s3://{self.bucket}/")
        room = _MOST_KEY - len(self.output.below(".out").key.encode())
        keys = {number: image[start:] for number, image in self.images.items()}
        return {number: key for number, key in keys.items() if key and len(key.encode()) <= room}


def pieces(round_: Round, part: str, images: Mapping[int, str]) -> list[Piece]:
    """The transform jobs for these images. What is no S3 URI is in none."""
    by_bucket: dict[str, dict[int, str]] = {}
    for number, image in images.items():
        if image.startswith("s3://"):
            by_bucket.setdefault(image[5:].partition("/")[0], {})[number] = image
    return [Piece(round_, part, bucket, found) for bucket, found in sorted(by_bucket.items())]


def learning_split(
    round_: Round, labelled: Iterable[Labelled], judging: Collection[int]
) -> dict[str, list[Labelled]]:
    """The labels to learn from (``train``), and those that choose the epoch (``validation``).

    None of the sample that judges; and no image without boxes, of which SageMaker does not say what it does.
    """
    held_out = set(judging)
    chosen: dict[str, list[Labelled]] = {"train": [], "validation": []}
    for item in labelled:
        is_empty = round_.algorithm is DETECTION and not _boxes(item, round_.job.label_attribute)
        if item.number not in held_out and not is_empty:
            chance = hashlib.sha256(f"epoch/{round_.job.reference_code}/{item.number}".encode()).digest()[0]
            chosen["validation" if chance < 256 * _CHOOSES_EPOCH else "train"].append(item)
    return chosen


def manifest_text(items: Iterable[Labelled]) -> str:
    """An augmented manifest."""
    return "".join(json.dumps({"source-ref": item.source} | item.content) + "\n" for item in items)


def annotator_text(labels: Mapping[int, dict[str, Any]]) -> str:
    """A line for each object: its number, and its attribute with metadata."""
    return "".join(f"{number} {json.dumps(content)}\n" for number, content in sorted(labels.items()))


def _boxes(item: Labelled, attribute: str) -> int:
    value = item.content[attribute]
    return len(value.get("annotations", ())) if isinstance(value, dict) else 0


def _model_channel(artifact: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": artifact, "S3DataDistributionType": "FullyReplicated"}
    return {
        "ChannelName": "model",
        "DataSource": {"S3DataSource": source},
        "ContentType": "application/x-sagemaker-model",
        "CompressionType": "None",
        "InputMode": "File",
    }


def _given(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value not in (None, "", {})}
