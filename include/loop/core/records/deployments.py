"""deployments/<number>.json and checks/<configuration>.json: what was put to work, and how it was tried
before.
"""

from __future__ import annotations

from typing import ClassVar

from include.loop.core import layout
from include.loop.core.records.base import Location, Part, Record


class CheckedImage(Part):
    """One image of the smoke test, and how far the endpoint's answer was from what evaluation had kept (0:
    the same).
    """

    image: str
    largest_difference: float


class SmokeTest(Record):
    """An endpoint configuration has answered as its model did in its evaluation; written once."""

    LOCATION: ClassVar[Location] = staticmethod(layout.check_file)

    checked: tuple[CheckedImage, ...]


class Deployment(Record):
    """One change of what an endpoint serves; numbered from 1."""

    LOCATION: ClassVar[Location] = staticmethod(layout.deployment_file)

    training_job: str
    package_arn: str = ""
    endpoint: str
    config: str = ""
    checked: tuple[CheckedImage, ...] = ()
    deployed_at: str = ""
