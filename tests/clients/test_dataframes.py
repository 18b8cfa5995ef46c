"""Tables straight from S3: pandas by s3fs and by Arrow's own client, which is Amazon's SDK for C++."""

from __future__ import annotations

import os
import random

import pandas as pd
import pyarrow.dataset as ds
import pyarrow.fs as arrow
import pyarrow.parquet as pq
import pytest
import s3fs
from pandas.testing import assert_frame_equal

from tests.support.cloud import LocalCloud

TABLE = pd.DataFrame({"number": range(1_000), "side": ["left", "right"] * 500})
ODD_KEYS = ("a b+c/ü&<>.bin", "x%2Fy", "q?r=1#z", "~'(x)*!", "folder//double")  # Arrow refuses the last one


@pytest.fixture(autouse=True)
def environment(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """What README tells people to set. Amazon's SDK for C++ does not read endpoint_url from the file."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in (cloud.env() | {"AWS_ENDPOINT_URL": cloud.endpoint_url}).items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def dotted(cloud: LocalCloud, bucket: str) -> str:
    """A bucket whose name could be taken for a host."""
    name = f"{bucket}.with.dots"
    cloud.client("s3").create_bucket(Bucket=name)
    return name


@pytest.mark.parametrize("options", [None, {"anon": False}], ids=["by Arrow", "by s3fs"])
def test_pandas_reads_and_writes_parquet_and_csv(dotted: str, options: dict[str, object] | None) -> None:
    parquet, csv = f"s3://{dotted}/tables/a b+ü.parquet", f"s3://{dotted}/tables/a.csv.gz"
    TABLE.to_parquet(parquet, storage_options=options)
    assert_frame_equal(pd.read_parquet(parquet, storage_options=options), TABLE)
    assert list(pd.read_parquet(parquet, columns=["side"], storage_options=options)) == ["side"]
    TABLE.to_csv(csv, index=False, storage_options=options)
    assert_frame_equal(pd.read_csv(csv, storage_options=options), TABLE, check_dtype=False)


def test_arrow_keeps_every_key_and_a_large_object(cloud: LocalCloud, dotted: str) -> None:
    s3, files = cloud.client("s3"), arrow.FileSystem.from_uri(f"s3://{dotted}/")[0]
    big = random.Random(1).randbytes((11 << 20) + 3)  # two parts
    for key, data in [*((key, key.encode()) for key in ODD_KEYS[:-1]), ("big", big)]:
        with files.open_output_stream(f"{dotted}/{key}") as stream:
            stream.write(data)
        assert s3.get_object(Bucket=dotted, Key=key)["Body"].read() == data
        with files.open_input_file(f"{dotted}/{key}") as file:
            assert file.size() == len(data)
            file.seek(len(data) - 3)
            assert file.read() == data[-3:]
    files.copy_file(f"{dotted}/big", f"{dotted}/copy")
    files.move(f"{dotted}/copy", f"{dotted}/moved")
    assert s3.head_object(Bucket=dotted, Key="moved")["ContentLength"] == len(big)
    files.delete_dir_contents(dotted)
    assert s3.list_objects_v2(Bucket=dotted)["KeyCount"] == 0


def test_arrow_reads_a_folder_of_parquet_files_as_one_table(bucket: str) -> None:
    files, _ = arrow.FileSystem.from_uri(f"s3://{bucket}/")
    TABLE.to_parquet(f"s3://{bucket}/one.parquet")
    table = pq.read_table(f"{bucket}/one.parquet", filesystem=files)
    ds.write_dataset(table, f"{bucket}/parts", filesystem=files, format="parquet", partitioning=["side"])
    parts = ds.dataset(f"{bucket}/parts", filesystem=files, partitioning=["side"])
    assert parts.count_rows() == 1_000
    assert parts.to_table(filter=ds.field("side") == "left").num_rows == 500


def test_s3fs_is_a_file_system(cloud: LocalCloud, dotted: str) -> None:
    files = s3fs.S3FileSystem()
    for key in ODD_KEYS:
        files.pipe(f"{dotted}/{key}", key.encode())
    found = [item["Key"] for item in cloud.client("s3").list_objects_v2(Bucket=dotted)["Contents"]]
    assert sorted(found) == sorted(ODD_KEYS)
    assert files.cat(f"{dotted}/{ODD_KEYS[0]}") == ODD_KEYS[0].encode()
    with files.open(f"{dotted}/big", "wb", block_size=5 << 20) as stream:
        stream.write(b"q" * (11 << 20))
    with files.open(f"{dotted}/big", "rb") as stream:
        stream.seek(10 << 20)
        assert stream.read(3) == b"qqq"
    files.copy(f"{dotted}/big", f"{dotted}/folder/big")
    assert files.ls(f"{dotted}/folder", refresh=True)
    files.rm(dotted, recursive=True)
    assert not files.exists(dotted)
