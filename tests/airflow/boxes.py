"""A training image for tests: learns nothing, in no time, and finds one box in every image.

The box's score is computed from the image's bytes, so that triage has something to choose from, and a later
model (an incremental one) is surer than the first. A body that is no JPEG is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(os.environ.get("SM_ML_ROOT", "/opt/ml"))
GATES = Path(os.environ["XDG_CACHE_HOME"])  # see LocalCloud.gate


def train() -> int:
    settings = json.loads((ROOT / "input/config/hyperparameters.json").read_text())
    channels = json.loads((ROOT / "input/config/inputdataconfig.json").read_text())
    print(f"channels {', '.join(sorted(channels))}", flush=True)
    if "hold" in settings:  # until the file is there, as long as a test wants to watch
        while not (GATES / settings["hold"]).exists():
            time.sleep(0.05)
    if "fail_without" in settings and not (GATES / settings["fail_without"]).exists():
        (ROOT / "output" / "failure").write_text(settings["reason"])
        return 1
    (ROOT / "model" / "age.json").write_text(json.dumps(int("model" in channels)))
    return 0


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._reply(200, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not body.startswith(b"\xff\xd8"):
            self._reply(400, {"error": "unable to decode the image"})
            return
        age = json.loads((ROOT / "model" / "age.json").read_text())
        score = min(0.99, hashlib.sha256(body).digest()[0] / 256 + 0.3 * age)
        self._reply(200, {"prediction": [[0.0, score, 0.25, 0.25, 0.75, 0.75]]})

    def _reply(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve() -> int:
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Server).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit({"train": train, "serve": serve}[sys.argv[1]]())
