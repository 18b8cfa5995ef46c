"""From a dataset back to the people: a line it was trained on, the question, the answers, what was shown.

Takes a dataset and a class; gives the manifest line (of the newest batch first, back through the datasets of
the model's ancestors), its human loop, the workers' answers, and the worker template and flow definition they
answered under. Only reads. What the review plane has deleted is said to be gone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from include.loop.core import layout
from include.loop.core.errors import BadRecord, NotSetUp
from include.loop.core.records.dataset import Dataset
from include.loop.core.records.nightly import QuestionsHeader
from include.loop.core.storage import error_code
from include.loop.tasks.a2i_output import MOST_BYTES
from include.loop.tasks.manifest_lines import moment
from include.loop.workspace import Workspace

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

GONE = "the review plane does not know it any more"


def walk_back(workspace: Workspace, dataset_id: str, class_name: str | None, line: int) -> dict[str, Any]:
    """The steps label, human_loop, answers, template and flow_definition; only the first for a label that
    came with the pipeline.
    """
    label, value = find_line(workspace, dataset_id, class_name, line)
    if label["loop"] is None:
        return {"label": label}
    loop = _describe(workspace.clients.a2i.describe_human_loop, "HumanLoopName", label["loop"])
    flow_arn = loop["FlowDefinitionArn"] if loop else _flow_of_batch(workspace, label["batch"])
    flow = _describe(
        workspace.clients.review.describe_flow_definition, "FlowDefinitionName", flow_arn.rpartition("/")[2]
    )
    return {
        "label": label,
        "human_loop": _human_loop(label["loop"], loop),
        "answers": _answers(workspace, label["loop"], loop, value),
        "template": _template(workspace.clients.review, flow),
        "flow_definition": _flow_definition(flow_arn, flow),
    }


def find_line(
    workspace: Workspace, dataset_id: str, class_name: str | None, line: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The n-th line (from 1) that shows an object of the class (None: any line), and its whole value.

    The lines of the dataset itself come first, the newest batch at the head and labels without a batch at the
    end; then those that only an ancestor was trained on. NotSetUp when there are fewer.
    """
    count = 0
    for name, found in _by_dataset(workspace, dataset_id, class_name):
        if line <= count + len(found):
            number, value = found[line - count - 1]
            return _label(workspace, name, number, value, class_name, line), value
        count += len(found)
    what = f"shows {class_name!r}" if class_name else "is there"
    raise NotSetUp(
        f"the model and its ancestors learned from {count} lines of this kind: no line {line} {what}"
    )


def _by_dataset(
    workspace: Workspace, dataset_id: str | None, class_name: str | None
) -> Iterator[tuple[str, list[tuple[int, dict[str, Any]]]]]:
    """Line numbers and values by dataset, back through the ancestors; a replayed line is met once."""
    storage, seen = workspace.storage, set[tuple[str, str]]()
    # Most of a dataset is shown again, as it was written then: a digest tells, without reading it once more.
    met: set[bytes] = set()
    while dataset_id is not None:
        found = []
        manifest = layout.dataset_manifest(dataset_id, "train")
        for number, line in enumerate(storage.read_raw_lines(manifest), start=1):
            digest = hashlib.sha256(line).digest()
            if digest in met:
                continue
            met.add(digest)
            value = storage.value(manifest, line)
            identity = (value["source-ref"], str(value.get("loop")))  # anybody's lines may hold a list there
            if identity not in seen and _shows(workspace, value, class_name):
                seen.add(identity)
                found.append((number, value))
        found.sort(key=lambda item: _age(workspace, item[1]), reverse=True)
        yield dataset_id, found
        dataset_id = Dataset.read(storage, dataset_id).parent_dataset


def _shows(workspace: Workspace, value: dict[str, Any], class_name: str | None) -> bool:
    if class_name is None:
        return True
    return any(item["label"] == class_name for item in workspace.task.describe(value))


def _age(workspace: Workspace, value: dict[str, Any]) -> tuple[str, datetime, str]:
    created = _metadata(workspace, value).get("creation-date", "")
    return str(value.get("batch") or ""), moment(str(created)), value["source-ref"]


