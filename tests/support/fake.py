"""The tests' own training image, under the same container contract as the real ones but done in a moment.

Training reads its channels and writes what it saw to ``model/seen.json``; hyperparameters say what else it
shall do, see ``train``. A model that was trained with a ``quality`` is served as a detector: it "sees" one
object of class 0 in every image that is not black, with the image's brightness as its score, and the box fits
as well as the quality says (1 is exact, 0 is beside it); in pixels, where ``annotation=1`` is accepted. One
that was told of ``multi_label`` is a classifier of two classes: the brightness is the score of the first one
(of the second where the quality is less than a half) and what is left to 1 that of the other. Any other model
answers with the size and the digest of what it was sent, and refuses a body that says ``bad``.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from PIL import ImageStat

from include import recordio
from include.pictures import PictureError, read

ROOT = Path(os.environ.get("SM_ML_ROOT", "/opt/ml"))
BLACK = 5


def train() -> int:
    """Behave as hyperparameter ``do`` says: learn (when it is left out), fail, die, count, sleep, or
    ignore-sigterm. ``until`` waits for a gate (see ``LocalCloud.gate``), ``fail_without`` fails unless the
    gate is there, and ``reason`` is what a failure says.
    """
    settings = json.loads((ROOT / "input/config/hyperparameters.json").read_text())
    inputs = json.loads((ROOT / "input/config/inputdataconfig.json").read_text())
    do = settings.get("do", "learn")
    print("started", flush=True)
    model = ROOT / "model"
    if do == "fail" or ("fail_without" in settings and not _gate(settings["fail_without"]).exists()):
        (ROOT / "output" / "failure").write_text(settings.get("reason", "the data made no sense"))
        print("score=0.1", flush=True)
        return 3
    if do == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if do == "count":
        _count(ROOT / settings.get("checkpoints", "checkpoints"))
    if do in ("sleep", "ignore-sigterm"):
        (model / "half.txt").write_text("half done")
        if do == "ignore-sigterm":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        else:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        print("sleeping", flush=True)
        if "until" not in settings:
            time.sleep(600)
    if "until" in settings:
        while not _gate(settings["until"]).exists():
            time.sleep(0.05)
    seen = {name: _seen(name, config, int(settings.get("epochs", 1))) for name, config in inputs.items()}
    (model / "seen.json").write_text(
        json.dumps({"hyperparameters": settings, "inputs": inputs, "seen": seen})
    )
    (ROOT / "output" / "data" / "notes.txt").write_text("notes")
    for score in (0.5, 0.75):
        print(f"score={score}", flush=True)
    return 0


def _gate(name: str) -> Path:
    return Path(os.environ["XDG_CACHE_HOME"], name)


def _count(directory: Path) -> None:
    """One more in the checkpoint ``a/count``, and another name for ``b``."""
    count = directory / "a" / "count"
    done = int(count.read_text()) if count.exists() else 0
    print(f"going on from {done}", flush=True)
    count.parent.mkdir(exist_ok=True)
    count.write_text(str(done + 1))
    (directory / f"b{done}").unlink(missing_ok=True)
    (directory / f"b{done + 1}").touch()


def _seen(name: str, config: dict[str, str], epochs: int) -> object:
    directory = ROOT / "input/data"
    if config["TrainingInputMode"] == "File":
        files = sorted(path for path in (directory / name).rglob("*") if path.is_file())
        return {str(path.relative_to(directory / name)): len(path.read_bytes()) for path in files}
    found = []
    for epoch in range(epochs):
        with open(directory / f"{name}_{epoch}", "rb") as pipe:
            if config["RecordWrapperType"] == "RecordIO":
                found.append([record.decode("latin-1") for record in recordio.read(pipe)])
            else:
                found.append([pipe.read().decode("latin-1")])
    return found


class Server(BaseHTTPRequestHandler):
    """``/ping`` and ``/invocations``."""

    at_once: ClassVar[list[int]] = []  # threads that answer a slow request now
    answered: ClassVar[threading.Event] = threading.Event()  # that somebody has had an answer

    def do_GET(self) -> None:
        self._reply(200 if self.path == "/ping" else 404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        trained = _trained()
        if "quality" in trained:
            quality = float(trained["quality"])
            if "multi_label" in trained:
                self._reply(*_classify(body, quality))
            else:
                self._reply(*_detect(body, quality, "annotation=1" in (self.headers["Accept"] or "")))
        elif body == b"bad":
            self._reply(400, {"error": "unable to decode the image"})
        elif body == b"crash":
            os._exit(1)
        elif body == b"crash after an answer":
            self.answered.wait()
            os._exit(1)
        elif body == b"slow":
            self.at_once.append(threading.get_ident())
            at_once = len(self.at_once)
            time.sleep(1)
            self.at_once.remove(threading.get_ident())
            self._reply(200, {"environment": os.environ.get("ECHO", ""), "at_once": at_once})
        else:
            answer = {
                "bytes": len(body),
                "sha256": hashlib.sha256(body).hexdigest(),
                "content_type": self.headers["Content-Type"],
                "accept": self.headers["Accept"],
                "model": sorted(path.name for path in (ROOT / "model").rglob("*")),
                "environment": os.environ.get("ECHO", ""),
            }
            self._reply(200, answer)
            self.answered.set()

    def _reply(self, status: int, value: object) -> None:
        body = json.dumps(value, sort_keys=True).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        print(format % args, flush=True)


def _trained() -> dict[str, str]:
    """The hyperparameters of the model that is served."""
    seen = ROOT / "model" / "seen.json"
    return dict(json.loads(seen.read_text())["hyperparameters"]) if seen.exists() else {}


def _classify(body: bytes, quality: float) -> tuple[int, object]:
    try:
        first = round(_brightness(body) / 255, 3)
    except PictureError as error:
        return 400, {"error": f"unable to decode the image: {error}"}
    scores = [first, 1 - first]
    return 200, {"prediction": scores if quality >= 0.5 else scores[::-1]}


def _brightness(body: bytes) -> float:
    return float(ImageStat.Stat(read(body, "L").image).mean[0])


def _detect(body: bytes, quality: float, pixels: bool) -> tuple[int, object]:
    try:
        brightness = _brightness(body)
    except PictureError as error:
        return 400, {"error": f"unable to decode the image: {error}"}
    left = 0.25 + (1 - quality) * 0.5
    row = [0.0, round(brightness / 255, 3), left, 0.25, left + 0.5, 0.75]
    if not pixels:
        return 200, {"prediction": [row] if brightness > BLACK else []}
    width, height = read(body, "L").image.size
    box = {"left": left * width, "top": height / 4, "width": width / 2, "height": height / 2}
    found = {"class_id": 0, "score": row[1]} | {side: round(value) for side, value in box.items()}
    size = {"width": width, "height": height, "depth": 3}
    return 200, {"image_size": [size], "annotations": [found] if brightness > BLACK else []}


def serve() -> int:
    if os.environ.get("ECHO") == "broken":
        print("cannot load the model", flush=True)
        return 1
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Server).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit({"train": train, "serve": serve}[sys.argv[1]]())
