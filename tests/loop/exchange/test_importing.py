"""Labels of others become a pipeline's, once, and only those that it can learn."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from include.loop.core import layout
from include.loop.core.errors import ConfigurationError
from include.loop.core.records.dataset import Dataset
from include.loop.core.records.imports import Import, ImportProblem
from include.loop.core.records.nightly import LabelSummary
from include.loop.dataset.build import build, build_initial
from include.loop.exchange.import_text import tell
from include.loop.exchange.importing import Request, import_data
from include.loop.report.batches import read_batch
from include.loop.trials.past import read_standings
from include.loop.trials.shards import discard
from tests.loop.pictures import SIZE, patchwork
from tests.loop.place import Place
from tests.loop.withheld import ARCHIVED, NO_GET, archive, denied

Boxes = Sequence[tuple[float, ...]]
CLASSES = {"0": "dog", "1": "cat"}  # in another order than the pipeline's


def line(name: str, boxes: Boxes = ((0, 10, 10, 20, 20),), **more: Any) -> dict[str, Any]:
    sides = ("class_id", "left", "top", "width", "height")
    return {
        "source-ref": f"s3://elsewhere/set/{name}",
        "box": {
            "image_size": [{"width": SIZE[0], "height": SIZE[1], "depth": 3}],
            "annotations": [dict(zip(sides, box, strict=True)) for box in boxes],
        },
        "box-metadata": {"class-map": CLASSES, "type": "groundtruth/object-detection"},
    } | more


class Source:
    """A set of another tool: manifests, and pictures beside them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, *lines: dict[str, Any], split: str = "output", pictures: bool = True) -> None:
        for value in lines if pictures else ():
            path = self.root / value["source-ref"].split("/", 3)[3]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(patchwork(path.stem))
        text = "".join(json.dumps(value) + "\n" for value in lines)
        (self.root / f"{split}.manifest").write_text(text)

    def request(self, target: str = "labels", **more: Any) -> Request:
        return Request(str(self.root), target, **{"images": str(self.root)} | more)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


def everything(place: Place) -> dict[str, str]:
    """What lies below the pipeline, with its ETag."""
    return {item.uri: item.etag for item in place.storage.list("")}


def lines_of(place: Place, record: Import, split: str = "labels") -> list[dict[str, Any]]:
    return list(place.storage.read_lines(record.manifests[split]))


def test_imported_labels_are_a_shard_that_the_next_training_learns(place: Place, source: Source) -> None:
    source.write(*(line(f"{number}.jpg") for number in range(6)), line("none.jpg", []))
    found = import_data(place.workspace, source.request())
    record = found.record
    assert found.changed
    page = place.storage.read(layout.report_page(record.name)).decode()
    assert "--ink" in page  # in the reports' own style
    assert "All reports" not in page  # for there is none yet
    assert (record.images, record.negatives, record.labels) == (7, 1, {"cat": 0, "dog": 6})
    assert (record.copied, record.referenced, record.problems) == (7, 0, {})
    for value in lines_of(place, record):
        learned = place.workspace.task.read_value(value)
        assert learned.classes in {(1,), ()}  # ours, whatever number theirs had
        assert place.storage.stat(learned.source).etag == value["etag"]  # type: ignore[union-attr]
        assert value["import"] == value["batch"] == record.name
    summary = LabelSummary.read(place.storage, record.name)
    assert (summary.labels, summary.negatives) == (7, 1)
    problems: list[str] = []
    told = read_batch(place.workspace, record.name, problems)
    assert (told.images, told.labels, told.late, problems) == (7, 7, 0, [])
    built = build(place.workspace)
    dataset = Dataset.read(place.storage, built.dataset_id)
    assert list(dataset.shards) == [record.name]
    assert dataset.rejected == 0
    assert built.train + built.validation + built.retention == 7


