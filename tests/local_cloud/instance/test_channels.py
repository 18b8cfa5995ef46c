from __future__ import annotations

import gzip
import json

import pytest

from include.local_cloud.instance.channels import relative_to
from tests.support.cloud import LocalCloud
from tests.support.sagemaker import channel, trained, training_request, unpacked


def seen(cloud: LocalCloud, bucket: str, *channels: dict, **hyperparameters: str) -> dict:
    """What a job of the fake algorithm finds in its channels."""
    name = f"{bucket}-job"
    cloud.client("sagemaker").create_training_job(
        **training_request(
            name, bucket, InputDataConfig=list(channels), HyperParameters=dict(hyperparameters)
        )
    )
    job = trained(cloud, name)
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    return json.loads(unpacked(cloud, job["ModelArtifacts"]["S3ModelArtifacts"])["seen.json"])["seen"]


@pytest.mark.parametrize(
    ("prefix", "uri", "path"),
    [
        ("s3://b/in/", "s3://b/in/a/1.jpg", "a/1.jpg"),
        ("s3://b/in", "s3://b/in/a/1.jpg", "a/1.jpg"),
        ("s3://b/in", "s3://b/in_old/1.jpg", "in_old/1.jpg"),
        ("s3://b/m/model.tar.gz", "s3://b/m/model.tar.gz", "model.tar.gz"),
        ("s3://b", "s3://b/1.jpg", "1.jpg"),
    ],
)
def test_an_object_is_named_below_its_prefix(prefix: str, uri: str, path: str) -> None:
    assert relative_to(prefix, uri) == path


def test_file_channels_hold_prefixes_single_objects_and_manifests(cloud: LocalCloud, bucket: str) -> None:
    s3 = cloud.client("s3")
    for key in ("in/", "in/1.txt", "in/deep/2.txt", "in_old/3.txt", "models/model.tar.gz"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"" if key.endswith("/") else b"x")
    manifest = [{"prefix": f"s3://{bucket}/in/"}, "deep/2.txt"]
    s3.put_object(Bucket=bucket, Key="some.manifest", Body=json.dumps(manifest).encode())

    found = seen(
        cloud,
        bucket,
        channel("train", f"s3://{bucket}/in/"),
        channel("prefix", f"s3://{bucket}/in"),
        channel("model", f"s3://{bucket}/models/model.tar.gz"),
        channel("some", f"s3://{bucket}/some.manifest", "ManifestFile"),
    )

    assert found == {
        "train": {"1.txt": 1, "deep/2.txt": 1},
        "prefix": {"1.txt": 1, "deep/2.txt": 1, "in_old/3.txt": 1},
        "model": {"model.tar.gz": 1},
        "some": {"deep/2.txt": 1},
    }


def augmented(cloud: LocalCloud, bucket: str, count: int = 4) -> str:
    s3, lines = cloud.client("s3"), []
    for number in range(count):
        # Line ends of other kinds than JSON Lines', and what means something in an address.
        key = f"images/{number}" + ("\u2028b\x85", "\v\f\x1c", "#?%2F+ ", "//../😀")[number % 4]
        s3.put_object(Bucket=bucket, Key=key, Body=f"image {number}".encode())
        label = {"annotations": [{"class_id": number}]}
        lines.append({"other": 1, "label": label, "source-ref": f"s3://{bucket}/{key}"})
    body = "\r\n".join(json.dumps(line, ensure_ascii=False) for line in lines).encode() + b"\n"
    s3.put_object(Bucket=bucket, Key="train.manifest", Body=body)
    return f"s3://{bucket}/train.manifest"


def piped(uri: str, **changes: object) -> dict:
    return channel(
        "train",
        uri,
        "AugmentedManifestFile",
        AttributeNames=["source-ref", "label"],
        InputMode="Pipe",
        RecordWrapperType="RecordIO",
        **changes,
    )


def test_an_augmented_manifest_comes_as_records_one_pipe_per_epoch(cloud: LocalCloud, bucket: str) -> None:
    epochs = seen(cloud, bucket, piped(augmented(cloud, bucket)), epochs="2")["train"]

    records = [(f"image {number}", {"annotations": [{"class_id": number}]}) for number in range(4)]
    for epoch in epochs:
        assert [(epoch[i], json.loads(epoch[i + 1])) for i in range(0, 8, 2)] == records


def test_shuffling_keeps_pairs_together_and_differs_between_epochs(cloud: LocalCloud, bucket: str) -> None:
    uri = augmented(cloud, bucket, count=12)
    first, second = seen(cloud, bucket, piped(uri, ShuffleConfig={"Seed": 7}), epochs="2")["train"]
    assert first != second
    assert sorted(first) == sorted(second)
    for image, label in zip(first[::2], first[1::2], strict=True):
        assert image == f"image {json.loads(label)['annotations'][0]['class_id']}"


def test_a_container_may_never_open_its_pipe(cloud: LocalCloud, bucket: str) -> None:
    assert seen(cloud, bucket, piped(augmented(cloud, bucket)), epochs="0") == {"train": []}


def test_plain_and_compressed_objects_are_streamed_one_after_the_other(
    cloud: LocalCloud, bucket: str
) -> None:
    for number in range(3):
        body = gzip.compress(f"part {number}.".encode())
        cloud.client("s3").put_object(Bucket=bucket, Key=f"in/{number}.gz", Body=body)
    source = channel("train", f"s3://{bucket}/in/", InputMode="Pipe", CompressionType="Gzip")
    assert seen(cloud, bucket, source) == {"train": [["part 0.part 1.part 2."]]}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"source-ref": "s3://x/y"}', "line 1 of s3://{bucket}/m has no attribute 'label'"),
        ('\n{"source-ref": "\udcff"}', "line 2 of s3://{bucket}/m is not a JSON object: 'utf-8' codec"),
        ("", "s3://{bucket}/m has no lines"),
        ('{"source-ref": "s3://{bucket}/gone", "label": 1}', "channel train: s3://{bucket}/gone: NoSuchKey"),
    ],
)
def test_a_bad_manifest_fails_the_job_and_says_where(
    cloud: LocalCloud, bucket: str, line: str, said: str
) -> None:
    body = line.replace("{bucket}", bucket).encode(errors="surrogateescape")
    cloud.client("s3").put_object(Bucket=bucket, Key="m", Body=body)
    cloud.client("sagemaker").create_training_job(
        **training_request(f"{bucket}-job", bucket, InputDataConfig=[piped(f"s3://{bucket}/m")])
    )
    reason = trained(cloud, f"{bucket}-job")["FailureReason"]
    assert reason.startswith("ClientError: " + said.replace("{bucket}", bucket))
