"""What other tools wrote is read as they meant it: by datumaro (foreign/README.md), by pycocotools while the
test runs, and in the layouts that labelImg, Roboflow, CVAT and Label Studio document.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask

from include.loop.exchange.formats import find_format
from include.loop.exchange.items import Box, Class
from include.loop.exchange.survey import find_formats
from tests.loop.exchange.sets import picture, put, read

FOREIGN = Path(__file__).parent / "foreign"

CAT, DOG, WHOLE = (20, 10, 100, 50), (150, 40, 30, 20.5), (0, 0, 200, 100)
# Datumaro writes edges from 0 into VOC, whose own first pixel is 1: a pixel wider to the left and above.
CAT_1, DOG_1, WHOLE_1 = (19, 9, 101, 51), (149, 39, 31, 21.5), (-1, -1, 201, 101)
OCCLUDED = {"occluded": True}

DATUMARO = {
    "voc": ("voc", "JPEGImages/{}", OCCLUDED, (CAT_1, DOG_1, WHOLE_1)),
    "coco": ("coco", "images/{split}/{}", OCCLUDED, (CAT, DOG, WHOLE)),
    "yolo": ("yolo", "obj_{split}_data/{}", {}, (CAT, DOG, WHOLE)),
    "yolo_ultralytics": ("yolo", "images/{split}/{}", {}, (CAT, DOG, WHOLE)),
    "cvat": ("cvat", "images/{}", OCCLUDED, (CAT, DOG, WHOLE)),
    "open_images": ("open-images", "images/{split}/{}", OCCLUDED, (CAT, DOG, WHOLE)),
}


@pytest.mark.parametrize("folder", DATUMARO)
def test_boxes_of_datumaro(tmp_path: Path, folder: str) -> None:
    format, path, marks, (cat, dog, whole) = DATUMARO[folder]
    shutil.copytree(FOREIGN / "datumaro" / folder, tmp_path, dirs_exist_ok=True)
    names = [path.format(f"{name}.jpg", split=split) for name, split in (("yard 1", "train"), ("3", "val"))]
    night = path.format("night/2.jpg", split="train")
    source = put(tmp_path, dict.fromkeys([*names, night], picture()))
    assert find_formats(source) == [format]
    items, problems = read(find_format(format), source)
    yard, third = (items[name] for name in names)
    assert yard.boxes == (Box("cat", *cat, marks), Box("dog & co", *dog))
    assert third.boxes == (Box("dog & co", *whole),)
    assert [one.split for one in (yard, third)] == ["train", "validation"]
    assert [one.size for one in (yard, third)] == [(200, 100)] * 2
    # Where there is no object, Datumaro writes no XML and no line, which is no word that somebody looked.
    assert night in items or folder in {"voc", "open_images"}
    assert len(problems) == (folder == "voc")


@pytest.mark.parametrize(
    ("format", "path"), [("cvat", "images/{}.jpg"), ("open-images", "images/default/{}.jpg")]
)
def test_classes_of_datumaro(format: str, path: str, tmp_path: Path) -> None:
    folder = f"class_{format.replace('-', '_')}"
    shutil.copytree(FOREIGN / "datumaro" / folder, tmp_path, dirs_exist_ok=True)
    source = put(tmp_path, {path.format(number): picture() for number in (1, 2, 3)})
    assert find_formats(source) == [format]
    items, problems = read(find_format(format), source)
    assert [one.classes for one in items.values()] == [
        (Class("cat"),),
        (Class("dog & co"),),
        (Class("cat"), Class("dog & co")),
    ]
    assert problems == []


def test_folders_of_datumaros_imagenet(tmp_path: Path) -> None:
    """A picture of two classes lies in both folders there; each is an image of its own here."""
    names = ("cat/1.jpg", "cat/3.jpg", "dog & co/2.jpg", "dog & co/3.jpg")
    source = put(tmp_path, dict.fromkeys(names, picture()))
    assert find_formats(source) == ["image-folders"]
    items, _ = read(find_format("image-folders"), source)
    assert {name: one.classes for name, one in items.items()} == {
        name: (Class(name.partition("/")[0]),) for name in names
    }


def test_image_folders_as_torchvision_and_keras_read_them(tmp_path: Path) -> None:
    names = ("pets/train/cat/1.jpg", "pets/train/dog/a/2.PNG", "pets/val/dog/3.jpeg", "pets/train/README.md")
    source = put(tmp_path, dict.fromkeys(names, picture()))
    items, problems = read(find_format("image-folders"), source)
    assert [(name, one.split, one.classes) for name, one in items.items()] == [
        (names[0], "train", (Class("cat"),)),
        (names[1], "train", (Class("dog"),)),
        (names[2], "validation", (Class("dog"),)),
    ]
    assert problems == []


def test_crowds_and_polygons_of_pycocotools(tmp_path: Path) -> None:
    drawn = np.zeros((100, 200), np.uint8, order="F")
    drawn[10:60, 20:120] = 1
    crowd = mask.encode(drawn)
    polygon = [20.0, 10.0, 120.0, 10.0, 120.0, 60.0, 20.0, 60.0]
    (shape,) = mask.frPyObjects([polygon], 100, 200)
    common: dict[str, Any] = {"image_id": 1, "category_id": 1}
    annotations = [
        common
        | {
            "id": 1,
            "iscrowd": 1,
            "segmentation": {"size": crowd["size"], "counts": crowd["counts"].decode()},
            "bbox": mask.toBbox(crowd).tolist(),
            "area": int(mask.area(crowd)),
        },
        common | {"id": 2, "iscrowd": 0, "segmentation": [polygon], "bbox": mask.toBbox(shape).tolist()},
        common | {"id": 3, "iscrowd": 0, "segmentation": [polygon]},
    ]
    image = {"id": 1, "file_name": "a.jpg", "height": 100, "width": 200}
    text = json.dumps(
        {"images": [image], "annotations": annotations, "categories": [{"id": 1, "name": "cat"}]}
    )
    items, problems = read(
        find_format("coco"), put(tmp_path, {"instances_val.json": text, "a.jpg": picture()})
    )
    assert items["a.jpg"].boxes == (Box("cat", *CAT, {"crowd": True}), Box("cat", *CAT), Box("cat", *CAT))
    assert problems == []


def test_roboflows_coco_lies_beside_its_pictures(tmp_path: Path) -> None:
    """Its first category is the name of the project, which nothing is labelled with."""
    labels = {
        "info": {
            "year": "2026",
            "version": "1",
            "contributor": "",
            "date_created": "2026-05-06T10:00:00+00:00",
        },
        "licenses": [{"id": 1, "url": "https://creativecommons.org/licenses/by/4.0/", "name": "CC BY 4.0"}],
        "categories": [
            {"id": 0, "name": "pets", "supercategory": "none"},
            {"id": 1, "name": "cat", "supercategory": "pets"},
        ],
        "images": [{"id": 0, "license": 1, "file_name": "a_jpg.rf.0f3c.jpg", "height": 100, "width": 200}],
        "annotations": [
            {
                "id": 0,
                "image_id": 0,
                "category_id": 1,
                "bbox": [20, 10, 100, 50],
                "area": 5000,
                "segmentation": [],
                "iscrowd": 0,
            }
        ],
    }
    files: dict[str, str | bytes] = {}
    for split in ("train", "valid"):
        files |= {
            f"{split}/_annotations.coco.json": json.dumps(labels),
            f"{split}/a_jpg.rf.0f3c.jpg": picture(),
        }
    items, problems = read(find_format("coco"), put(tmp_path, files | {"README.roboflow.txt": "pets"}))
    assert {name: (one.split, one.boxes) for name, one in items.items()} == {
        "train/a_jpg.rf.0f3c.jpg": ("train", (Box("cat", *CAT),)),
        "valid/a_jpg.rf.0f3c.jpg": ("validation", (Box("cat", *CAT),)),
    }
    assert problems == []


def test_roboflows_yolo_names_its_folders_from_elsewhere(tmp_path: Path) -> None:
    yaml = (
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 1\nnames: ['cat']\n\n"
        "roboflow:\n  workspace: pets\n  project: pets\n  version: 1\n"
    )
    files: dict[str, str | bytes] = {"data.yaml": yaml, "README.dataset.txt": "pets"}
    for split in ("train", "valid", "test"):
        files[f"{split}/images/a_jpg.rf.0f3c.jpg"] = picture()
        files[f"{split}/labels/a_jpg.rf.0f3c.txt"] = "0 0.35 0.35 0.5 0.5"
    items, problems = read(find_format("yolo"), put(tmp_path, files))
    assert [(one.split, one.boxes) for one in items.values()] == [
        (split, (Box("cat", *CAT),)) for split in ("train", "validation", "test")
    ]
    assert problems == []


def test_label_studios_yolo_has_notes_beside_its_classes(tmp_path: Path) -> None:
    notes = {"categories": [{"id": 0, "name": "cat"}], "info": {"year": 2026, "version": "1.0"}}
    files: dict[str, str | bytes] = {"classes.txt": "cat\n", "notes.json": json.dumps(notes, indent=2)}
    files |= {"images/0f12ab34-a.jpg": picture(), "labels/0f12ab34-a.txt": "0 0.35 0.35 0.5 0.5"}
    source = put(tmp_path, files)
    assert find_formats(source) == ["yolo"]
    items, problems = read(find_format("yolo"), source)
    assert [one.boxes for one in items.values()] == [(Box("cat", *CAT),)]
    assert problems == []


def test_labelimgs_xml(tmp_path: Path) -> None:
    text = """<annotation verified="yes">
