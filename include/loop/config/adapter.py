"""How a training image of one's own differs from SageMaker's algorithm: what it is sent, and what it answers.

Reads no file. What is not said is as SageMaker's algorithm has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from string import Formatter
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from include.loop.config.fields import Scalar, Strict

# What a hyperparameter's text may name in braces: what the loop counts and decides, and those settings of
# pipelines and environments that every kind of network has.
LOOP_VALUES = frozenset(
    {
        "num_classes",
        "class_names",
        "num_training_samples",
        "image_shape",
        "epochs",
        "learning_rate",
        "mini_batch_size",
        "continues",
    }
)
SAGEMAKER = "sagemaker"
# The metric whose value is the number of the epoch that the others are of.
EPOCH = "epoch"
# The readers of replies that have a name; which task has which is in include/loop/tasks.
NAMED_READERS = (SAGEMAKER, "coco-results")
FUNCTION = re.compile(r"[a-zA-Z_][\w.]*:[a-zA-Z_]\w*", re.ASCII)

# Limits of CreateTrainingJob.
ChannelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.\-_]{1,64}$")]
HyperparameterName = Annotated[str, Field(min_length=1, max_length=256)]
MetricName = Annotated[str, Field(min_length=1, max_length=255)]
MediaType = Annotated[
    str, StringConstraints(pattern=r"^[\w.+\-]+/[\w.+\-]+(; ?[\w\-]+=[\w.\-]+)*$", max_length=256)
]


def values_named(text: str) -> list[str]:
    """The names in braces. ValueError for braces that are none of a name."""
    names = []
    for _, name, form, conversion in Formatter().parse(text):
        if name is None:
            continue
        if name not in LOOP_VALUES or form or conversion:
            raise ValueError(
                f"{text!r}: braces may have {', '.join(sorted(LOOP_VALUES))}, and nothing else beside the "
                "name; for a brace itself write it twice"
            )
        names.append(name)
    return names


def _templates(values: dict[str, Scalar]) -> dict[str, Scalar]:
    for name, value in values.items():
        try:
            values_named(str(value))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return values


def _expressions(values: dict[str, str]) -> dict[str, str]:
    for name, text in values.items():
        try:
            groups = re.compile(text).groups
        except re.error as error:
            raise ValueError(f"{name}: is no regular expression ({error})") from None
        if groups != 1 or len(text) > 500:
            raise ValueError(
                f"{name}: must be a regular expression of at most 500 characters with one group, "
                f"which is the value; this one has {groups}"
            )
    fields = [metric_field(name) for name in values]
    if len({*fields}) < len(fields):
        raise ValueError(
            f"{', '.join(values)}: the curves keep a name's letters and digits, and _ for all between, so "
            "that two of these are one; give one of them another name"
        )
    return values


def metric_field(name: str) -> str:
    """A metric's name in the curves: what is no letter or digit becomes a ``_``."""
    return re.sub(r"\W+", "_", name)


def _reader(value: str) -> str:
    if value in NAMED_READERS:
        return value
    if not FUNCTION.fullmatch(value):
        raise ValueError(
            f"must be {', '.join(NAMED_READERS)}, or a function of your own as package.module:function"
        )
    module = value.partition(":")[0]
    try:
        # A search for all of package.module would import the package, here where DAGs are parsed.
        there = find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError):
        there = False
    if not there:
        raise ValueError(f"there is no module {module}: it must be installed, or on PYTHONPATH")
    return value


class AdapterChannels(Strict):
    """The names of the input channels. With ``coco`` the channels ``train`` and ``validation`` have the
    images as files, and ``annotations`` a train.json and a validation.json. ``model`` has the artifact of the
    model that is trained further; None for an image that begins anew every time.
    """

    format: Literal["coco"] | None = None
    train: ChannelName = "train"
    validation: ChannelName = "validation"
    annotations: ChannelName = "annotations"
    model: ChannelName | None = "model"

    @model_validator(mode="after")
    def _each_has_its_own_name(self) -> Self:
        names = [self.train, self.validation, *filter(None, [self.model])]
        names += [self.annotations] if self.format == "coco" else []
        if len({*names}) < len(names):
            raise ValueError(f"each channel needs a name of its own, not {', '.join(names)}")
        return self

    def name(self, split: str) -> str:
        """The channel of a split, ``train`` or ``validation``."""
        return self.train if split == "train" else self.validation


class ImageAdapter(Strict):
    """``hyperparameters``: name in the image → text, with the loop's values in braces; None for SageMaker's
    own names. ``metrics``: name → regular expression over the training log with one group, the value; that of
    ``epoch`` is the number of the epoch that the line and those after it tell of.
    ``content_type`` and ``accept`` go with each image that is predicted, ``output`` reads the reply.
    """

    hyperparameters: (
        Annotated[dict[HyperparameterName, Scalar], Field(max_length=100), AfterValidator(_templates)] | None
    ) = None
    channels: AdapterChannels = AdapterChannels()
    metrics: Annotated[dict[MetricName, str], AfterValidator(_expressions)] = Field(default={}, max_length=40)
    content_type: MediaType = "application/x-image"
    accept: MediaType = "application/json"
    output: Annotated[str, AfterValidator(_reader)] = SAGEMAKER

    def fill(self, values: dict[str, str]) -> Iterator[tuple[str, str]]:
        """Name and text of each hyperparameter of the template. One that names a value which nobody has given
        is left out: the image's own default counts.
        """
        for name, template in (self.hyperparameters or {}).items():
            text = str(template)
            if all(value in values for value in values_named(text)):
                yield name, text.format(**values)
