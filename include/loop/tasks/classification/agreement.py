"""How far two labels of one image agree, class by class."""

from __future__ import annotations

from include.loop.tasks.classification.values import LabelledImage
from include.loop.tasks.values import Agreement


def compare_classes(first: LabelledImage, second: LabelledImage) -> Agreement:
    """The same: the same classes. A class has no place in the image that could overlap."""
    return Agreement(first.classes == second.classes)