\t<folder>pets</folder>
\t<filename>a.jpg</filename>
\t<path>/home/me/pets/a.jpg</path>
\t<source>
\t\t<database>Unknown</database>
\t</source>
\t<size>
\t\t<width>200</width>
\t\t<height>100</height>
\t\t<depth>3</depth>
\t</size>
\t<segmented>0</segmented>
\t<object>
\t\t<name>cat</name>
\t\t<pose>Unspecified</pose>
\t\t<truncated>1</truncated>
\t\t<difficult>0</difficult>
\t\t<bndbox>
\t\t\t<xmin>21</xmin>
\t\t\t<ymin>11</ymin>
\t\t\t<xmax>120</xmax>
\t\t\t<ymax>60</ymax>
\t\t</bndbox>
\t</object>
</annotation>"""
    items, problems = read(find_format("voc"), put(tmp_path, {"a.xml": text, "a.jpg": picture()}))
    assert items["a.jpg"].boxes == (Box("cat", *CAT, {"truncated": True}),)
    assert problems == []


def test_cvats_project_with_subsets_and_every_kind_of_shape(tmp_path: Path) -> None:
    text = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <project>
      <id>4</id>
      <name>pets</name>
      <created>2026-05-06 10:00:00.000000+00:00</created>
      <labels>
        <label>
          <name>cat</name>
          <color>#c06060</color>
          <type>any</type>
          <attributes>
            <attribute>
              <name>truncated</name>
              <mutable>False</mutable>
              <input_type>checkbox</input_type>
              <default_value>false</default_value>
              <values>false</values>
            </attribute>
          </attributes>
        </label>
      </labels>
      <subsets>Train</subsets>
      <owner><username>me</username><email></email></owner>
    </project>
    <dumped>2026-05-06 11:00:00.000000+00:00</dumped>
  </meta>
  <image id="0" name="a.jpg" subset="Train" task_id="7" width="200" height="100">
    <box label="cat" source="manual" occluded="0" xtl="20.00" ytl="10.00" xbr="120.00" ybr="60.00">
      <attribute name="truncated">true</attribute>
    </box>
    <polygon label="cat" source="manual" occluded="0" points="1.00,1.00;9.00,1.00;9.00,9.00" z_order="0">
    </polygon>
    <points label="cat" source="manual" occluded="0" points="5.00,5.00" z_order="0">
    </points>
    <tag label="cat" source="manual">
    </tag>
  </image>
</annotations>
"""
    source = put(tmp_path, {"annotations.xml": text, "images/Train/a.jpg": picture()})
    items, problems = read(find_format("cvat"), source)
    (one,) = items.values()
    assert one.boxes == (Box("cat", *CAT, {"truncated": True}),)
    assert (one.classes, one.split) == ((Class("cat"),), "train")
    assert [problem.kind for problem in problems] == ["dropped", "dropped"]


