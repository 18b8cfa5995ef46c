"""The before and after pictures show the scenes with most to find, from what lies in the bucket."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

from include.demo import pictures
from include.demo.batch import Batch
from include.stack.settings import BUCKET, Port, StackSettings
from tests.support.cloud import LocalCloud

SIDE = 32
FOLDER = "pictures-test"


@pytest.fixture
def batch(cloud: LocalCloud, tmp_path: Path) -> Batch:
    home = tmp_path / "home"
    home.mkdir()
    (home / "cloud").symlink_to(cloud.data)
    ports = [Port(urlsplit(url).port or 0, "", "") for url in (cloud.endpoint_url, cloud.review_url)]
    batch = Batch(StackSettings(home, ports[0], ports[1], Port(1, "", "")), FOLDER, "2026-11-01")
    with contextlib.suppress(batch.s3.exceptions.BucketAlreadyOwnedByYou):
        batch.s3.create_bucket(Bucket=BUCKET)
    return batch


def put(batch: Batch, key: str, body: bytes) -> None:
    batch.s3.put_object(Bucket=BUCKET, Key=f"{FOLDER}/{key}", Body=body)


def jpeg() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), "black").save(stream, "JPEG")
    return stream.getvalue()


def test_the_fullest_scene_is_drawn_with_both_models_side_by_side(batch, tmp_path):
    lines = []
    said: dict[str, list[dict[str, str]]] = {"old": [], "new": []}
    for name, boxes in (("sparse.jpg", 1), ("sub/sparse.jpg", 3)):
        annotations = [{"class_id": 1, "left": 4, "top": 4, "width": 8, "height": 8}] * boxes
        source = f"s3://{BUCKET}/{FOLDER}/test/night/{name}"
        lines.append(json.dumps({"source-ref": source, "review": {"annotations": annotations}}))
        put(batch, f"test/night/{name}", jpeg())
        put(batch, f"evaluations/old/out/{name}.out", b'{"prediction": []}')
        found = {"prediction": [[1, 0.9, 0.5, 0.5, 0.75, 0.75], [2, 0.1, 0, 0, 1, 1]]}
        put(batch, f"evaluations/new/out/{name}.out", json.dumps(found).encode())
        for job, rows in said.items():
            rows.append({"image": source, "out": f"s3://{BUCKET}/{FOLDER}/evaluations/{job}/out/{name}.out"})
    for job, rows in said.items():
        put(batch, f"evaluations/{job}/outputs-1.json", json.dumps({"outputs": rows}).encode())
    put(batch, "test/night.manifest", "\n".join(lines).encode())

    drawn = pictures.draw(batch, "night", "old", "new", tmp_path, count=1)

    assert drawn == [tmp_path / "night-1.png"]
    sheet = Image.open(drawn[0]).convert("RGB")
    colours = {colour for _, colour in sheet.getcolors(sheet.width * sheet.height) or ()}
    assert {(76, 175, 80), (255, 179, 0)} <= colours  # the truth, and what was found
    middle = sheet.width // 2
    for edges, expected in (
        ((0, 0, middle, sheet.height), False),
        ((middle, 0, sheet.width, sheet.height), True),
    ):
        half = sheet.crop(edges)
        there = {colour for _, colour in half.getcolors(half.width * half.height) or ()}
        assert ((255, 179, 0) in there) is expected


def test_without_predictions_nothing_is_drawn(batch, tmp_path):
    assert pictures.draw(batch, "night", "none", "none", tmp_path) == []
