"""A second training image for tests, and really another one: it finds blobs of colours that it has learned.

Its hyperparameters and channels have names of their own, it reads COCO's annotations beside images, takes no
hyperparameter that it does not know, and answers COCO's results in pixels. What it learns is real: colours of
each class, moved towards those of the labelled boxes epoch by epoch; a model that is trained further keeps
what its parent has. Run as ``python -m tests.support.blobs train|serve``, by SageMaker's container contract.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from include.pictures import PictureError, read

ROOT = Path(os.environ.get("SM_ML_ROOT", "/opt/ml"))
KNOWN = {"nc", "names", "max_epochs", "lr0", "samples", "warm", "tolerance"}
ACCEPTS = ("image/jpeg", "application/x-coco-results+json")
LEAST_PIXELS = 20
Colours = list[tuple[int, NDArray[np.float64]]]  # category and colour


def train() -> int:
    """Fail with a reason for what a careless loop would send, else learn and leave ``colours.json``."""
    settings = json.loads((ROOT / "input/config/hyperparameters.json").read_text())
    channels = json.loads((ROOT / "input/config/inputdataconfig.json").read_text())
    try:
        if strange := settings.keys() - KNOWN:
            raise ValueError(f"no such hyperparameters: {sorted(strange)}")
        data = ROOT / "input/data"
        parent = data / "weights" / "model.tar.gz"
        if parent.exists() != (settings["warm"] == "1"):
            raise ValueError(f"warm is {settings['warm']}, and the channels are {sorted(channels)}")
        learning, checking = (_pictures(data, split) for split in ("train", "validation"))
        names = [item["name"] for item in _annotations(data, "train")["categories"]]
        if json.loads(settings["names"]) != names or len(names) != int(settings["nc"]):
            raise ValueError(f"classes {settings['names']} are not the categories {names}")
        if len(learning) != int(settings["samples"]):
            raise ValueError(f"{len(learning)} images, and samples is {settings['samples']}")
        _learn(_load(parent) if parent.exists() else [], learning, checking, settings)
    except (ValueError, KeyError, OSError) as error:
        (ROOT / "output" / "failure").write_text(f"{type(error).__name__}: {error}")
        return 1
    return 0


def _learn(colours: Colours, learning: list[Any], checking: list[Any], settings: dict[str, str]) -> None:
    tolerance, rate = float(settings["tolerance"]), float(settings["lr0"])
    boxes = [(category, _middle(pixels, box)) for pixels, found in learning for category, box in found]
    for category, colour in boxes:  # a new colour begins beside what was seen, towards grey
        if not any(c == category and _far(colour, known) < tolerance for c, known in colours):
            colours.append((category, colour + np.sign(128 - colour) * tolerance / 4))
    for epoch in range(int(settings["max_epochs"])):
        losses = []
        for category, colour in boxes:
            mine = [index for index, (c, _) in enumerate(colours) if c == category]
            nearest = min(mine, key=lambda index: _far(colour, colours[index][1]))
            known = colours[nearest][1]
            losses.append(_far(colour, known))
            colours[nearest] = (category, known + rate * (colour - known))
        recall = _recall(colours, checking, tolerance)
        print(f"epoch {epoch + 1}: loss={np.mean(losses):.4f} recall50={recall:.4f}", flush=True)
    kept = {"tolerance": tolerance, "colours": [[c, *colour.tolist()] for c, colour in colours]}
    (ROOT / "model" / "colours.json").write_text(json.dumps(kept))


def _recall(colours: Colours, checking: list[Any], tolerance: float) -> float:
    """The share of labelled boxes that are found with their class and half of the area in common."""
    hits = [
        any(one["category_id"] == category and _overlap(one["bbox"], box) >= 0.5 for one in said)
        for pixels, found in checking
        for said in [_find(colours, tolerance, pixels)]
        for category, box in found
    ]
    return float(np.mean(hits)) if hits else 0.0


def _find(colours: Colours, tolerance: float, pixels: NDArray[np.float64]) -> list[dict[str, Any]]:
    far = np.stack([np.linalg.norm(pixels - colour, axis=2) for _, colour in colours])
    nearest, least = far.argmin(axis=0), far.min(axis=0)
    found = []
    for category in sorted({category for category, _ in colours}):
        mine = [index for index, (c, _) in enumerate(colours) if c == category]
        regions, _ = ndimage.label(np.isin(nearest, mine) & (least < tolerance))
        for number, place in enumerate(ndimage.find_objects(regions), 1):
            inside = regions[place] == number
            if inside.sum() >= LEAST_PIXELS:
                score = 1 - float(least[place][inside].mean()) / tolerance
                (top, bottom), (left, right) = ((side.start, side.stop) for side in place)
                box = [left, top, right - left, bottom - top]
                found.append({"image_id": 0, "category_id": category, "bbox": box, "score": round(score, 4)})
    return found


def _middle(pixels: NDArray[np.float64], box: list[float]) -> NDArray[np.float64]:
    """The mean colour of the middle half of a box, which its shape fills."""
    left, top, width, height = box
    rows = slice(int(top + height / 4), int(top + height * 3 / 4) + 1)
    columns = slice(int(left + width / 4), int(left + width * 3 / 4) + 1)
    return np.asarray(pixels[rows, columns].mean(axis=(0, 1)))


def _far(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(one - other))


def _overlap(one: list[float], other: list[float]) -> float:
    sides = [min(one[n] + one[n + 2], other[n] + other[n + 2]) - max(one[n], other[n]) for n in (0, 1)]
    common = max(sides[0], 0) * max(sides[1], 0)
    return common / (one[2] * one[3] + other[2] * other[3] - common)


def _annotations(data: Path, split: str) -> dict[str, Any]:
    return dict(json.loads((data / "labels" / f"{split}.json").read_text()))


def _pictures(data: Path, split: str) -> list[Any]:
    """(pixels, [(category, box), …]) of each image of a split; every one is where COCO's file says."""
    said = _annotations(data, split)
    folder = data / {"train": "pictures", "validation": "val_pictures"}[split]
    found: dict[int, list[Any]] = {item["id"]: [] for item in said["images"]}
    for one in said["annotations"]:
        found[one["image_id"]].append((one["category_id"], one["bbox"]))
    pixels = {item["id"]: _pixels((folder / item["file_name"]).read_bytes()) for item in said["images"]}
    for item in said["images"]:
        if pixels[item["id"]].shape != (item["height"], item["width"], 3):
            raise ValueError(f"{item['file_name']} is not as large as said")
    return [(pixels[key], boxes) for key, boxes in found.items()]


