"""Labels of other tools as tasks: take them in, and tell training when there is something to learn."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from include.loop.core.errors import ConfigurationError
from include.loop.exchange.formats import format_names
from nightloop.links import ReportLink
from nightloop.operators.human_review import NotifyTrainingOperator
from nightloop.operators.loop_operator import LoopOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

FORMATS = format_names()
_IN_S3 = "s3://"
_SECONDS = 10  # between two words in the log


class ImportDatasetOperator(LoopOperator):
    """Makes labels that lie in S3, in any format, those of a pipeline.

    :param source: S3 URI of a folder, an archive or a file. Paths are refused: whoever may start a run must
        not read what the worker's machine has.
    :param target: ``initial``, ``labels`` or ``test:NAME``.
    :param format: its name; None finds it out.
    :param images: S3 URI of the pictures, when they are not in the source.
    :param label_attribute: the label attribute of a manifest that has several.
    :param classes: names of class numbers, in order, where the source has numbers only.
    :param sets: the parts of the source to read; all when empty.
    :param renamed: ``theirs=ours`` for classes that have another name in the pipeline.
    :param drop_others: leave out labels of classes that the pipeline has not.
    :param replace: write over other manifests that lie where these belong.
    :param plan_only: read everything, write nothing, and skip.
    :param trains_itself: tasks behind this one start the training: nobody is told to.
    """

    template_fields: Sequence[str] = (
        *LoopOperator.template_fields,
        "source", "target", "format", "images", "label_attribute", "classes", "sets", "renamed",
        "drop_others", "replace", "plan_only",
    )  # fmt: skip
    operator_extra_links = (ReportLink(),)

    def __init__(
        self,
        *,
        source: str | None,
        target: str = "labels",
        format: str | None = None,
        images: str | None = None,
        label_attribute: str | None = None,
        classes: Sequence[str] | None = None,
        sets: Sequence[str] | None = None,
        renamed: Sequence[str] | None = None,
        drop_others: bool = False,
        replace: bool = False,
        plan_only: bool = False,
        trains_itself: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.target = target
        self.format = format
        self.images = images
        self.label_attribute = label_attribute
        self.classes = classes
        self.sets = sets
        self.renamed = renamed
        self.drop_others = drop_others
        self.replace = replace
        self.plan_only = plan_only
        self.trains_itself = trains_itself
        self._told = 0.0

    def execute_step(self, context: Context) -> dict[str, Any]:
        from include.loop.exchange.import_text import tell
        from include.loop.exchange.importing import import_data

        self._told = time.monotonic()
        found = import_data(self.workspace, self._request(), keep=not self.plan_only, progress=self._progress)
        record = found.record
        lines = tell(
            self.workspace,
            record,
            found.notes,
            changed=found.changed,
            planned=self.plan_only,
            trains_itself=self.trains_itself,
        )
        if self.plan_only:
            self.end_with_plan(context, record.model_dump(mode="json"), *lines)
        self.log.info("%s", "\n".join(lines))
        self.find_report(record.name)
        self.set_lineage([record.source], list(record.manifests.values()))
        return {
            "import": record.name,
            # What training is told of: other targets are no batch.
            "batch": record.name if record.target == "labels" else "",
            "changed": found.changed,
            "images": record.images,
            "problems": record.problems,
            "manifests": record.manifests,
        }

    def _request(self) -> Any:
        from include.loop.exchange.importing import Request

        for name, place in (("source", self.source), ("images", self.images)):
            if not place and name == "images":
                continue
            if not place or not place.startswith(_IN_S3):
                raise ConfigurationError(
                    f"{name}: must be an S3 URI, not {place!r}; `python -m include.loop data import` reads "
                    "what lies on a machine"
                )
        pairs = [text.partition("=") for text in self.renamed or ()]
        if wrong := next((pair[0] for pair in pairs if not pair[0] or not pair[2]), None):
            raise ConfigurationError(f"map: must be lines of theirs=ours, not {wrong!r}")
        return Request(
            source=str(self.source),
            target=self.target,
            format=self.format or None,
            images=self.images or None,
            label=self.label_attribute or None,
            classes=tuple(self.classes or ()),
            sets=tuple(self.sets or ()),
            renamed={theirs: ours for theirs, _, ours in pairs},
            drop_others=self.drop_others,
            replace=self.replace,
        )

    def _progress(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self._told < _SECONDS:
            return
        self._told = now
        if total is None:
            self.log.info("%d images: labels read", done)
        else:
            self.log.info("%d of %d images", done, total)


class NotifyOfImportOperator(NotifyTrainingOperator):
    """Succeeds, and so emits its outlet, when labels came in that are to be learned; skips otherwise."""

    def execute_step(self, context: Context) -> dict[str, Any]:
        if not self.batch:
            raise AirflowSkipException("Only what is imported as labels is learned by the next training.")
        return super().execute_step(context)
