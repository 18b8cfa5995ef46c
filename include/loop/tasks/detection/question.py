"""What a person begins with: the model's boxes, as the crowd-bounding-box element wants them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from include.loop.tasks.detection.predictions import Detection

# More boxes than people can look through; 3 MB, the most a question may have, are forty times as many.
MOST_PRELABELS = 1000


def prelabels(
    detections: Sequence[Detection], classes: Sequence[str], width: int, height: int, threshold: float
) -> list[dict[str, Any]]:
    """The boxes of this score or more, at most ``MOST_PRELABELS`` of the best: label text, integer pixels
    inside the image. The detections are best first.
    """
    boxes = []
    for item in detections[:MOST_PRELABELS]:
        if item.score < threshold:
            continue
        left, right = sorted(round(edge * width) for edge in (item.xmin, item.xmax))
        top, bottom = sorted(round(edge * height) for edge in (item.ymin, item.ymax))
        left, top = min(left, width - 1), min(top, height - 1)
        boxes.append(
            {
                "label": classes[item.class_id],
                "left": left,
                "top": top,
                "width": max(1, right - left),
                "height": max(1, bottom - top),
            }
        )
    return boxes
