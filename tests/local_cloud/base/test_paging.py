"""Lists of the base services while somebody writes: botocore's own paginators, and a writer between each two
pages that puts something before what was read and takes away something that was read.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from tests.support.cloud import LocalCloud

GROUP = "/paging/group"


@dataclass(frozen=True)
class Listed:
    """A kind of thing that is listed: how one is made and taken away, and its names on a page."""

    service: str
    operation: str
    make: Callable[[Any, str], Any]
    take: Callable[[Any, str], Any]
    names: Callable[[dict[str, Any]], list[str]]
    arguments: dict[str, Any]


def _group(logs: Any, name: str = GROUP) -> None:
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=name)


def _stream(logs: Any, name: str, group: str = GROUP) -> None:
    _group(logs, group)
    logs.create_log_stream(logGroupName=group, logStreamName=name)


def _written_stream(logs: Any, name: str) -> None:
    _stream(logs, name, f"{GROUP}/times")
    _say(logs, name, "a line", group=f"{GROUP}/times")


def _say(logs: Any, stream: str, *lines: str, group: str = GROUP) -> None:
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line} for line in lines]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def _filter(logs: Any, name: str) -> None:
    _group(logs)
    arn = "arn:aws:lambda:us-east-1:000000000000:function:nobody"
    logs.put_subscription_filter(logGroupName=GROUP, filterName=name, filterPattern="", destinationArn=arn)


def _rule(events: Any, name: str) -> None:
    events.put_rule(Name=name, ScheduleExpression="rate(1 day)")
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": QUEUE + name.rpartition("-")[0]}])


def _forget_rule(events: Any, name: str) -> None:
    events.remove_targets(Rule=name, Ids=["1"])
    events.delete_rule(Name=name)


QUEUE = "arn:aws:sqs:us-east-1:000000000000:"
EACH = {
    "log groups": Listed(
        "logs",
        "describe_log_groups",
        lambda logs, name: logs.create_log_group(logGroupName=name),
        lambda logs, name: logs.delete_log_group(logGroupName=name),
        lambda page: [group["logGroupName"] for group in page["logGroups"]],
        {"logGroupNamePrefix": "paged-"},
    ),
    "log streams": Listed(
        "logs",
        "describe_log_streams",
        _stream,
        lambda logs, name: logs.delete_log_stream(logGroupName=GROUP, logStreamName=name),
        lambda page: [stream["logStreamName"] for stream in page["logStreams"]],
        {"logGroupName": GROUP, "logStreamNamePrefix": "paged-"},
    ),
    "log streams by the time of their last line": Listed(
        "logs",
        "describe_log_streams",
        _written_stream,
        lambda logs, name: logs.delete_log_stream(logGroupName=f"{GROUP}/times", logStreamName=name),
        lambda page: [stream["logStreamName"] for stream in page["logStreams"]],
        {"logGroupName": f"{GROUP}/times", "orderBy": "LastEventTime", "descending": True},
    ),
    "subscription filters": Listed(
        "logs",
        "describe_subscription_filters",
        _filter,
        lambda logs, name: logs.delete_subscription_filter(logGroupName=GROUP, filterName=name),
        lambda page: [item["filterName"] for item in page["subscriptionFilters"]],
        {"logGroupName": GROUP, "filterNamePrefix": "paged-"},
    ),
    "rules": Listed(
        "events",
        "list_rules",
        _rule,
        _forget_rule,
        lambda page: [rule["Name"] for rule in page["Rules"]],
        {"NamePrefix": "paged-"},
    ),
    "rules of a target": Listed(
        "events",
        "list_rule_names_by_target",
        _rule,
        _forget_rule,
        lambda page: page["RuleNames"],
        {"TargetArn": QUEUE + "paged-rules-of-a-target"},
    ),
    "queues": Listed(
        "sqs",
        "list_queues",
        lambda sqs, name: sqs.create_queue(QueueName=name),
        lambda sqs, name: sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"]),
        lambda page: [url.rpartition("/")[2] for url in page.get("QueueUrls", [])],
        {"QueueNamePrefix": "paged-"},
    ),
}


@pytest.fixture
def again(request: pytest.FixtureRequest) -> str:
    """What a second try puts before its names: those of the first are taken."""
    return "again-" * (getattr(request.node, "execution_count", 1) - 1)


@pytest.mark.parametrize("kind", EACH)
def test_a_list_gives_each_thing_once_while_others_come_and_go(
    cloud: LocalCloud, kind: str, again: str
) -> None:
    listed, prefix = EACH[kind], "paged-" + again + kind.replace(" ", "-")
    client = cloud.client(listed.service)
    stay = [f"{prefix}-m{number}" for number in range(10)]
    for name in (f"{prefix}-l", *stay):
        listed.make(client, name)
    seen: list[str] = []
    pages = client.get_paginator(listed.operation).paginate(
        **{name: _of_this_try(value, again) for name, value in listed.arguments.items()},
        PaginationConfig={"PageSize": 3},
    )
    for number, page in enumerate(pages):
        found = [name for name in listed.names(page) if name.startswith(prefix)]
        seen += found
        if number == 0:
            listed.take(client, f"{prefix}-l")
        if number == 1:
            listed.make(client, f"{prefix}-a0")
            listed.make(client, f"{prefix}-a1")
        assert number < 100, "a list without an end"
    assert len(seen) == len(set(seen))
    assert set(stay) <= set(seen)


def _of_this_try(value: Any, again: str) -> Any:
    return value.replace("paged-", f"paged-{again}") if isinstance(value, str) else value


def test_a_token_of_no_listing_is_refused_and_a_page_may_be_asked_for_again(
    cloud: LocalCloud, again: str
) -> None:
    logs, prefix = cloud.client("logs"), f"{again}tokens-"
    for name in "abc":
        logs.create_log_group(logGroupName=f"{prefix}{name}")
    asked = {"logGroupNamePrefix": prefix, "limit": 2}
    token = logs.describe_log_groups(**asked)["nextToken"]
    twice = [logs.describe_log_groups(**asked, nextToken=token)["logGroups"] for _ in range(2)]
    assert twice[0] == twice[1]
    for service, call, token_name in (
        ("logs", "describe_log_groups", "nextToken"),
        ("events", "list_rules", "NextToken"),
    ):
        with pytest.raises(ClientError, match="list from the start again"):
            getattr(cloud.client(service), call)(**{token_name: "of-nobody"})


@pytest.fixture
def stream(cloud: LocalCloud, request: pytest.FixtureRequest, again: str) -> tuple[str, str]:
    group, name = f"/paging/{again}{request.node.name}", "one/stream"
    _stream(cloud.client("logs"), name, group)
    return group, name


@pytest.fixture
def writer(cloud: LocalCloud, stream: tuple[str, str]) -> Iterator[Callable[[], list[str]]]:
    """Somebody who writes 200 lines, a few at a time; called, it says what is written once it has ended."""
    lines = [f"line {number}" for number in range(200)]

    def write() -> None:
        logs = cloud.session().client("logs", endpoint_url=cloud.endpoint_url)
        for start in range(0, len(lines), 8):
            _say(logs, stream[1], *lines[start : start + 8], group=stream[0])

    thread = threading.Thread(target=write)
    thread.start()

    def ended() -> list[str]:
        thread.join()
        return lines

    yield ended
    thread.join()


def test_a_tail_by_its_token_prints_each_line_once_and_ends(
    cloud: LocalCloud, stream: tuple[str, str], writer: Callable[[], list[str]]
) -> None:
    """SageMaker's SDK reads so: the token of the last answer, until an answer is empty."""
    logs, seen = cloud.client("logs"), []
    token: dict[str, str] = {}
    lines: list[str] | None = None
    while True:
        reply = logs.get_log_events(
            logGroupName=stream[0], logStreamName=stream[1], startFromHead=True, limit=7, **token
        )
        seen += [event["message"] for event in reply["events"]]
        if not reply["events"]:
            assert token in ({}, {"nextToken": reply["nextForwardToken"]}), "an end that moves on"
            if lines is not None:
                break
            lines = writer() if len(seen) > 50 else None
        token = {"nextToken": reply["nextForwardToken"]}
    assert seen == lines


