"""``predict``: what a model says of images, in words and drawn."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from itertools import chain, count
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from include.loop.aws.waiting import finish
from include.loop.commands.base import anywhere, workspace_of
from include.loop.commands.models import add_model, open_model
from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.images import read_image
from include.loop.core.storage import MOST_BYTES
from include.loop.evaluation.predictions import Contestant
from include.loop.lineage.text import printable
from include.loop.manifests.places import is_in_s3
from include.loop.serving.asking import Answers, Given, ask_endpoint, ask_model, model_behind, upload
from include.loop.serving.endpoint import endpoint_name
from include.loop.training.learned import find_job, hyperparameters_of
from include.loop.workspace import Workspace
from include.pictures import PictureError, read_size

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

THRESHOLD = 0.2  # of what is told and drawn, as in AWS's own examples
PICTURES = (".png", ".jpg", ".jpeg")
# The longer side of a drawn picture: names stay small beside what they name.
SIDE, LEAST = 1024, 400


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "predict",
        help="what a model says of images, in words and drawn",
        description="Asks an endpoint, or a model that has none, and tells what it says with the threshold's "
        "score or more. --out draws it.",
    )
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="a file, or an S3 URI")
    add_model(parser, "default: the pipeline's live endpoint")
    parser.add_argument(
        "--threshold", type=_score, default=THRESHOLD, help=f"the least score (default: {THRESHOLD})"
    )
    parser.add_argument(
        "--out", metavar="PICTURE|FOLDER", help="draw: one image as a picture, or all in a folder"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object with all that it says")
    parser.add_argument(
        "--describe", action="store_true", help="print what the model takes and which classes it knows"
    )
    parser.set_defaults(run=_predict)


def _score(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be from 0 to 1, not {text!r}")
    return value


def _predict(options: argparse.Namespace) -> int:
    if options.describe:
        return _describe(options)
    if not options.images:
        raise ConfigurationError("name an image at least, or --describe")
    images = [Given(name, _read(name)) for name in dict.fromkeys(options.images)]
    paths = drawings(options.out, images) if options.out else []
    refused = {image.name: why for image in images if (why := _why_no_picture(image.body))}
    asked = [image for image in images if image.name not in refused]
    if not asked:
        raise ConfigurationError("\n".join(f"{name}: {why}" for name, why in refused.items()))
    workspace, answers = _ask(options, asked)
    answers.missing.update(refused)
    if options.json:
        told = {name: _told(workspace, found) for name, found in answers.found.items()}
        print(json.dumps({"predictions": told, "missing": answers.missing}, indent=2, ensure_ascii=False))
    for image in images:
        if image.name not in answers.found:
            print(printable(f"error: {image.name}: {answers.missing[image.name]}"), file=sys.stderr)
        elif not options.json:
            print(printable(image.name))
            for line in _lines(_told(workspace, answers.found[image.name]), options.threshold):
                print(printable(f"  {line}"))
    for image, path in zip(images, paths, strict=False):
        if image.name in answers.found:
            _draw(workspace, image, answers.found[image.name], options.threshold, path)
    return 1 if answers.missing else 0


def _read(name: str) -> bytes:
    try:
        if is_in_s3(name):
            return anywhere().read(name, most=MOST_BYTES)
        with open(name, "rb") as file:
            body = file.read(MOST_BYTES + 1)
    except (OSError, BadRecord) as error:
        raise ConfigurationError(f"{name}: {getattr(error, 'strerror', None) or error}") from None
    if len(body) > MOST_BYTES:
        raise ConfigurationError(f"{name} has more than {MOST_BYTES:,} bytes, which no model takes")
    return body


def _why_no_picture(body: bytes) -> str | None:
    """Told before anything is sent: a transform takes minutes of a machine to say it in other words."""
    try:
        read_size(body)
    except PictureError as error:
        return str(error)
    return None


def _ask(options: argparse.Namespace, images: Sequence[Given]) -> tuple[Workspace, Answers]:
    """Predictions by the images' names."""
    if not options.model:
        workspace = workspace_of(options)
        bodies = {image.name: image.body for image in images}
        endpoint = options.endpoint or endpoint_name(workspace)
        return workspace, ask_endpoint(workspace, endpoint, list(bodies), bodies.__getitem__)
    workspace, model, _ = open_model(options)
    places = upload(workspace, images)
    step = partial(ask_model, workspace, model, sorted(set(places.values())))
    answers = finish(workspace, step, _say)
    return workspace, Answers(
        {name: answers.found[uri] for name, uri in places.items() if uri in answers.found},
        {name: answers.missing[uri] for name, uri in places.items() if uri in answers.missing},
    )


