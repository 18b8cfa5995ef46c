"""Where a labeling job's files are: every key below ``{S3OutputPath}/{job name}``, and the times in them.

The layout is that of the developer guide ("Output Data"), whose readers take iterations and object ids out of
the keys. Objects are named by the number of their line in the input manifest, from 0; iterations count the
batches from 1. No other module builds such keys. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from include.review_server.s3_location import S3Location


@dataclass(frozen=True)
class Layout:
    """The places of one job's files. ``root`` is its directory."""

    root: S3Location

    @classmethod
    def of(cls, output_path: str, job_name: str) -> Layout:
        """From the job's S3OutputPath, with or without a slash at its end. ``ValueError`` for no location."""
        return cls(S3Location.parse(output_path).below(job_name))

    @property
    def output_manifest(self) -> S3Location:
        """Every line of the input in its order, with its label as soon as there is one."""
        return self.root.below("manifests", "output", "output.manifest")

    @property
    def annotations(self) -> S3Location:
        """The directory that post-annotation functions are told as ``outputConfig``."""
        return self.root.below("annotations")

    def worker_response(self, iteration: int, number: int, moment: datetime) -> S3Location:
        """What people answered about one object."""
        folder = self.annotations.below("worker-response", f"iteration-{iteration}", str(number))
        return folder.below(f"{stamp(moment)}.json")

    def consolidation_request(self, iteration: int, moment: datetime) -> S3Location:
        """The answers of a group of objects, as post-annotation functions read them."""
        return self._consolidated("consolidation-request", f"iteration-{iteration}", f"{stamp(moment)}.json")

    def consolidation_response(self, iteration: int, moment: datetime) -> S3Location:
        """What the same group's answers came to."""
        return self._consolidated("consolidation-response", f"iteration-{iteration}", f"{stamp(moment)}.json")

    def consolidated_file(self, name: str) -> S3Location:
        """A label that is a file, as a mask."""
        return self._consolidated("output", name)

    def intermediate(self, iteration: int) -> S3Location:
        """The objects of one batch with their labels so far, one a line."""
        return self.annotations.below("intermediate", str(iteration), "annotations.json")

    def training(self, iteration: int) -> S3Location:
        """The directory of the models that auto-labeling trains."""
        return self.root.below("training", str(iteration))

    def inference(self, iteration: int) -> S3Location:
        """The directory of the input and output of auto-labeling's transform jobs."""
        return self.root.below("inference", str(iteration))

    def activelearning(self, iteration: int) -> S3Location:
        """The directory of what auto-labeling decided."""
        return self.root.below("activelearning", str(iteration))

    def _consolidated(self, *parts: str) -> S3Location:
        return self.annotations.below("consolidated-annotation", *parts)


def stamp(moment: datetime) -> str:
    """A time as file names have it: ``2026-02-11_09:13:00``, in UTC."""
    return f"{moment:%Y-%m-%d_%H:%M:%S}"