def _pixels(body: bytes) -> NDArray[np.float64]:
    return np.asarray(read(body, "RGB").image, dtype=np.float64)


def _load(archive: Path) -> Colours:
    with tarfile.open(archive) as tar:
        body = tar.extractfile("colours.json")
        return _colours(json.load(body or io.BytesIO()))


def _colours(kept: dict[str, Any]) -> Colours:
    return [(int(category), np.array(colour)) for category, *colour in kept["colours"]]


class Server(BaseHTTPRequestHandler):
    """``/ping`` and ``/invocations``: one picture in, a list of results out."""

    kept: dict[str, Any]

    def do_GET(self) -> None:
        self._reply(200 if self.path == "/ping" else 404, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if (self.headers["Content-Type"], self.headers["Accept"]) != ACCEPTS:
            self._reply(415, b"only " + ", ".join(ACCEPTS).encode())
            return
        try:
            pixels = _pixels(body)
        except PictureError as error:
            self._reply(400, str(error).encode())
            return
        found = _find(_colours(self.kept), self.kept["tolerance"], pixels)
        self._reply(200, json.dumps(found).encode())

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", ACCEPTS[1])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def serve() -> int:
    Server.kept = json.loads((ROOT / "model" / "colours.json").read_text())
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Server).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit({"train": train, "serve": serve}[sys.argv[1]]())