def test_filtering_by_pages_gives_each_line_once(
    cloud: LocalCloud, stream: tuple[str, str], writer: Callable[[], list[str]]
) -> None:
    """`aws logs tail` reads so; ministack has no second page, and many lines of one millisecond."""
    logs = cloud.client("logs")
    lines = writer()
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=stream[0], PaginationConfig={"PageSize": 13}
    )
    seen = []
    for number, page in enumerate(pages):
        seen += [event["message"] for event in page["events"]]
        if number < 5:
            _say(logs, stream[1], f"later {number}", group=stream[0])
        assert number < 200, "a list without an end"
    assert seen == [*lines, *(f"later {number}" for number in range(5))]


def test_filtering_goes_on_where_ten_thousand_events_end(cloud: LocalCloud, stream: tuple[str, str]) -> None:
    logs = cloud.client("logs")
    for start in (0, 6_000):
        _say(logs, stream[1], *(f"{number}" for number in range(start, start + 6_000)), group=stream[0])
        time.sleep(0.002)  # another millisecond
    pages = list(logs.get_paginator("filter_log_events").paginate(logGroupName=stream[0]))
    assert [len(page["events"]) for page in pages] == [10_000, 2_000]
    seen = [event["message"] for page in pages for event in page["events"]]
    assert sorted(seen, key=int) == [str(number) for number in range(12_000)]


