"""A training image for the domain's tests, under the same container contract as the real ones, done in a
moment.

It "sees" one object of class 0 in every image that is not black, with the image's brightness as its score.
How well the box fits is the hyperparameter ``quality``: 1 is exact, 0 is beside it. ``fail`` makes training
fail with that text.
"""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from PIL import ImageStat

from include.algorithms import recordio
from include.pictures import PictureError, read

ROOT = Path(os.environ.get("SM_ML_ROOT", "/opt/ml"))
BLACK = 5


def train() -> int:
    settings = json.loads((ROOT / "input/config/hyperparameters.json").read_text())
    channels = json.loads((ROOT / "input/config/inputdataconfig.json").read_text())
    if reason := settings.get("fail"):
        (ROOT / "output" / "failure").write_text(reason)
        return 1
    seen = {}
    for name, channel in channels.items():
        if channel["TrainingInputMode"] == "Pipe":
            with open(ROOT / "input/data" / f"{name}_0", "rb") as pipe:
                seen[name] = sum(1 for _ in recordio.read(pipe))
        else:
            seen[name] = sum(path.is_file() for path in (ROOT / "input/data" / name).rglob("*"))
    (ROOT / "model" / "model.json").write_text(json.dumps({"quality": settings["quality"], "seen": seen}))
    return 0


class Server(BaseHTTPRequestHandler):
    """``/ping`` and ``/invocations``."""

    def do_GET(self) -> None:
        self._reply(200, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            brightness = ImageStat.Stat(read(body, "L").image).mean[0]
        except PictureError as error:
            self._reply(400, {"error": f"unable to decode the image: {error}"})
            return
        quality = float(json.loads((ROOT / "model" / "model.json").read_text())["quality"])
        left = 0.25 + (1 - quality) * 0.5
        row = [0.0, round(brightness / 255, 3), left, 0.25, left + 0.5, 0.75]
        self._reply(200, {"prediction": [row] if brightness > BLACK else []})

    def _reply(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        print(format % args, flush=True)


def serve() -> int:
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Server).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit({"train": train, "serve": serve}[sys.argv[1]]())
