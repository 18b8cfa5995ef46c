"""What pages say of a classifier, for pipelines with one label per image and for those with many."""

from __future__ import annotations

from include.loop.tasks.classification.metrics import INVENTED, LOWEST_SCORE, MISSED
from include.loop.tasks.measuring import Words

ONE_LABEL = Words(
    part="label",
    parts="labels",
    objects="labels",
    found="names {share} of the images rightly with a score that counts",
    at_work=(
        "At work an answer counts from a score of {threshold}. Recall is the share of the images that are "
        "named rightly with such a score, precision the share of the answers with such a score that are "
        "right, the calibration error the mean distance between scores and the share that is right."
    ),
    by_image="Score of its class",
    confusion="Each image counts under the class with the best score, however low that is.",
    reliability="of images whose best class has score 0.8, eight in ten are of that class",
    score_axis="score of the best class",
    legend=(
        ("right", "right"),
        ("wrong", "× wrong"),
        ("label", "label"),
    ),
    both=True,
)
MANY_LABELS = Words(
    part="label",
    parts="labels",
    objects="labels",
    found="finds {share} of the labels",
    at_work=(
        "At work a class counts from a score of {threshold}. Recall is the share of the labels that are "
        "found, precision the share of what is said that is right, the calibration error the mean distance "
        f"between scores (from {LOWEST_SCORE:g} on) and the share that is right."
    ),
    by_image="F1 of its classes",
    confusion=(
        "At the working score of {threshold}. Where an image may have many labels, nothing says for which "
        "one a wrong one stands: each class is found, missed, or said where it is not."
    ),
    reliability="of classes said with score 0.8, eight in ten are right",
    score_axis="score of the class",
    legend=(
        ("right", "right"),
        ("wrong", "× wrong"),
        ("label", "label"),
    ),
    invented="“{said}” said where it is not",
    nothing=INVENTED,
    missed=MISSED,
    matrix=False,
)