def test_label_studios_export(tmp_path: Path) -> None:
    """The fields of its documentation ("Label Studio JSON format of annotated tasks")."""
    region = {
        "original_width": 200,
        "original_height": 100,
        "image_rotation": 0,
        "value": {"x": 10, "y": 10, "width": 50, "height": 50, "rotation": 0, "rectanglelabels": ["cat"]},
        "id": "b1Kq2wXyZ0",
        "from_name": "label",
        "to_name": "image",
        "type": "rectanglelabels",
        "origin": "manual",
    }
    tasks = [
        {
            "id": 8,
            "annotations": [
                {
                    "id": 16,
                    "completed_by": 1,
                    "result": [region],
                    "was_cancelled": False,
                    "ground_truth": False,
                    "created_at": "2026-05-06T10:00:00.000000Z",
                    "updated_at": "2026-05-06T10:00:00.000000Z",
                    "draft_created_at": None,
                    "lead_time": 4.2,
                    "prediction": {},
                    "result_count": 0,
                    "unique_id": "0f3c",
                    "task": 8,
                    "project": 3,
                }
            ],
            "file_upload": "0f12ab34-a.jpg",
            "drafts": [],
            "predictions": [],
            "data": {"image": "/data/upload/3/0f12ab34-a.jpg"},
            "meta": {},
            "created_at": "2026-05-06T09:00:00.000000Z",
            "updated_at": "2026-05-06T10:00:00.000000Z",
            "inner_id": 1,
            "total_annotations": 1,
            "cancelled_annotations": 0,
            "total_predictions": 0,
            "comment_count": 0,
            "project": 3,
            "updated_by": 1,
            "comment_authors": [],
        }
    ]
    source = put(
        tmp_path, {"project-3-at-2026.json": json.dumps(tasks), "upload/3/0f12ab34-a.jpg": picture()}
    )
    items, problems = read(find_format("label-studio"), source)
    assert [one.boxes for one in items.values()] == [(Box("cat", *CAT),)]
    assert problems == []


def test_tasks_of_label_studios_own_converter(tmp_path: Path) -> None:
    shutil.copytree(FOREIGN / "label_studio_sdk", tmp_path, dirs_exist_ok=True)
    names = ("images/train/yard 1.jpg", "images/train/night/2.jpg")
    source = put(tmp_path, dict.fromkeys(names, picture()))
    assert find_formats(source) == ["label-studio"]
    items, problems = read(find_format("label-studio"), source)
    assert {name: one.boxes for name, one in items.items()} == {
        names[0]: (Box("cat", *CAT), Box("dog & co", *DOG)),
        names[1]: (),
    }
    assert problems == []
