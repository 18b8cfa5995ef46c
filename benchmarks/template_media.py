"""The files that made inputs name: an image, speech, a clip and a document, none of which is stored anywhere.

``put_media`` writes them into a bucket. The clip is recorded by the browser itself from a canvas.
"""

from __future__ import annotations

import base64
import io
import math
import struct
import wave
from typing import Any

from PIL import Image, ImageDraw
from playwright.sync_api import Browser

from benchmarks.template_inputs import FILES

_RECORD = """async () => {
  const canvas = document.createElement("canvas");
  canvas.width = 160; canvas.height = 120;
  const paint = canvas.getContext("2d");
  const recorder = new MediaRecorder(canvas.captureStream(10), {mimeType: "video/webm"});
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  const ended = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start();
  for (let step = 0; step < 10; step += 1) {
    paint.fillStyle = `hsl(${step * 30}, 60%, 50%)`;
    paint.fillRect(0, 0, 160, 120);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  recorder.stop();
  await ended;
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  return btoa(String.fromCharCode(...bytes));
}"""
_PDF = b"""%PDF-1.1
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj
trailer<</Root 1 0 R>>
"""


def put_media(s3: Any, bucket: str, folder: str, browser: Browser) -> None:
    """Write every file of ``FILES`` below the folder."""
    files = {
        "image": (picture(), "image/jpeg"),
        "audio": (_speech(), "audio/wav"),
        "video": (_clip(browser), "video/webm"),
        "document": (_PDF, "application/pdf"),
    }
    for kind, (body, media_type) in files.items():
        s3.put_object(Bucket=bucket, Key=f"{folder}/{FILES[kind]}", Body=body, ContentType=media_type)


def picture() -> bytes:
    """A picture with two things on it."""
    image = Image.new("RGB", (640, 400), "#31425a")
    draw = ImageDraw.Draw(image)
    for at, colour in (((40, 50, 140, 130), "#c98b4a"), ((300, 120, 420, 260), "#7fae6e")):
        draw.ellipse(at, colour)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _speech() -> bytes:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        tone = [round(9000 * math.sin(step / 8)) for step in range(4000)]
        file.writeframes(struct.pack(f"<{len(tone)}h", *tone))
    return stream.getvalue()


def _clip(browser: Browser) -> bytes:
    page = browser.new_page()
    recorded = base64.b64decode(page.evaluate(_RECORD))
    page.close()
    return recorded
