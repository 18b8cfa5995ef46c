"""What records were in version 1: of object detection only, and their keys said so (map50, ap50, boxes,
learned).

Each function takes a record's content and gives that of today. KeyError, TypeError or AttributeError where it
is none that was ever written: the base of the records says so.
"""

from __future__ import annotations

from typing import Any

METRIC = "mAP@0.5"
STRICT_METRIC = "mAP@[.5:.95]"
# Slices of every dataset (the names of their files too) and rules of the gate, then and now.
SLICES = {"memory": "retention", "newest": "recent"}
RULES = {"learned": "train_recall"}

Value = dict[str, Any]


def slice_name(name: str) -> str:
    """A slice's name of today by its name then."""
    return SLICES.get(name, name)


def first_slice_name(name: str) -> str:
    """A slice's name then."""
    return next((then for then, now in SLICES.items() if now == name), name)


def rule_name(name: str) -> str:
    return RULES.get(name, name)


def metrics(value: Value) -> Value:
    told = _renamed(value, learned="train_recall")
    if "slices" in value:
        told["slices"] = {slice_name(name): _slice(item) for name, item in value["slices"].items()}
    if "learned" in value:
        told["train_recall"] = {
            name: _renamed(item, boxes="objects") for name, item in value["learned"].items()
        }
    told["unpredicted"] = [
        item | {"slice": slice_name(item["slice"])} for item in value.get("unpredicted", ())
    ]
    return told | {"metric": METRIC}


def verdict(value: Value) -> Value:
    told = {name: item for name, item in value.items() if name != "map50"}
    if before := value.get("before"):
        told["before"] = _by_slice(before)
    told["rules"] = [rule(item) for item in value.get("rules", ())]
    return told | {"metric": METRIC, "score": _by_slice(value.get("map50", {}))}


def rule(value: Value) -> Value:
    """One rule of a verdict; where a trial keeps it, too."""
    told = _renamed(value, **{"class": "class_name"})
    told["rule"] = rule_name(value["rule"])
    if isinstance(place := value.get("slice"), str):
        told["slice"] = slice_name(place)
    return told


def _slice(value: Value) -> Value:
    told = _renamed(value, boxes="objects")
    for who in ("challenger", "champion"):
        if value.get(who):
            told[who] = _scores(value[who])
    if value.get("delta"):
        told["delta"] = _by_class(_renamed(value["delta"], map50="score"))
    return told


def _scores(value: Value) -> Value:
    told = _by_class(_renamed(value, map50="score", map50_low="low", map50_high="high"))
    if "map" in told:
        told["more"] = {STRICT_METRIC: told.pop("map")}
    return told


def _by_class(value: Value) -> Value:
    if "classes" not in value:
        return value
    classes = value["classes"].items()
    return value | {
        "classes": {name: _renamed(item, ap50="score", boxes="objects") for name, item in classes}
    }


def _by_slice(value: Value) -> Value:
    return {slice_name(name): item for name, item in value.items()}


def _renamed(value: Value, **names: str) -> Value:
    return {names.get(name, name): item for name, item in value.items()}


def facts(value: Value) -> Value:
    """Pictures of examples are made when a round is told, not from facts: their boxes are left out."""
    told = _renamed(value, nights="batches", learned="train_recall")
    told["slices"] = [
        _slice(item) | {"name": slice_name(item["name"]), "best": None}
        for item in value.get("slices", ())
        if item["challenger"]
    ]
    if latency := value.get("latency"):
        told["latency"] = latency | {"images": {"challenger": 0, "champion": 0} | latency["images"]}
    told["train_recall"] = [_renamed(item, boxes="objects") for item in value.get("learned", ())]
    told["improve_on"] = [slice_name(name) for name in value.get("improve_on", ())]
    if value.get("dataset"):
        told["dataset"] = _renamed(value["dataset"], **SLICES)
    if value.get("verdict"):
        rules = [rule(item) for item in value["verdict"].get("rules", ())]
        told["verdict"] = value["verdict"] | {"rules": rules}
    return told