def test_filtering_looks_at_the_prefix_of_stream_names_and_at_the_arn_of_a_group(
    cloud: LocalCloud, stream: tuple[str, str]
) -> None:
    logs = cloud.client("logs")
    _stream(logs, "two/stream", stream[0])
    _say(logs, "one/stream", "first", group=stream[0])
    _say(logs, "two/stream", "second", group=stream[0])
    for prefix, said in (("one/", ["first"]), ("two/", ["second"]), ("three/", [])):
        found = logs.filter_log_events(logGroupName=stream[0], logStreamNamePrefix=prefix)["events"]
        assert [event["message"] for event in found] == said
    for group in (stream[0], f"arn:aws:logs:us-east-1:000000000000:log-group:{stream[0]}"):
        found = logs.describe_log_streams(logGroupIdentifier=group)["logStreams"]
        assert [item["logStreamName"] for item in found] == ["one/stream", "two/stream"]
        assert len(logs.filter_log_events(logGroupIdentifier=group)["events"]) == 2


S3_LISTS = {
    "list_objects": ("Contents", "Key", "MaxKeys"),
    "list_objects_v2": ("Contents", "Key", "MaxKeys"),
    "list_object_versions": ("Versions", "Key", "MaxKeys"),
    "list_multipart_uploads": ("Uploads", "Key", "MaxUploads"),
}


@pytest.mark.parametrize("operation", S3_LISTS)
def test_s3_lists_each_key_once_while_others_come_and_go(
    cloud: LocalCloud, bucket: str, operation: str
) -> None:
    s3, (member, name, _) = cloud.client("s3"), S3_LISTS[operation]
    uploads = operation == "list_multipart_uploads"

    def make(key: str) -> None:
        if uploads:
            s3.create_multipart_upload(Bucket=bucket, Key=key)
        else:
            s3.put_object(Bucket=bucket, Key=key, Body=b"x")

    odd = ("k/ä b", "k/&<>", "k/%2F", "k//", "k/a.jpg", "k/a.jpg/b", "k/+")
    stay = [*odd, *(f"m{number}" for number in range(10))]
    for key in (*stay, "goes"):
        make(key)
    seen: list[str] = []
    pages = s3.get_paginator(operation).paginate(Bucket=bucket, PaginationConfig={"PageSize": 3})
    for number, page in enumerate(pages):
        seen += [item[name] for item in page.get(member, [])]
        make(f"a{number}")
        if number == 1 and not uploads:
            s3.delete_object(Bucket=bucket, Key="goes")
        assert number < 100, "a list without an end"
    assert len(seen) == len(set(seen))
    assert set(stay) <= set(seen)


