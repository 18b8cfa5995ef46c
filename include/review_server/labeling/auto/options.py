"""The settings of automated labeling as a JSON file, for the command lines.

    {"minimum_objects": 300,
     "object-detection": {"hyperparameters": {"epochs": 40}},
     "image-classification": {"image": "<training image>", "hyperparameters": {"image_shape": "3,128,128"}}}

All of it may be left out. ``ValueError`` says what is wrong with a file.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from include.review_server.labeling.auto.algorithms import ALGORITHMS
from include.review_server.settings import AutoLabelingSettings
from include.wire import strictjson

# The file, as a variable.
VARIABLE = "NIGHTLOOP_AUTO_LABELING"
_MOST_BYTES = 1 << 20


def auto_labeling_option(parser: argparse.ArgumentParser) -> None:
    """The option that names the file."""
    named = os.environ.get(VARIABLE)
    parser.add_argument(
        "--auto-labeling",
        type=Path,
        metavar="FILE",
        default=Path(named) if named else None,
        help="settings of automated labeling as JSON: minimum_objects of a job, and by algorithm image and "
        f"hyperparameters (also by the variable {VARIABLE})",
    )


def changed_by(path: Path | None, settings: AutoLabelingSettings) -> AutoLabelingSettings:
    """The settings with what the file says in their place; hyperparameters one by one."""
    if path is None:
        return settings
    try:
        with path.open("rb") as stream:
            return _changed(strictjson.loads(stream.read(_MOST_BYTES)), settings)
    except ValueError as error:
        raise ValueError(f"{path} (--auto-labeling, {VARIABLE}): {error}") from None


def _changed(said: Any, settings: AutoLabelingSettings) -> AutoLabelingSettings:
    _check_names("the file", said, {"minimum_objects", *ALGORITHMS})
    minimum = said.get("minimum_objects", settings.minimum_objects)
    if type(minimum) is not int:
        raise ValueError(f"minimum_objects must be a whole number, not {minimum!r}")
    images, hyperparameters = dict(settings.images), dict(settings.hyperparameters)
    for name in said.keys() & ALGORITHMS.keys():
        _check_names(name, said[name], {"image", "hyperparameters"})
        values = said[name].get("hyperparameters", {})
        _check_names(f"{name}: hyperparameters", values, None)
        texts = {key: str(value) for key, value in values.items()}
        hyperparameters[name] = {**hyperparameters.get(name, {}), **texts}
        if image := said[name].get("image"):
            images[name] = str(image)
    return replace(settings, minimum_objects=minimum, images=images, hyperparameters=hyperparameters)


def _check_names(where: str, value: Any, allowed: set[str] | None) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be a JSON object")
    if allowed is not None and (unknown := sorted(value.keys() - allowed)):
        raise ValueError(f"{where} has {', '.join(unknown)}; known are {', '.join(sorted(allowed))}")
