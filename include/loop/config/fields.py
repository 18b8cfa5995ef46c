"""What the settings of pipelines and environments share: kinds of fields, and how strict they are."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

SHARE = Annotated[float, Field(ge=0, le=1)]

# Names go into job, loop and flow-definition names of at most 63 characters (identity.py): 24 leave room for
# a date, an epoch, a hash and an attempt number.
NAME = r"[a-z0-9](-?[a-z0-9])*"
LONGEST_NAME = 24
Name = Annotated[str, StringConstraints(pattern=f"^{NAME}$", max_length=LONGEST_NAME)]
# SageMaker's rule for label attribute names (LabelAttributeName), without the two endings that mean something
# else.
LabelAttribute = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,126}$")]
# SageMaker's rule for the names of endpoints.
EndpointName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9])*$", max_length=63)]
Scalar = str | int | float | bool
Stage = Literal["initial", "incremental"]
TaskName = Literal["object-detection", "image-classification"]
# What AWS allows in the tags of its resources.
TagText = Annotated[str, StringConstraints(pattern=r"^[\w.:/=+\-@ ]*$")]
TagName = Annotated[TagText, Field(min_length=1, max_length=128)]
TagValue = Annotated[TagText, Field(max_length=256)]
# Counted or decided by the loop itself: a setting of the same name would silently disagree with the data.
COMPUTED = frozenset(
    {"num_classes", "num_training_samples", "label_width", "base_network", "num_layers", "multi_label"}
)


def _no_computed(values: dict[str, Scalar]) -> dict[str, Scalar]:
    if clash := sorted(COMPUTED & values.keys()):
        raise ValueError(f"{', '.join(clash)} is set by the loop itself; remove it")
    return values


Hyperparameters = Annotated[dict[str, Scalar], AfterValidator(_no_computed)]


def is_name(text: str) -> bool:
    """Whether a pipeline could have this name."""
    return len(text) <= LONGEST_NAME and re.fullmatch(NAME, text) is not None


class Strict(BaseModel):
    """Frozen, and a field that is not known is an error rather than a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)