def test_s3_lists_folders_and_parts_page_by_page(cloud: LocalCloud, bucket: str) -> None:
    s3 = cloud.client("s3")
    for number in range(7):
        for name in ("a", "b"):
            s3.put_object(Bucket=bucket, Key=f"{number}/{name}", Body=b"")
    for operation in ("list_objects", "list_objects_v2"):
        pages = s3.get_paginator(operation).paginate(
            Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 2}
        )
        found = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])]
        assert found == [f"{number}/" for number in range(7)]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    for number in range(1, 8):
        s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, Body=b"x")
    pages = s3.get_paginator("list_parts").paginate(
        Bucket=bucket, Key="k", UploadId=upload, PaginationConfig={"PageSize": 2}
    )
    assert [part["PartNumber"] for page in pages for part in page["Parts"]] == list(range(1, 8))


def test_s3_lists_versions_page_by_page(cloud: LocalCloud, bucket: str) -> None:
    s3 = cloud.client("s3")
    s3.put_object(Bucket=bucket, Key="m", Body=b"before there were versions")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in ("a", "m", "z/1", "z/2"):
        for number in range(3):
            s3.put_object(Bucket=bucket, Key=key, Body=f"{number}".encode())
    s3.delete_object(Bucket=bucket, Key="a")

    def listed(size: int, **arguments: str) -> list[tuple[str, str, bool]]:
        pages = s3.get_paginator("list_object_versions").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": size}, **arguments
        )
        found = []
        for number, page in enumerate(pages):
            found += [(item["Key"], item["VersionId"], item["IsLatest"]) for item in page.get("Versions", [])]
            found += [(item["Key"], "deleted", item["IsLatest"]) for item in page.get("DeleteMarkers", [])]
            found += [(item["Prefix"], "", False) for item in page.get("CommonPrefixes", [])]
            assert number < 50, "a list without an end"
        return found

    whole = listed(1)
    assert [key for key, _, _ in whole] == ["a"] * 4 + ["m"] * 4 + ["z/1"] * 3 + ["z/2"] * 3
    assert [key for key, _, latest in whole if latest] == ["a", "m", "z/1", "z/2"]
    assert whole[0] == ("a", "deleted", True)
    assert whole[7] == ("m", "null", False)
    assert sorted(listed(3)) == sorted(whole)
    for size in (1, 2):
        assert [key for key, _, _ in listed(size, Delimiter="/")] == ["a"] * 4 + ["m"] * 4 + ["z/"]
        assert [key for key, _, _ in listed(size, Prefix="z/2")] == ["z/2"] * 3


def test_a_versioned_bucket_is_emptied_page_by_page(cloud: LocalCloud, bucket: str) -> None:
    """As boto3's ``bucket.object_versions.delete()`` does: a page is deleted before the next is read."""
    s3 = cloud.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in ("a", "b"):
        for _ in range(5):
            s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    collection = (
        cloud.session().resource("s3", endpoint_url=cloud.endpoint_url).Bucket(bucket).object_versions
    )
    collection.page_size(3).delete()
    s3.delete_bucket(Bucket=bucket)


@pytest.mark.parametrize("service", ["s3", "iam", "sqs", "events", "logs", "cloudwatch"])
def test_every_paginator_of_the_sdk_comes_to_an_end_or_to_a_refusal(
    cloud: LocalCloud, bucket: str, service: str
) -> None:
    client = cloud.client(service)
    model = botocore.session.get_session().get_paginator_model(service)
    for operation in sorted(model._paginator_config):
        shape = client.meta.service_model.operation_model(operation).input_shape
        arguments = {name: _some(shape.members[name], bucket) for name in shape.required_members}
        pages = client.get_paginator(xform_name(operation)).paginate(**arguments)
        refused = 0
        try:
            count = sum(1 for _ in islice(pages, 50))
        except ClientError as error:
            count, refused = 0, error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert count < 50, f"{operation} has no end"
        assert refused in (0, 400, 404, 501), f"{operation} failed"


def _some(shape: Any, text: str) -> Any:
    """A value of this shape that passes botocore's own checks."""
    kind = shape.type_name
    if kind == "structure":
        return {name: _some(shape.members[name], text) for name in shape.required_members}
    if kind == "list":
        return [_some(shape.member, text)]
    return {"string": text, "integer": 60, "timestamp": 0}.get(kind, True)
