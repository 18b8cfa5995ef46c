"""Where labels, reference labels and workers' answers lie.

Ground Truth writes below ``{S3OutputPath}/{job}/``: ``manifests/output/output.manifest``, and every object's
answers as ``annotations/worker-response/iteration-{N}/{line, from 0}/{time}.json``. A2I writes those of a
human loop as ``…/{loop}/output.json``, and the lines of this product's own labels name their loop. Any other
augmented manifest has labels only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from include.loop.analysis.costs import Prices
from include.loop.core.errors import ConfigurationError
from include.loop.core.storage import Storage

_LOOP = re.compile(r"(?:.*/)?(?P<loop>[^/]+)/output\.json", re.DOTALL)
_RESPONSE = re.compile(r"iteration-(?P<iteration>\d{1,6})/(?P<number>\d{1,9})/[^/]+\.json")


@dataclass(frozen=True)
class Sources:
    """``manifest`` and ``references`` are files or S3 URIs; ``label`` and ``reference_label`` the attributes
    to read there, None where there is one only. ``responses`` is the folder of workers' answers in S3.
    ``workers`` is how many were asked about an object, ``answer_price`` what the job pays for an answer;
    both None where nobody says. ``job`` is the labeling job that has made the labels, if it is known;
    ``standing`` says how it stands where it is not Completed.
    """

    manifest: str
    label: str | None = None
    references: str | None = None
    reference_label: str | None = None
    responses: str | None = None
    workers: int | None = None
    answer_price: float | None = None
    job: str | None = None
    standing: str | None = None

    @classmethod
    def of_job(cls, described: Mapping[str, Any], references: str | None = None) -> Sources:
        """Of a labeling job, as DescribeLabelingJob tells of it; its manifest is there while it runs, too."""
        human = described["HumanTaskConfig"]
        folder = job_folder(described)
        return replace(
            cls.of_folder(folder),
            label=described.get("LabelAttributeName"),
            references=references,
            workers=human.get("NumberOfHumanWorkersPerDataObject"),
            answer_price=_price(human.get("PublicWorkforceTaskPrice")),
            job=described["LabelingJobName"],
            standing=_standing(described),
        )

    @classmethod
    def of_folder(cls, folder: str) -> Sources:
        """Of the folder that a labeling job has written."""
        folder = folder.rstrip("/")
        return cls(
            f"{folder}/manifests/output/output.manifest",
            responses=f"{folder}/annotations/worker-response/",
        )

    def is_of_job(self, job_name: str) -> bool:
        """Whether a label whose metadata has this ``job-name`` is one of the job's own."""
        return self.job is None or job_name.rpartition("/")[2].lower() == self.job.lower()

    def prices(self, prices: Prices) -> Prices:
        """As they are given, but for an answer what the job itself pays."""
        return prices if self.answer_price is None else replace(prices, answer=self.answer_price)


def check_kind(described: Mapping[str, Any]) -> None:
    """ConfigurationError for a job whose labels are neither boxes nor classes."""
    functions = str(described["HumanTaskConfig"].get("PreHumanTaskLambdaArn"))
    masks = str(described["LabelAttributeName"]).endswith("-ref")
    texts = functions.endswith("NamedEntityRecognition")
    if not masks and not texts:
        return
    standing = _standing(described)
    raise ConfigurationError(
        f"{standing or described['LabelingJobName'] + ' is Completed'}. "
        f"{'Masks' if masks else 'Marked spans of text'} are not analysed: boxes and classes are. "
        f"labels progress {described['LabelingJobName']} says how many there are and what they cost"
    )


def _standing(described: Mapping[str, Any]) -> str | None:
    """None of a job that is Completed."""
    status, why = described["LabelingJobStatus"], described.get("FailureReason")
    if status == "Completed":
        return None
    return f"{described['LabelingJobName']} is {status}" + (f": {why.rstrip('.')}" if why else "")


def job_folder(described: Mapping[str, Any]) -> str:
    """Where a labeling job writes, without a slash at its end."""
    path = str(described["OutputConfig"]["S3OutputPath"]).rstrip("/")
    return f"{path}/{described['LabelingJobName']}"


@dataclass(frozen=True)
class Responses:
    """The newest file of answers of every object that has one: by the number of its line, with the iteration
    in which people were asked about it, or by its human loop.
    """

    folder: str
    files: Mapping[int, tuple[int, str]] = field(default_factory=dict)
    loops: Mapping[str, str] = field(default_factory=dict)

    def location(self, number: int, loop: str | None) -> str | None:
        """Of the object with this number, from 0, whose line names this loop."""
        if found := self.files.get(number):
            return f"{self.folder}iteration-{found[0]}/{number}/{found[1]}"
        return self.loops.get(loop) if loop else None

    def iteration(self, number: int) -> int | None:
        found = self.files.get(number)
        return found[0] if found else None


def list_responses(storage: Storage, folder: str | None) -> Responses:
    """By one listing; the files are read when they are wanted."""
    if folder is None:
        return Responses("")
    files: dict[int, tuple[int, str]] = {}
    loops: dict[str, str] = {}
    for item in storage.list(folder):
        if found := _RESPONSE.fullmatch(item.uri.removeprefix(folder)):
            number, name = int(found["number"]), item.uri.rpartition("/")[2]
            files[number] = max((int(found["iteration"]), name), files.get(number, (0, "")))
        elif found := _LOOP.fullmatch(item.uri.removeprefix(folder)):
            loops[found["loop"]] = item.uri
    return Responses(folder, files, loops)


def check_folder(folder: str) -> str:
    """ConfigurationError unless it is one in S3; with a slash at its end."""
    if not folder.startswith("s3://"):
        raise ConfigurationError(f"{folder}: workers' answers are read from a folder in S3 (s3://…/)")
    return folder.rstrip("/") + "/"


def _price(said: Any) -> float | None:
    amount = said.get("AmountInUsd") if isinstance(said, Mapping) else None
    if not isinstance(amount, Mapping):
        return None
    parts = (("Dollars", 1), ("Cents", 100), ("TenthFractionsOfACent", 1000))
    return sum(int(amount.get(name) or 0) / of for name, of in parts)
