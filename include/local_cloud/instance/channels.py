"""The input of a training job as files: S3 prefixes and manifests, downloaded before the container starts.

Takes the ``InputDataConfig`` of the request, gives the directories ``input/data/<channel>/`` and the
configuration files of the container contract; Pipe channels go to ``pipes``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from include.local_cloud.instance import archives
from include.local_cloud.instance.cloud import Cloud, split_uri
from include.local_cloud.instance.container import MlTree
from include.local_cloud.instance.faults import ClientFault

_DOWNLOADS = 8
Channel = dict[str, Any]


def mode_of(channel: Channel, job: dict[str, Any]) -> str:
    """Pipe or File. FastFile streams a file system on AWS; to the container it looks like File."""
    mode = channel.get("InputMode", job["AlgorithmSpecification"]["TrainingInputMode"])
    return "Pipe" if mode == "Pipe" else "File"


def write_configuration(tree: MlTree, job: dict[str, Any]) -> None:
    """hyperparameters.json, inputdataconfig.json and resourceconfig.json."""
    inputs = {
        channel["ChannelName"]: {
            "TrainingInputMode": mode_of(channel, job),
            "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                "S3DataDistributionType", "FullyReplicated"
            ),
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
            **({"ContentType": channel["ContentType"]} if channel.get("ContentType") else {}),
        }
        for channel in job.get("InputDataConfig", [])
    }
    resources = {
        "current_host": "algo-1",
        "current_instance_type": job["ResourceConfig"].get("InstanceType", "local"),
        "hosts": ["algo-1"],  # one machine is all there is, whatever InstanceCount says
        "network_interface_name": "lo",
    }
    for name, value in (
        ("hyperparameters", job.get("HyperParameters", {})),
        ("inputdataconfig", inputs),
        ("resourceconfig", resources),
    ):
        (tree.config / f"{name}.json").write_text(json.dumps(value, indent=1))


def download(cloud: Cloud, channel: Channel, directory: Path, check: Callable[[], None]) -> None:
    """Fill a File channel's directory. ``check`` is called for each object and may raise."""
    compressed = channel.get("CompressionType") == "Gzip"
    directory.mkdir()
    taken: dict[Path, str] = {}

    def fetch(item: tuple[str, str]) -> None:
        check()
        uri, relative = item
        path = place(directory, relative, uri)
        if (other := taken.setdefault(path, uri)) != uri:
            raise ClientFault(f"{uri} and {other} would be the same file of channel {channel['ChannelName']}")
        cloud.download(uri, path)
        if compressed and path.suffix == ".gz":
            try:
                with open(path, "rb") as packed, open(path.with_suffix(""), "wb") as file:
                    for chunk in archives.gunzip(packed, uri):
                        check()
                        file.write(chunk)
            except OSError as error:
                raise ClientFault(f"{uri} cannot be stored as a file: {error.strerror}") from error
            path.unlink()

    with ThreadPoolExecutor(_DOWNLOADS) as pool:
        for _ in pool.map(fetch, objects(cloud, channel["DataSource"]["S3DataSource"])):
            pass


def place(directory: Path, relative: str, uri: str) -> Path:
    """Where an object belongs below a directory. Raises ``ClientFault`` when that would be elsewhere."""
    path = Path(os.path.normpath(directory / relative))
    if path == directory or not path.is_relative_to(directory):
        raise ClientFault(f"{uri} would be written outside of its directory")
    return path


def objects(cloud: Cloud, source: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(URI, path relative to the input) of each object of an S3Prefix or a ManifestFile, in order."""
    uri = source["S3Uri"]
    if source["S3DataType"] == "ManifestFile":
        yield from _of_manifest(uri, cloud.read(uri))
        return
    found = False
    for found_uri in cloud.keys(uri):
        found = True
        yield found_uri, relative_to(uri, found_uri)
    if not found:
        raise ClientFault(
            f'No S3 objects found under S3 URL "{uri}" given in input data source. Please '
            "ensure that the bucket exists and that objects exist under that S3 prefix"
        )


def relative_to(prefix: str, uri: str) -> str:
    """The path of an object below the prefix that found it: ``s3://b/in/`` and ``s3://b/in/a/1.jpg`` →
    ``a/1.jpg``.
    """
    below = prefix if prefix.endswith("/") else prefix + "/"
    if uri.startswith(below):
        return uri.removeprefix(below)
    # The prefix ends within a name (or is the whole key): the object is named from the last slash on.
    return uri[prefix.rfind("/") + 1 :]


def _of_manifest(manifest_uri: str, text: bytes) -> Iterator[tuple[str, str]]:
    """``[{"prefix": "s3://b/in/"}, "a/1.jpg", …]``; the prefix is put before each name as it is."""
    expected = '[{"prefix": "s3://bucket/some/"}, "relative/path", …]'
    try:
        head, *names = json.loads(text)
        prefix = head["prefix"]
        split_uri(str(prefix))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ClientFault(f"{manifest_uri} is not a manifest ({error}); expected {expected}") from None
    if not names or not all(isinstance(name, str) for name in (prefix, *names)):
        raise ClientFault(f"{manifest_uri} names no objects; expected {expected}")
    yield from ((prefix + name, name) for name in names)
