from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from tests.support.cloud import DETECTION_IMAGE, FAKE_IMAGE, ROLE, LocalCloud
from tests.support.sagemaker import make_model, transform_request, transformed

METRICS = {
    "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://b/metrics.json"}}
}


def conforms(parsed: dict[str, Any], model: Any, **_: Any) -> None:
    """A reply has every required member of the service model, and values by its letter."""
    if "Error" not in parsed and model.output_shape is not None:
        values = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
        report = ParamValidator().validate(values, model.output_shape)
        assert not report.has_errors(), f"{model.name}: {report.generate_report()}"


@pytest.fixture
def sagemaker(cloud: LocalCloud) -> Iterator[Any]:
    client = cloud.client("sagemaker")
    client.meta.events.register("after-call.sagemaker", conforms, unique_id="conforms")
    yield client
    client.meta.events.unregister("after-call.sagemaker", conforms, unique_id="conforms")


@pytest.fixture
def group(sagemaker: Any, bucket: str) -> str:
    sagemaker.create_model_package_group(ModelPackageGroupName=bucket)
    return bucket


def specification(url: str = "s3://b/model.tar.gz", image: str = FAKE_IMAGE) -> dict[str, Any]:
    return {
        "Containers": [{"Image": image, "ModelDataUrl": url}],
        "SupportedContentTypes": ["image/jpeg"],
        "SupportedResponseMIMETypes": ["application/json"],
        "SupportedTransformInstanceTypes": ["ml.m5.large"],
        "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
    }


def version(sagemaker: Any, group: str, **changes: Any) -> str:
    request = {"ModelPackageGroupName": group, "InferenceSpecification": specification()} | changes
    return str(sagemaker.create_model_package(**request)["ModelPackageArn"])


def refused(call: Any, **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**params)
    detail = error.value.response["Error"]
    return detail["Code"], detail["Message"]


def test_a_group_is_made_described_listed_tagged_and_deleted(sagemaker: Any, bucket: str) -> None:
    name = f"Group-{bucket}"
    arn = sagemaker.create_model_package_group(
        ModelPackageGroupName=name,
        ModelPackageGroupDescription="one per pipeline",
        Tags=[{"Key": "pipeline", "Value": "digits"}],
    )["ModelPackageGroupArn"]
    assert arn == f"arn:aws:sagemaker:us-east-1:000000000000:model-package-group/{name.lower()}"
    for named in (name, name.lower(), arn):
        described = sagemaker.describe_model_package_group(ModelPackageGroupName=named)
        assert (described["ModelPackageGroupName"], described["ModelPackageGroupStatus"]) == (
            name,
            "Completed",
        )
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "pipeline", "Value": "digits"}]
    (listed,) = sagemaker.list_model_package_groups(NameContains=bucket)["ModelPackageGroupSummaryList"]
    assert listed["ModelPackageGroupArn"] == arn
    assert refused(sagemaker.create_model_package_group, ModelPackageGroupName=name) == (
        "ValidationException",
        f"Model Package Group already exists: {arn}",
    )

    package = version(sagemaker, name)
    assert refused(sagemaker.delete_model_package_group, ModelPackageGroupName=name)[0] == "ConflictException"
    sagemaker.delete_model_package(ModelPackageName=package)
    sagemaker.delete_model_package_group(ModelPackageGroupName=name)
    assert refused(sagemaker.describe_model_package_group, ModelPackageGroupName=name) == (
        "ValidationException",
        f"ModelPackageGroup {arn} does not exist.",
    )


