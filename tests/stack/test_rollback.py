"""What a person reads after a rollback; for the rollback itself see tests/loop/serving/test_deployment.py."""

from __future__ import annotations

from include.stack.rollback import in_words

TOLD = {
    "number": 4,
    "training_job": "digits-train-b-1",
    "package_arn": "arn:aws:sagemaker:us-east-1:1:model-package/digits/2",
    "left": "digits-train-c-1",
    "endpoint": "digits",
    "config": "digits-train-b-1-ab",
}


def test_it_says_who_answers_now_and_what_became_of_the_model_that_was_left():
    assert in_words(TOLD).splitlines() == [
        "Champion number 4 is digits-train-b-1, arn:aws:sagemaker:us-east-1:1:model-package/digits/2.",
        "The endpoint digits answers with it: configuration digits-train-b-1-ab.",
        "digits-train-c-1 was left, and its package is Rejected.",
    ]


def test_where_nothing_is_served_or_left_there_is_less_to_say():
    assert len(in_words(TOLD | {"endpoint": None, "config": None, "left": None}).splitlines()) == 1
