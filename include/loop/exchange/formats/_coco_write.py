"""Items as COCO's JSON: a file for each split, with pictures in one folder."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from include.loop.core.errors import BadRecord
from include.loop.exchange.formats import WriteOptions
from include.loop.exchange.formats._output import check_name, picture_of, put, readable_name, size_of
from include.loop.exchange.formats._values import boxes_to_write
from include.loop.exchange.items import MARKS, Box, Item, Problem

TITLE = "COCO"
_FILE_OF = {"train": "train", "validation": "val", "test": "test"}


def write(items: Iterable[Item], folder: Path, options: WriteOptions) -> Iterator[Problem]:
    ids = {name: index for index, name in enumerate(options.classes, 1)}
    images: dict[str, list[dict[str, Any]]] = defaultdict(list)
    annotations: dict[str, list[dict[str, Any]]] = defaultdict(list)
    count = 0
    for key, item in enumerate(items, 1):
        boxes, problems = boxes_to_write(item, TITLE, MARKS)
        yield from problems
        if boxes is None:
            continue
        try:
            name = readable_name(item) if options.copy_images else check_name(item.name)
            width, height = size_of(item)
            if options.copy_images:
                put(folder, f"images/{name}", picture_of(item))
        except BadRecord as error:
            yield Problem(item.name, str(error))
            continue
        word = _FILE_OF.get(item.split or "", "default")
        images[word].append({"id": key, "file_name": name, "width": width, "height": height})
        for box in boxes:
            count += 1
            category = ids.setdefault(box.label, len(ids) + 1)
            annotations[word].append({"id": count, "image_id": key, "category_id": category, **_numbers(box)})
    categories = [{"id": key, "name": name, "supercategory": ""} for name, key in ids.items()]
    for word, listed in images.items():
        body = {"images": listed, "annotations": annotations[word], "categories": categories}
        text = json.dumps({"info": {}, "licenses": [], **body}, ensure_ascii=False, allow_nan=False)
        put(folder, f"annotations/instances_{word}.json", text.encode())


def _numbers(box: Box) -> dict[str, Any]:
    marks = {name: value for name, value in box.marks.items() if name in MARKS and name != "crowd"}
    return {
        "bbox": [box.left, box.top, box.width, box.height],
        "area": box.width * box.height,
        "iscrowd": int(bool(box.marks.get("crowd"))),
        "segmentation": [],
        **({"attributes": marks} if marks else {}),
    }