def test_versions_count_up_and_no_number_comes_back(sagemaker: Any, group: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        arns = list(pool.map(lambda _: version(sagemaker, group), range(4)))
    prefix = f"arn:aws:sagemaker:us-east-1:000000000000:model-package/{group}/"
    assert sorted(arns) == [f"{prefix}{number}" for number in range(1, 5)]
    sagemaker.delete_model_package(ModelPackageName=f"{prefix}4")
    assert version(sagemaker, group) == f"{prefix}5"
    assert refused(sagemaker.describe_model_package, ModelPackageName=f"{prefix}4") == (
        "ValidationException",
        f"ModelPackage {prefix}4 does not exist.",
    )


def test_a_version_keeps_what_it_was_registered_with(sagemaker: Any, group: str) -> None:
    given = {
        "ModelPackageDescription": "round 4",
        "InferenceSpecification": specification(),
        "ModelMetrics": METRICS,
        "MetadataProperties": {"CommitId": "9f2c1ab", "GeneratedBy": f"arn:training-job/{group}"},
        "CustomerMetadataProperties": {"map50-day": "0.612"},
        "Domain": "COMPUTER_VISION",
        "Task": "OBJECT_DETECTION",
    }
    arn = version(sagemaker, group, **given)
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    assert {name: described[name] for name in given} == given
    assert (described["ModelPackageGroupName"], described["ModelPackageVersion"]) == (group, 1)
    assert described["ModelPackageName"] == group
    assert described["ModelPackageStatus"] == "Completed"
    assert described["ModelApprovalStatus"] == "PendingManualApproval"  # when nobody said


def test_a_client_token_makes_one_version_only(sagemaker: Any, group: str) -> None:
    first = version(sagemaker, group, ClientToken="training-job-1")
    assert version(sagemaker, group, ClientToken="training-job-1") == first
    assert version(sagemaker, group, ClientToken="training-job-2") != first
    code, said = refused(
        sagemaker.create_model_package,
        ModelPackageGroupName=group,
        InferenceSpecification=specification("s3://b/other.tar.gz"),
        ClientToken="training-job-1",
    )
    assert code == "ConflictException"
    assert first in said


def test_any_approval_follows_any_other_and_says_why(sagemaker: Any, group: str) -> None:
    arn = version(sagemaker, group)
    for status in ("Approved", "Rejected", "Approved", "PendingManualApproval"):
        sagemaker.update_model_package(
            ModelPackageArn=arn, ModelApprovalStatus=status, ApprovalDescription=f"now {status}"
        )
        described = sagemaker.describe_model_package(ModelPackageName=arn)
        assert described["ModelApprovalStatus"] == status
        assert described["ApprovalDescription"] == f"now {status}"
        assert described["LastModifiedTime"] >= described["CreationTime"]


def test_properties_are_merged_and_removed_within_their_limits(sagemaker: Any, group: str) -> None:
    arn = version(sagemaker, group, CustomerMetadataProperties={"a": "1", "b": "2"})

    def update(**changes: Any) -> dict[str, str]:
        sagemaker.update_model_package(ModelPackageArn=arn, **changes)
        described = sagemaker.describe_model_package(ModelPackageName=arn)
        return dict(described.get("CustomerMetadataProperties", {}))

    assert update(CustomerMetadataProperties={"b": "3", "c": "4"}) == {"a": "1", "b": "3", "c": "4"}
    assert update(CustomerMetadataPropertiesToRemove=["a", "unknown"]) == {"b": "3", "c": "4"}
    many = {f"k{number}": "v" for number in range(49)}
    code, said = refused(sagemaker.update_model_package, ModelPackageArn=arn, CustomerMetadataProperties=many)
    assert code == "ValidationException"
    assert "at most 50 CustomerMetadataProperties, not 51" in said
    assert update(CustomerMetadataPropertiesToRemove=["b", "c"]) == {}
    for properties in ({"k" * 129: "v"}, {"k": "v" * 257}, {f"k{n}": "v" for n in range(51)}):
        for call in (
            lambda p: version(sagemaker, group, CustomerMetadataProperties=p),
            lambda p: update(CustomerMetadataProperties=p),
        ):
            with pytest.raises(ClientError, match="less than or equal to"):
                call(properties)


def test_versions_are_listed_by_approval_time_type_and_page(sagemaker: Any, group: str) -> None:
    before = datetime.now(UTC)
    arns = [version(sagemaker, group) for _ in range(12)]
    for arn in arns[3:5]:
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    alone = sagemaker.create_model_package(
        ModelPackageName=f"{group}-alone", InferenceSpecification=specification()
    )["ModelPackageArn"]

    def listed(**filters: Any) -> list[str]:
        pages = sagemaker.get_paginator("list_model_packages").paginate(
            PaginationConfig={"PageSize": 5}, **filters
        )
        return [item["ModelPackageArn"] for page in pages for item in page["ModelPackageSummaryList"]]

    assert listed(ModelPackageGroupName=group) == arns
    assert listed(ModelPackageGroupName=group, SortOrder="Descending") == arns[::-1]
    assert listed(ModelPackageGroupName=group, SortBy="Name") == arns  # 10 comes after 9
    newest = sagemaker.list_model_packages(
        ModelPackageGroupName=group, ModelApprovalStatus="Approved", SortOrder="Descending", MaxResults=1
    )["ModelPackageSummaryList"][0]
    assert (newest["ModelPackageArn"], newest["ModelPackageVersion"]) == (arns[4], 5)
    assert listed(ModelPackageGroupName=group, ModelApprovalStatus="Approved") == arns[3:5]
    assert listed(ModelPackageGroupName=group, CreationTimeBefore=before) == []
    assert listed(NameContains=group) == [alone]  # without a group: packages of none
    assert set(listed(NameContains=group, ModelPackageType="Both")) == {alone, *arns}
    assert listed(NameContains=group, ModelPackageType="Versioned", CreationTimeAfter=before) == arns
    code, said = refused(sagemaker.list_model_packages, ModelPackageGroupName="no-such-group")
    assert (code, "does not exist" in said) == ("ValidationException", True)


def test_requests_that_no_version_can_come_from(sagemaker: Any, group: str) -> None:
    sound = {"ModelPackageGroupName": group, "InferenceSpecification": specification()}
    unknown = specification(image="1.dkr.ecr.us-east-1.amazonaws.com/xgboost:1")
    for changes, said in (
        ({"ModelPackageName": "both"}, "one of them, not ModelPackageName and ModelPackageGroupName"),
        ({"ModelPackageGroupName": "no-such-group"}, "does not exist"),
        ({"InferenceSpecification": unknown}, "It has blobs, fake, image-classification, object-detection"),
        ({"InferenceSpecification": {"Containers": [{}]}}, "needs an Image"),
        ({"Tags": [{"Key": "a", "Value": "b"}]}, "A versioned model package cannot have tags"),
        ({"ModelApprovalStatus": "Maybe"}, "Member must satisfy enum value set"),
    ):
        code, message = refused(sagemaker.create_model_package, **sound | changes)
        assert code == "ValidationException"
        assert said in message


def test_only_an_approved_version_becomes_a_model_that_serves(
    cloud: LocalCloud, sagemaker: Any, group: str
) -> None:
    """The model goes on with what the package said, even when the package is rejected or deleted later."""
    make_model(cloud, group, f"{group}-archive")
    url = f"s3://{group}/{group}-archive/model.tar.gz"
    arn = version(sagemaker, group, InferenceSpecification=specification(url))
    model = {
        "ModelName": f"{group}-m",
        "Containers": [{"ModelPackageName": arn, "Environment": {"ECHO": "packaged"}}],
        "ExecutionRoleArn": ROLE,
    }
    for status in ("PendingManualApproval", "Rejected"):
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status)
        code, said = refused(sagemaker.create_model, **model)
        assert code == "ValidationException"
        assert f"{arn} cannot be used: its ModelApprovalStatus is {status}" in said
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    both = model | {"Containers": [{"ModelPackageName": arn, "Image": DETECTION_IMAGE}]}
    assert "ModelPackageName brings Image" in refused(sagemaker.create_model, **both)[1]

    sagemaker.create_model(**model)
    sagemaker.delete_model_package(ModelPackageName=arn)

    assert sagemaker.describe_model(ModelName=f"{group}-m")["Containers"] == model["Containers"]
    assert "does not exist" in refused(sagemaker.create_model, **model | {"ModelName": "other"})[1]
    cloud.client("s3").put_object(Bucket=group, Key="in/a.jpg", Body=b"image")
    sagemaker.create_transform_job(**transform_request(f"{group}-t", group, f"{group}-m"))
    assert transformed(cloud, f"{group}-t")["TransformJobStatus"] == "Completed"
    out = json.loads(cloud.client("s3").get_object(Bucket=group, Key="out/a.jpg.out")["Body"].read())
    assert (out["environment"], out["model"]) == ("packaged", ["weights.bin"])