def test_an_import_that_is_repeated_says_whether_its_labels_still_count(place: Place, source: Source) -> None:
    good = [line("a.jpg"), line("b.jpg")]
    source.write(*good)
    first = import_data(place.workspace, source.request())
    assert (first.notes.labelled, first.notes.newer) == (0, {})
    build(place.workspace)  # the split register knows these, and not the others
    source.write(line("a.jpg", [(1, 10, 10, 20, 20)]), line("c.jpg"))
    bad = import_data(place.workspace, source.request())
    assert (bad.notes.labelled, bad.notes.newer) == (1, {})
    source.write(*good)
    again = import_data(place.workspace, source.request())
    assert (again.changed, again.notes.newer) == (False, {bad.record.name: 1})
    told = "\n".join(tell(place.workspace, again.record, again.notes, changed=False, planned=False))
    assert "Next: the DAG incremental_training__" in told
    told = "\n".join(
        tell(place.workspace, again.record, again.notes, changed=False, planned=False, trains_itself=True)
    )
    assert "Next:" not in told, "where a task of the same run starts the training"
    assert f"1 of the images have newer labels, which count instead: {bad.record.name} (1)" in told
    discard(place.workspace, bad.record.name, "me", "wrong classes")
    assert import_data(place.workspace, source.request()).notes.newer == {}
    discard(place.workspace, first.record.name, "me", "wrong, too")
    last = import_data(place.workspace, source.request())
    told = "\n".join(tell(place.workspace, last.record, last.notes, changed=False, planned=False))
    assert f"No model learns from it: {first.record.name} was discarded" in told
    assert "Next:" not in told


def test_an_imported_shard_stands_and_is_discarded_like_a_batch(place: Place, source: Source) -> None:
    source.write(line("a.jpg"))
    name = import_data(place.workspace, source.request()).record.name
    assert str(read_standings(place.workspace)[1][name].state) == "open"
    discard(place.workspace, name, "me", "wrong boxes")
    assert str(read_standings(place.workspace)[1][name].state) == "discarded"
    assert not import_data(place.workspace, source.request()).changed  # nor does importing it again undo that
    assert str(read_standings(place.workspace)[1][name].state) == "discarded"


def test_of_two_imports_of_the_same_images_the_later_one_counts_within_a_second_too(
    place: Place, source: Source
) -> None:
    dates = []
    for class_id in (0, 1):
        source.write(*(line(f"{number}.jpg", [(class_id, 10, 10, 20, 20)]) for number in range(3)))
        values = lines_of(place, import_data(place.workspace, source.request()).record)
        dates.append({value["review-metadata"]["creation-date"] for value in values})
    assert max(dates[0]) < min(dates[1])


def test_a_plan_says_the_same_and_writes_nothing(place: Place, source: Source) -> None:
    source.write(line("a.jpg"), line("b.jpg"))
    plan = import_data(place.workspace, source.request(), keep=False)
    assert everything(place) == {}
    done = import_data(place.workspace, source.request())
    assert plan.record.model_dump(exclude={"at"}) == done.record.model_dump(exclude={"at"})