def _metadata(workspace: Workspace, value: dict[str, Any]) -> dict[str, Any]:
    metadata = value.get(f"{workspace.pipeline.label_attribute}-metadata")
    return metadata if isinstance(metadata, dict) else {}


def _label(
    workspace: Workspace,
    dataset_id: str,
    number: int,
    value: dict[str, Any],
    class_name: str | None,
    line: int,
) -> dict[str, Any]:
    metadata = _metadata(workspace, value)
    return {
        "manifest": workspace.storage.uri(layout.dataset_manifest(dataset_id, "train")),
        "line": number,
        "choice": line,
        "class": class_name,
        "image": value["source-ref"],
        "etag": value.get("etag"),
        "labels": workspace.task.describe(value),
        "parts": workspace.task.words.parts,
        "created": metadata.get("creation-date"),
        "job": metadata.get("job-name"),
        "batch": value.get("batch"),
        "reason": value.get("reason"),
        "loop": value.get("loop"),
        "import": value.get("import"),
    }


def _human_loop(name: str, loop: dict[str, Any] | None) -> dict[str, Any]:
    if loop is None:
        return {"loop": name, "status": GONE}
    return {
        "loop": name,
        "status": loop["HumanLoopStatus"],
        "asked_at": _text(loop["CreationTime"]),
        "output_uri": loop.get("HumanLoopOutput", {}).get("OutputS3Uri"),
    }


def _answers(
    workspace: Workspace, name: str, loop: dict[str, Any] | None, value: dict[str, Any]
) -> list[dict[str, Any]]:
    """Every worker's answer: those that count, and those that were refused with the reason."""
    output = (loop or {}).get("HumanLoopOutput", {}).get("OutputS3Uri")
    if output is None:
        return []
    try:
        body = workspace.storage.read(output, MOST_BYTES)
        accepted, rejected = workspace.task.read_answers(body, name, workspace.task.read_value(value).size)
    except (FileNotFoundError, BadRecord) as error:
        return [{"problem": str(error)}]
    return [
        {
            "worker": answer.worker,
            "submitted": _text(answer.submitted),
            "seconds": answer.seconds,
            "labels": answer.labels,
        }
        for answer in accepted
    ] + [{"worker": item.worker, "problem": item.reason} for item in rejected]


def _template(control: SageMakerClient, flow: dict[str, Any] | None) -> dict[str, Any]:
    arn = flow["HumanLoopConfig"]["HumanTaskUiArn"] if flow else None
    if arn is None:
        return {"human_task_ui_arn": None, "status": GONE}
    ui = _describe(control.describe_human_task_ui, "HumanTaskUiName", arn.rpartition("/")[2])
    if ui is None:
        return {"human_task_ui_arn": arn, "status": GONE}
    return {
        "human_task_ui_arn": arn,
        "status": ui.get("HumanTaskUiStatus"),
        "sha256": ui["UiTemplate"].get("ContentSha256"),
        "created": _text(ui["CreationTime"]),
    }


def _flow_definition(arn: str, flow: dict[str, Any] | None) -> dict[str, Any]:
    if flow is None:
        return {"flow_definition_arn": arn, "status": GONE}
    settings = flow["HumanLoopConfig"]
    return {
        "flow_definition_arn": arn,
        "status": flow["FlowDefinitionStatus"],
        "title": settings["TaskTitle"],
        "workteam_arn": settings["WorkteamArn"],
        "workers_per_question": settings["TaskCount"],
        "created": _text(flow["CreationTime"]),
    }


def _flow_of_batch(workspace: Workspace, batch: str) -> str:
    return QuestionsHeader.read(workspace.storage, batch).flow_definition_arn


def _describe(operation: Any, field: str, name: str) -> dict[str, Any] | None:
    try:
        return dict(operation(**{field: name}))
    except ClientError as error:
        if error_code(error) not in {"ResourceNotFound", "ResourceNotFoundException", "ValidationException"}:
            raise
        return None


def _text(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
