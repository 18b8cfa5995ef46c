"""The files in S3 that a labeling job's request names, read before anybody is asked anything.

Takes the request, gives texts and pieces of bytes. What S3 would say again the next time, and what is wrong
with a file, raises ``CannotLabel`` with the request's field and the object; an S3 that does not answer raises
one of ``S3_ERRORS``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from include.review_server.labeling import categories, worker_uis
from include.review_server.labeling.task_types import TaskType
from include.review_server.s3 import ObjectStore
from include.review_server.s3_location import S3Location
from include.review_server.templates.render_pool import RenderPool

# Templates bring pictures along as data URLs, as AWS's own notebooks do.
MOST_TEMPLATE_BYTES = 4 * 1024 * 1024

# What is wrong with a template whatever its input is: what depends on it is told where it is shown.
_NEVER_RENDERED = {"LiquidSyntaxError", "NeverClosed", "TemplateNotFoundError", "UnknownFilterError"}
_REFUSALS = {
    403: "access is denied",
    404: "there is no such object",
    412: "it was changed while the job read it: start another job",
}


class CannotLabel(ValueError):
    """The job fails; the text is its FailureReason but for the kind of error."""


class InputFiles:
    """The files of one request. ``renderers`` try the template."""

    def __init__(self, store: ObjectStore, renderers: RenderPool, request: Mapping[str, Any]) -> None:
        self._store = store
        self._renderers = renderers
        self._request = request
        self.manifest = S3Location.of_object(
            request["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"]
        )

    def check_output(self) -> None:
        """The bucket that the job will write to is there."""
        location = S3Location.parse(self._request["OutputConfig"]["S3OutputPath"])
        if problem := self._store.bucket_problem(location.bucket):
            raise CannotLabel(f"S3OutputPath: {problem}")

    def categories(self, kind: TaskType | None) -> list[str]:
        """The names of the classes; none without a label category file."""
        location = self._category_file
        if location is None:
            return []
        with _said_of("LabelCategoryConfigS3Uri", location):
            return categories.parse(self._store.get(location, categories.MOST_BYTES), kind)

    def template(self) -> str:
        """The worker task template; one that can never be rendered is refused."""
        task = self._request["HumanTaskConfig"]
        if "HumanTaskUiArn" in task["UiConfig"]:
            return self._own_template(task["TaskTitle"])
        location = S3Location.of_object(task["UiConfig"]["UiTemplateS3Uri"])
        with _said_of("UiTemplateS3Uri", location):
            try:
                text = self._store.get(location, MOST_TEMPLATE_BYTES).decode().removeprefix("\ufeff")
            except UnicodeDecodeError:
                raise ValueError("it is no UTF-8 text") from None
            if "\0" in text:
                raise ValueError("it is no text: it has a NUL character")
            self._try(text)
        return text

    def _own_template(self, title: str) -> str:
        if (location := self._category_file) is None:
            raise CannotLabel("LabelCategoryConfigS3Uri is missing")
        with _said_of("LabelCategoryConfigS3Uri", location):
            return worker_uis.named_entities(title, self._store.get(location, categories.MOST_BYTES))

    @property
    def _category_file(self) -> S3Location | None:
        uri = self._request.get("LabelCategoryConfigS3Uri")
        return None if uri is None else S3Location.of_object(uri)

    def pin_manifest(self) -> tuple[str, int]:
        """Which version of the manifest is read: its ETag, and its size in bytes."""
        with _said_of("ManifestS3Uri", self.manifest):
            etag, size = self._store.version(self.manifest)
            if size == 0:
                raise ValueError("it is empty")
        return etag, size

    def piece(self, etag: str, start: int, most: int) -> bytes:
        """At most so many bytes of that version of the manifest, from ``start`` on."""
        with _said_of("ManifestS3Uri", self.manifest):
            piece = self._store.get_piece(self.manifest, etag, start, most)
            if not piece:
                raise ValueError(f"it ended after {start:,} bytes")
        return piece

    def _try(self, template: str) -> None:
        sample = json.dumps({"taskObject": self.manifest.uri, "labels": [], "manifestLine": {}})
        for error in self._renderers.render(template, sample, lambda location: location.uri).errors:
            if error.code in _NEVER_RENDERED:
                what = error.message.split("\n")[0]
                raise ValueError(f"line {error.line}: {what}" if error.line else what)


@contextmanager
def _said_of(field: str, location: S3Location) -> Iterator[None]:
    """What is wrong with an object, told with its place in the request; a passing fault stays what it is."""
    try:
        yield
    except ClientError as error:
        if (why := _lasting(error)) is None:
            raise
        raise CannotLabel(f"{field} {location.uri}: {why}") from None
    except ValueError as error:
        raise CannotLabel(f"{field} {location.uri}: {error}") from None


def _lasting(error: ClientError) -> str | None:
    """Why S3 will say the same the next time, or None."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if not 400 <= status < 500 or status in (408, 429):
        return None
    return _REFUSALS.get(status, f"S3 answers {error.response.get('Error', {}).get('Code', status)}")
