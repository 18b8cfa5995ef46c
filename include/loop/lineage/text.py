"""A lineage walk as a person reads it: one step below the other, each with what it is and when it was.

Takes the walk, gives text; pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Lines = list[str]


def render(walk: dict[str, Any]) -> str:
    """The walk as an indented tree, the answer at the top and the question's form at the bottom."""
    return "\n".join(_indented(walk))


def printable(text: str) -> str:
    """Workers and manifests may say anything, and a terminal obeys control characters."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _indented(walk: dict[str, Any]) -> Iterator[str]:
    depth = 0
    for step, describe in STEPS.items():
        if step not in walk:
            continue
        for number, text in enumerate(describe(walk[step])):
            line = printable(text)
            if number:
                yield "   " * depth + line
            else:
                yield f"{'   ' * (depth - 1)}└─ {line}" if depth else line
        depth += 1


def _answer(value: dict[str, Any]) -> Lines:
    sides = [f"{name} {value[name]:.3f}" for name in ("xmin", "ymin", "xmax", "ymax") if name in value]
    kind = "detection" if sides else "class"
    return [
        f"answer: {value['class']} with score {value['score']:.3f} "
        f"({kind} {value['detection']} of {value['of']}; --detection chooses another)",
        f"in {value['image']}",
        *([f"at {', '.join(sides)}"] if sides else []),
    ]


def _endpoint(value: dict[str, Any]) -> Lines:
    return [
        f"endpoint {value['endpoint']}",
        f"configuration {value['config']}, variant {value['variant']}",
        f"model {value['model']}",
    ]


def _package(value: dict[str, Any]) -> Lines:
    return [
        f"model package {value['group']}, version {value['version']}: {value['status']}",
        *([value["comment"]] if value["comment"] else []),
        f"gate {value['gate']}",
        f"metrics {value['metrics_uri']}",
        value["package_arn"],
    ]


def _training_job(value: dict[str, Any]) -> Lines:
    return [
        f"training job {value['training_job']}: {value['status']}, started {value['started']}",
        f"from {value['parent'] or 'scratch'}",
        f"on {value['manifest']}",
        f"gave {value['artifact']}",
    ]


def _dataset(value: dict[str, Any]) -> Lines:
    batches = ", ".join(value["batches"]) or "none (labels that were there before)"
    return [
        f"dataset {value['dataset_id']}: {value['train']} images, {value['new']} labels new, "
        f"{value['replayed']} replayed",
        f"batches: {batches}",
        value["uri"],
    ]


def _label(value: dict[str, Any]) -> Lines:
    things = ", ".join(_thing(item) for item in value["labels"])
    kind = f" that shows {value['class']}" if value["class"] else ""
    lines = [
        f"label: line {value['line']} of the manifest "
        f"(number {value['choice']}{kind}; --line chooses another)",
        f"in {value['manifest']}",
        f"image {value['image']}",
        f"{value['parts']}: {things or 'none, nothing to see'}",
        f"made {value['created'] or 'at an unknown time'}" + (f" by {value['job']}" if value["job"] else ""),
    ]
    if value["loop"] is None and value["import"]:
        return [*lines, f"nobody was asked by this loop: the label came in with {value['import']}"]
    if value["loop"] is None:
        return [*lines, "nobody was asked by this loop: the label came with the pipeline's initial manifests"]
    why = f", asked because {value['reason']}" if value["reason"] else ""
    return [*lines, f"batch {value['batch']}{why}"]


def _thing(item: dict[str, Any]) -> str:
    if "left" not in item:
        return str(item["label"])
    return f"{item['label']} at {item['left']:g},{item['top']:g} of {item['width']:g} x {item['height']:g}"


def _human_loop(value: dict[str, Any]) -> Lines:
    asked = f", asked {value['asked_at']}" if "asked_at" in value else ""
    lines = [f"human loop {value['loop']}: {value['status']}{asked}"]
    return [*lines, f"answers in {value['output_uri']}"] if value.get("output_uri") else lines


def _answers(values: list[dict[str, Any]]) -> Lines:
    return [f"answers: {len(values)}", *(_one_answer(value) for value in values)]


def _one_answer(value: dict[str, Any]) -> str:
    worker = f"worker {value['worker']}" if "worker" in value else "output"
    if "problem" in value:
        return f"{worker}: not used: {value['problem']}"
    seconds = "an unknown time" if value["seconds"] is None else f"{value['seconds']:g} seconds"
    return f"{worker}: {', '.join(value['labels']) or 'nothing'}; {seconds}, {value['submitted']}"


def _template(value: dict[str, Any]) -> Lines:
    known = [
        f"{name} {value[key]}" for name, key in (("sha256", "sha256"), ("made", "created")) if value.get(key)
    ]
    return [f"worker template {value['human_task_ui_arn'] or ''}".rstrip() + f": {value['status']}", *known]


def _flow_definition(value: dict[str, Any]) -> Lines:
    lines = [f"flow definition {value['flow_definition_arn']}: {value['status']}"]
    if "title" not in value:
        return lines
    return [
        *lines,
        f"{value['title']!r}, {value['workers_per_question']} to each question, {value['workteam_arn']}",
        f"made {value['created']}",
    ]


STEPS: dict[str, Callable[[Any], Lines]] = {
    "answer": _answer,
    "endpoint": _endpoint,
    "package": _package,
    "training_job": _training_job,
    "dataset": _dataset,
    "label": _label,
    "human_loop": _human_loop,
    "answers": _answers,
    "template": _template,
    "flow_definition": _flow_definition,
}
