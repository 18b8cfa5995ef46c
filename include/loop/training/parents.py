"""A model that is trained further, whoever made it: a champion, or what a person names by job or artifact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Parent(Protocol):
    """``hyperparameters`` are those that it shares with its successors, as text."""

    @property
    def training_job(self) -> str: ...

    @property
    def model_data(self) -> str:
        """The S3 URI of its artifact."""

    @property
    def hyperparameters(self) -> Mapping[str, str]: ...
