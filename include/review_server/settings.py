"""What a review server must be told: where its data, its database and its S3 are, and how it is reached.

A frozen value that checks itself. Credentials left out mean boto3's own chain
(environment, shared files, instance role), so that the server runs beside real S3 unchanged.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from include.review_server.s3_location import S3Location

# S3 URIs, separated by spaces or commas: the setting ``read_prefixes`` as a variable.
READ_PREFIXES = "NIGHTLOOP_REVIEW_READ_PREFIXES"
# The most that these settings may be.
MOST_SECONDS = {"least_seconds": 60, "undo_seconds": 600}
# Instead of an endpoint's URL: the service of AWS itself.
OF_AWS = "aws"


@dataclass(frozen=True)
class AutoLabelingSettings:
    """Automated data labeling of labeling jobs.

    ``endpoint`` is where SageMaker is, which trains and asks the models: a URL, or ``OF_AWS``; without one
    jobs with LabelingJobAlgorithmsConfig are refused. They need ``minimum_objects`` to label. ``images`` and
    ``hyperparameters`` are by the algorithm's name: training images in the place of SageMaker's own, and
    values that go before those of the server.
    """

    endpoint: str | None = None
    minimum_objects: int = 1_250
    images: Mapping[str, str] = field(default_factory=dict)
    hyperparameters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.minimum_objects < 1:
            raise ValueError(f"minimum_objects must be 1 or more, not {self.minimum_objects}")


@dataclass(frozen=True)
class ReviewSettings:
    """Settings of one review server.

    ``data_dir`` holds the SQLite database unless ``database_url`` names another (a SQLAlchemy URL).
    ``s3_endpoint_url`` is None for real S3. ``public_url`` is where workers' browsers reach the server.
    ``events_to`` is told of the end of loops and jobs: the URL of an SQS queue, or the name or ARN of a bus
    (at ``events_endpoint_url``, AWS's own when left out); None tells nobody.
    ``api_keys`` is the file of the keys that API callers sign with (``data_dir``/api-keys when left out).
    ``trusted_proxies`` are addresses and networks (CIDR): who calls from there is believed about whom it
    calls for (X-Forwarded-For) and how that one came (X-Forwarded-Proto).
    ``read_prefixes`` are S3 URIs below which any template may show objects, besides what its own loop names
    and where its flow definition writes (``grants``).
    ``labeling_functions`` are callables that labeling jobs may name as their functions (``callables``).
    ``lambda_endpoint`` and ``logs_endpoint`` are where AWS Lambda is, which has their other functions, and
    CloudWatch Logs, which their logs are sent to: a URL, or ``OF_AWS``; without one there is none.
    ``auto_labeling`` is how a model labels along with people.
    ``least_seconds``: so long a worker has seen a task, at least, before its page sends the answer.
    ``undo_seconds``: so long an answer can be taken back before it becomes final; 0 makes it final at once.
    """

    data_dir: Path
    database_url: str | None = None
    s3_endpoint_url: str | None = None
    region: str = "us-east-1"
    account_id: str = "000000000000"
    public_url: str = "http://127.0.0.1:4567"
    access_key_id: str | None = None
    secret_access_key: str | None = None
    api_keys: Path | None = None
    events_to: str | None = None
    events_endpoint_url: str | None = None
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    read_prefixes: tuple[str, ...] = ()
    labeling_functions: tuple[str, ...] = ()
    lambda_endpoint: str | None = None
    logs_endpoint: str | None = None
    auto_labeling: AutoLabelingSettings = field(default_factory=AutoLabelingSettings)
    least_seconds: float = 0.7
    undo_seconds: float = 10.0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d{12}", self.account_id):
            raise ValueError(f"account_id must be 12 digits, not {self.account_id!r}")
        if self.events_to is not None and not re.fullmatch(r"https?://\S+|[\w.:/-]+", self.events_to):
            raise ValueError(
                f"events_to must be the URL of an SQS queue or the name or ARN of an event bus, not "
                f"{self.events_to!r}"
            )
        for name in ("public_url", "s3_endpoint_url", "events_endpoint_url"):
            url = getattr(self, name)
            if url is not None and urlsplit(url).scheme not in ("http", "https"):
                raise ValueError(f"{name} must be an http or https URL, not {url!r}")
        for name in ("lambda_endpoint", "logs_endpoint"):
            url = getattr(self, name)
            if url not in (None, OF_AWS) and urlsplit(url).scheme not in ("http", "https"):
                raise ValueError(f"{name} must be an http or https URL, or {OF_AWS}, not {url!r}")
        for name, most in MOST_SECONDS.items():
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be 0 to {most} seconds, not {getattr(self, name)}")
        for proxy in self.trusted_proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError as error:
                raise ValueError(
                    f"trusted_proxies must be addresses or networks such as 10.0.0.0/24: {error}"
                ) from None
        for prefix in self.read_prefixes:
            try:
                S3Location.parse(prefix)
            except ValueError as error:
                raise ValueError(f"read_prefixes (--read-prefix, {READ_PREFIXES}): {error}") from None
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key belong together: give both or neither")

    @property
    def api_keys_file(self) -> Path:
        """Where the API callers' keys are."""
        return self.api_keys or self.data_dir / "api-keys"

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the database."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'review.db').resolve()}"


def read_prefixes(environment: Mapping[str, str]) -> tuple[str, ...]:
    """What the variable ``READ_PREFIXES`` says."""
    return tuple(environment.get(READ_PREFIXES, "").replace(",", " ").split())