@pytest.mark.parametrize("target", ["labels", "initial"])
def test_an_import_that_was_interrupted_anywhere_is_finished_by_repeating_it(
    target: str, make_place: Callable[..., Place], source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make_place(initial={})
    source.write(line("a.jpg"), line("b.jpg"))
    whole = import_data(place.workspace, source.request(target)).record
    complete = everything(place)
    order = [item.uri for item in sorted(place.storage.list(""), key=lambda item: _written(place, item.uri))]
    assert order[-1] == place.storage.uri(Import.location(whole.name))
    for cut in range(0, len(order), 2):
        for uri in order[cut:]:
            bucket, key = place.storage.resolve(uri)
            if uri != place.storage.uri(layout.import_started(whole.name)):
                place.s3.delete_object(Bucket=bucket, Key=key)
        again = import_data(place.workspace, source.request(target))
        assert again.changed
        assert again.record.at == whole.at
        found = everything(place)
        assert found.keys() == complete.keys()
        manifests = {uri for uri in found if uri.endswith(".manifest")}
        assert {uri: found[uri] for uri in manifests} == {uri: complete[uri] for uri in manifests}
    assert not import_data(place.workspace, source.request(target)).changed


def _written(place: Place, uri: str) -> Any:
    written = place.storage.modified_at(uri)
    return (uri.endswith("import.json"), written)


def test_the_first_model_keeps_the_splits_of_the_source(
    make_place: Callable[..., Place], source: Source
) -> None:
    place = make_place(initial={}, test_sets={"night": "tests/night.manifest"})
    source.write(line("a.jpg"), line("b.jpg"), split="train")
    source.write(line("c.jpg"), split="validation")
    source.write(line("d.jpg"), split="test")
    record = import_data(place.workspace, source.request("initial")).record
    assert (record.splits, record.other_splits) == ({"train": 2, "validation": 1}, {"test": 1})
    test = import_data(place.workspace, source.request("test:night")).record
    assert (test.splits, test.other_splits) == ({"test": 1}, {"train": 2, "validation": 1})
    assert test.manifests == {"test": place.storage.uri("tests/night.manifest")}
    built = build_initial(place.workspace)
    assert (built.train, built.validation, built.rejected) == (2, 1, 0)


def test_what_would_stop_or_mislead_the_next_step_is_said_at_the_import(
    make_place: Callable[..., Place], source: Source
) -> None:
    gate = {"min_images": 3}
    place = make_place(initial={}, gate=gate)
    source.write(line("a.jpg"), line("b.jpg"), split="train")
    source.write(line("c.jpg"), line("d.jpg"), line("e.jpg"), line("f.jpg"), split="validation")
    few, no_cat = import_data(place.workspace, source.request("initial"), keep=False).notes.warnings
    assert "4 images validate, 2 of them after" in few
    assert "no label is of class cat" in no_cat
    place = make_place(initial={}, gate=gate, test_sets={"night": "tests/night.manifest"})
    missing = import_data(place.workspace, source.request("initial")).notes.warnings[-1]
    assert missing.startswith(f"nothing lies at {place.storage.uri('tests/night.manifest')}")
    assert "--as test:night" in missing
    with pytest.raises(ConfigurationError, match="--as test:night"):
        build_initial(place.workspace)


def test_without_splits_the_house_shares_out_and_copies_stay_together(
    make_place: Callable[..., Place], source: Source
) -> None:
    place = make_place(initial={})
    source.write(*(line(f"{number}.jpg") for number in range(12)))
    for number in range(12):
        (source.root / "set" / f"{number}b.jpg").write_bytes(patchwork(str(number), quality=60))
    source.write(*(line(f"{number}{copy}.jpg") for number in range(12) for copy in ("", "b")), pictures=False)
    record = import_data(place.workspace, source.request("initial")).record
    assert record.images == 24
    assert record.splits["train"] % 2 == record.splits["validation"] % 2 == 0
    assert record.near_duplicates == 0


def test_what_looks_alike_across_splits_is_told(make_place: Callable[..., Place], source: Source) -> None:
    place = make_place(initial={}, test_sets={"night": "tests/night.manifest"})
    source.write(line("a.jpg"), line("b.jpg"), split="train")
    source.write(line("c.jpg"), split="validation")
    (source.root / "set" / "c.jpg").write_bytes(patchwork("a", quality=60))
    record = import_data(place.workspace, source.request("initial")).record
    (pair,) = record.first_near_duplicates
    assert {pair.name, pair.like} == {"set/a.jpg", "set/c.jpg"}
    build_initial(place.but(test_sets={}))  # now the pipeline knows them
    (source.root / "set" / "e.jpg").write_bytes(patchwork("b", brighter=3))
    source.write(line("e.jpg"), split="test", pictures=False)
    (pair,) = import_data(place.workspace, source.request("test:night")).record.first_near_duplicates
    assert (pair.name, pair.split, pair.other_split) == ("set/e.jpg", "test", "train")


def test_a_bad_box_costs_itself_a_box_outside_is_clipped_and_the_report_says_so(
    place: Place, source: Source
) -> None:
    width, height = SIZE
    source.write(
        line("clipped.jpg", [(0, -5, 10, 20, 20), (1, 50, 10, 100, 20)]),
        line("dropped.jpg", [(0, 10, 10, 0, 20), (0, width + 1, 0, 5, 5), (1, 1, 1, 9.5, 9.5)]),
        line("lost.jpg", [(0, 10, 10, 0, 20)]),
        line("missing.jpg"),
        line("broken.jpg"),
        line("turned.jpg"),
    )
    (source.root / "set" / "missing.jpg").unlink()
    (source.root / "set" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    turned = line("turned.jpg")
    turned["box"]["image_size"] = [{"width": height, "height": width}]
    text = (source.root / "output.manifest").read_text().splitlines()
    (source.root / "output.manifest").write_text("\n".join([*text[:-1], json.dumps(turned)]))
    record = import_data(place.workspace, source.request()).record
    assert record.problems == {"dropped": 2, "mended": 2, "refused": 4}
    clipped, dropped = lines_of(place, record)
    if clipped["file"] != "set/clipped.jpg":
        clipped, dropped = dropped, clipped
    assert [
        tuple(item[side] for side in ("class_id", "left", "width"))
        for item in clipped["review"]["annotations"]
    ] == [
        (1, 0, 15),
        (0, 50, width - 50),
    ]
    assert [item["width"] for item in dropped["review"]["annotations"]] == [9.5]
    assert len(dropped["review-metadata"]["objects"]) == 1
    told = {
        item.where: item.reason
        for item in ImportProblem.read_all(place.storage, record.name)
        if item.kind == "refused"
    }
    assert told.keys() == {"set/lost.jpg", "output.manifest:4", "set/broken.jpg", "set/turned.jpg"}
    assert "EXIF" in told["set/turned.jpg"]
    assert "none of its 1 boxes" in told["set/lost.jpg"]
    quarantine = list(place.storage.read_lines(layout.quarantine_file(record.name)))
    assert {item["reason"] for item in quarantine} == set(told.values())


@pytest.mark.parametrize(
    ("kind", "orientation", "size", "doubtful"),
    [
        ("JPEG", 3, (64, 48), True),  # upside down: its size is the same
        ("PNG", 6, (48, 48), True),
        ("JPEG", 6, (64, 48), False),  # a label of these pixels is of the stored ones
        ("JPEG", 1, (64, 48), False),
    ],
)
def test_an_image_that_exif_turns_is_told_where_no_size_can_tell_how_it_was_labelled(
    place: Place, source: Source, kind: str, orientation: int, size: tuple[int, int], doubtful: bool
) -> None:
    value = line("a.jpg")
    value["box"]["image_size"] = [{"width": size[0], "height": size[1]}]
    source.write(value)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.effect_noise(size, 90).save(source.root / "set" / "a.jpg", kind, exif=exif)
    record = import_data(place.workspace, source.request(), keep=False).record
    assert (record.images, record.problems) == (1, {"doubtful": 1} if doubtful else {})


def test_images_that_lie_in_s3_are_referenced_and_no_picture_is_copied_twice(
    place: Place, source: Source
) -> None:
    there = place.put("somewhere/a.jpg", patchwork("a"))
    source.write(line("a.jpg") | {"source-ref": there}, pictures=False)
    told: list[tuple[int, int | None]] = []
    request = source.request(images=None)
    record = import_data(place.workspace, request, progress=lambda *done: told.append(done)).record
    assert told == [(1, None), (1, 1)]  # labels, then pictures
    assert (record.copied, record.referenced) == (0, 1)
    assert lines_of(place, record)[0]["source-ref"] == there
    (source.root / "output.manifest").unlink()
    source.write(line("a.jpg"), line("b.jpg"))
    import_data(place.workspace, source.request())
    copies = [item.uri for item in place.storage.list("imported/")]
    (source.root / "set" / "b.jpg").rename(source.root / "set" / "c.jpg")
    source.write(line("a.jpg"), line("c.jpg"), pictures=False)
    import_data(place.workspace, source.request())
    assert [item.uri for item in place.storage.list("imported/")] == copies
    assert len(copies) == 2


def test_an_image_that_s3_does_not_give_is_left_out_with_what_to_do(place: Place, source: Source) -> None:
    there = {name: place.put(f"somewhere/{name}.jpg", patchwork(name)) for name in "abc"}
    archive(place, there["b"])
    source.write(*(line(uri) | {"source-ref": uri} for uri in there.values()), pictures=False)
    with denied(place, "/c.jpg", message=NO_GET):
        taken = import_data(place.workspace, source.request(images=None))
    assert taken.record.images == 1
    reasons = [item.reason for item in ImportProblem.read_all(place.storage, taken.record.name)]
    assert reasons == [
        f"its image cannot be read: {there['b']}: {ARCHIVED}",
        f"its image cannot be read: {there['c']}: the object may not be read here (AccessDenied): "
        "allow s3:GetObject on it",
    ]


def test_pictures_that_were_replaced_under_their_names_are_another_import(
    place: Place, source: Source
) -> None:
    there = place.put("somewhere/a.jpg", patchwork("a"))
    source.write(line("a.jpg") | {"source-ref": there}, pictures=False)
    first = import_data(place.workspace, source.request(images=None)).record
    place.put("somewhere/a.jpg", patchwork("b"))
    again = import_data(place.workspace, source.request(images=None))
    assert again.changed
    assert again.record.name != first.name
    assert lines_of(place, again.record)[0]["etag"] == place.storage.stat(there).etag  # type: ignore[union-attr]


def test_boxes_that_a_source_sets_apart_are_counted(place: Place, source: Source) -> None:
    value = line("a.jpg", [(0, 1, 1, 9, 9), (1, 5, 5, 9, 9)])
    value["box-metadata"]["objects"] = [{"difficult": True, "pose": "Left"}, {"difficult": False}]
    source.write(value)
    found = import_data(place.workspace, source.request(), keep=False)
    assert found.record.marks == {"difficult": 1}
    told = tell(place.workspace, found.record, found.notes, changed=True, planned=True)
    assert "  marked      difficult 1 (kept; learned and measured like all others)" in told


def test_of_the_same_bytes_twice_the_one_that_measures_counts(
    make_place: Callable[..., Place], source: Source
) -> None:
    place = make_place(initial={})
    source.write(line("a.jpg"), line("b.jpg"), split="train")
    source.write(line("c.jpg", [(1, 0, 0, 9, 9)]), split="validation")
    shutil.copy(source.root / "set" / "a.jpg", source.root / "set" / "c.jpg")
    record = import_data(place.workspace, source.request("initial")).record
    assert record.splits == {"train": 1, "validation": 1}
    (problem,) = record.first_problems
    assert (problem.where, problem.reason) == (
        "set/a.jpg",
        "has the same bytes as set/c.jpg of validation, labelled otherwise",
    )


def test_classes_that_the_pipeline_has_not_are_refused_with_both_lists(place: Place, source: Source) -> None:
    fox = {"box-metadata": {"class-map": {"0": "dog", "1": "Kat", "2": "fox"}}}
    source.write(
        line("a.jpg", [(0, 1, 1, 9, 9), (2, 9, 9, 9, 9)], **fox), line("b.jpg", [(1, 1, 1, 9, 9)], **fox)
    )
    with pytest.raises(ConfigurationError) as caught:
        import_data(place.workspace, source.request())
    for text in ("Kat, fox", "cat, dog", "--map 'Kat=cat'", "--drop-others"):
        assert text in str(caught.value)
    assert everything(place) == {}
    for wrong, why in ({"Kat": "wolf"}, "no class wolf"), ({"cow": "cat"}, "no class cow"):
        with pytest.raises(ConfigurationError, match=why):
            import_data(place.workspace, source.request(renamed=wrong))
    record = import_data(place.workspace, source.request(renamed={"Kat": "cat"}, drop_others=True)).record
    assert (record.labels, record.left_out) == ({"cat": 1, "dog": 1}, {"fox": 1})
    assert record.classes == {"Kat": "cat", "dog": "dog"}


def test_pictures_beside_a_source_of_one_file_are_found(place: Place, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(patchwork("a"))
    image = {"id": 5, "file_name": "images/a.jpg", "width": SIZE[0], "height": SIZE[1]}
    boxes = [
        {"id": crowd, "image_id": 5, "category_id": 3, "bbox": [1, 2, 30, 40], "iscrowd": crowd}
        for crowd in (0, 1)
    ]
    coco = {"images": [image], "annotations": boxes, "categories": [{"id": 3, "name": "cat"}]}
    (tmp_path / "labels.json").write_text(json.dumps(coco))
    record = import_data(place.workspace, Request(str(tmp_path / "labels.json"), "labels")).record
    assert (record.format, record.images, record.labels["cat"]) == ("coco", 1, 1)
    assert [item.kind for item in record.first_problems] == ["dropped"]  # a crowd is no object
    (value,) = lines_of(place, record)
    assert value["review"]["annotations"] == [{"class_id": 0, "left": 1, "top": 2, "width": 30, "height": 40}]


def test_folders_by_class_become_labels_of_a_classifier(
    make_place: Callable[..., Place], tmp_path: Path
) -> None:
    place = make_place(task="image-classification", initial={}, gate={})
    for number, name in enumerate(["dog", "cat"] * 6):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / f"{number}.jpg").write_bytes(patchwork(f"{number}"))
    record = import_data(place.workspace, Request(str(tmp_path), "initial")).record
    assert (record.format, record.labels, record.problems) == ("image-folders", {"cat": 6, "dog": 6}, {})
    built = build_initial(place.workspace)
    assert (built.train + built.validation + built.retention, built.rejected) == (12, 0)
    with pytest.raises(
        ConfigurationError,
        match=r"reads as .*, 12 images with a class for an image, and the pipeline learns boxes",
    ):
        import_data(place.but(task="object-detection"), Request(str(tmp_path), "labels"))


def test_an_image_may_be_of_many_classes_or_of_none(make_place: Callable[..., Place], source: Source) -> None:
    place = make_place(task="image-classification", multi_label=True, gate={})

    def tagged(name: str, *tags: int) -> dict[str, Any]:
        metadata = {
            "class-map": {f"{tag}": CLASSES[f"{tag}"] for tag in tags},
            "type": "groundtruth/image-classification-multilabel",
        }
        return {"source-ref": f"s3://elsewhere/set/{name}", "tags": list(tags), "tags-metadata": metadata}

    source.write(tagged("both.jpg", 0, 1), tagged("dog.jpg", 0), tagged("none.jpg"))
    record = import_data(place.workspace, source.request()).record
    assert (record.images, record.negatives, record.labels) == (3, 1, {"cat": 1, "dog": 2})
    learned = [place.workspace.task.read_value(value).classes for value in lines_of(place, record)]
    assert sorted(learned) == [(), (0, 1), (1,)]
    one = import_data(
        make_place(task="image-classification", gate={}).workspace, source.request(), keep=False
    ).record
    assert (one.images, one.problems) == (1, {"refused": 2})


def test_manifests_of_other_labels_are_not_written_over_unasked(
    make_place: Callable[..., Place], source: Source
) -> None:
    place = make_place(test_sets={"night": "tests/night.manifest"})
    source.write(line("a.jpg"))
    first = import_data(place.workspace, source.request("test:night"))
    before = place.storage.read("tests/night.manifest")
    assert not import_data(place.workspace, source.request("test:night"), keep=False).changed
    source.write(line("b.jpg"))
    for keep in (False, True):  # a plan says so as well
        with pytest.raises(ConfigurationError, match="--replace"):
            import_data(place.workspace, source.request("test:night"), keep)
    assert place.storage.read("tests/night.manifest") == before
    import_data(place.workspace, source.request("test:night", replace=True))
    assert place.storage.read("tests/night.manifest") != before
    source.write(line("a.jpg"))
    back = import_data(place.workspace, source.request("test:night", replace=True))
    assert back.changed
    assert (back.record.name, back.record.at) == (first.record.name, first.record.at)
    assert place.storage.read("tests/night.manifest") == before


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({"target": "initial"}, "initial: names no manifests"),
        ({"target": "test:day"}, "has no 'day'; there are night"),
        ({"target": "validation"}, "one of initial, labels, test:NAME"),
        ({"format": "voc2"}, "no format named 'voc2'"),
        ({"images": "/nowhere"}, "/nowhere"),
        ({"label": "other"}, "there are box"),
        ({"sets": ["val"]}, "there are output"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(
    request_: dict[str, Any], why: str, make_place: Callable[..., Place], source: Source
) -> None:
    place = make_place(test_sets={"night": "tests/night.manifest"})
    source.write(line("a.jpg"))
    with pytest.raises(ConfigurationError, match=why):
        import_data(place.workspace, source.request(**request_))
    assert everything(place) == {}