def _say(text: str) -> None:
    """Progress goes beside what is asked for."""
    print(printable(text), file=sys.stderr, flush=True)


def _told(workspace: Workspace, prediction: Sequence[Any]) -> list[dict[str, Any]]:
    told = []
    for item in prediction:
        values = asdict(item)
        told.append({"class": workspace.pipeline.classes[values.pop("class_id")], **values})
    return told


def _lines(told: Sequence[dict[str, Any]], threshold: float) -> Iterator[str]:
    if not told:
        yield "nothing"
        return
    counted = [item for item in told if item["score"] >= threshold]
    if not counted:
        best = told[0]
        yield f"nothing with {threshold:g} or more; best: {best['class']} {best['score']:.3f}"
    for item in counted:
        rest = " ".join(
            f"{name} {value:.3f}" for name, value in item.items() if name not in {"class", "score"}
        )
        yield f"{item['score']:.3f} {item['class']}  {rest}".rstrip()


def _draw(workspace: Workspace, image: Given, prediction: Any, threshold: float, path: Path) -> None:
    try:
        picture = _enlarged(read_image(image.body, "RGB", SIDE).image)
        path.parent.mkdir(parents=True, exist_ok=True)
        workspace.task.show(picture, prediction, threshold).save(path)
    except BadRecord as error:
        raise ConfigurationError(f"{image.name} cannot be drawn: {error}") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None
    _say(f"drawn: {path}")


def _enlarged(picture: Picture) -> Picture:
    """Small ones by a whole number, so that their pixels stay pixels and names have room beside them."""
    times = max(1, LEAST // max(picture.size))
    return picture if times == 1 else picture.resize((picture.width * times, picture.height * times), 0)


def drawings(out: str, images: Sequence[Given]) -> list[Path]:
    """Where each image is drawn; in a folder under its own name, with a number where two have the same."""
    place = Path(out)
    if place.suffix.lower() in PICTURES:
        if len(images) > 1:
            raise ConfigurationError(
                f"{len(images)} images do not go into one picture: name a folder with --out"
            )
        return [place]
    paths: list[Path] = []
    for image in images:
        stem = PurePosixPath(image.name).stem or "image"
        names = chain([stem], (f"{stem}-{number}" for number in count(2)))
        paths.append(next(path for name in names if (path := place / f"{name}.png") not in paths))
    return paths


def _describe(options: argparse.Namespace) -> int:
    """A model as whoever has to feed it wants to know it."""
    if options.model:
        workspace, model, details = open_model(options)
    else:
        workspace = workspace_of(options)
        model, details = model_behind(workspace, options.endpoint or endpoint_name(workspace)), None
    details = details or find_job(workspace.clients, model.training_job)
    hyperparameters = hyperparameters_of(details) if details else {}
    if options.json:
        print(json.dumps(_description(workspace, model, hyperparameters), indent=2, ensure_ascii=False))
        return 0
    for name, value in _description(workspace, model, hyperparameters).items():
        if name == "classes":
            print("classes")
            for index, text in enumerate(value):
                print(printable(f"  {index}:{text}"))
        elif isinstance(value, dict):
            print(name, *(printable(f"  {key} {text}") for key, text in value.items()), sep="\n")
        else:
            print(printable(f"{name:16} {value}"))
    return 0


def _description(workspace: Workspace, model: Contestant, hyperparameters: dict[str, str]) -> dict[str, Any]:
    side = hyperparameters.get("image_shape", "").rpartition(",")[2]
    found = workspace.storage.stat(model.model_data)
    return {
        "task": workspace.pipeline.task,
        "training job": model.training_job,
        "artifact": model.model_data,
        "bytes": found.size if found else None,
        "input": f"one JPEG or PNG, squeezed to {side} x {side} pixels" if side else "one JPEG or PNG",
        "classes": list(workspace.pipeline.classes),
        "hyperparameters": hyperparameters,
    }
