"""A pipeline in a bucket of its own, on a real local cloud and a real review server, and what tests do with
it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from include.loop.aws.jobs import Pending, has_ended
from include.loop.config import Environment, Pipeline
from include.loop.core import layout
from include.loop.core.clients import Clients
from include.loop.core.records.nightly import Question
from include.loop.core.storage import Storage
from include.loop.nightly import batch, human_loops, labels, predictions, questions, review_setup, triage
from include.loop.workspace import Workspace
from tests.review_server.rig import Person, Rig
from tests.support.cloud import FAKE_IMAGE, ROLE, LocalCloud, eventually

SIZE = (32, 24)
NIGHT = "2026-11-01"

Step = Callable[..., Any]
Respond = Callable[[dict[str, Any]], Any]


class Place:
    """One pipeline under test, and its environment. Keyword arguments are fields of the pipeline file."""

    def __init__(
        self,
        cloud: LocalCloud,
        start_rig: Callable[[], Rig],
        bucket: str,
        name: str = "pets",
        **pipeline: Any,
    ) -> None:
        self.cloud, self._start_rig, self.bucket = cloud, start_rig, bucket
        self.s3 = cloud.client("s3")
        self.sagemaker = cloud.client("sagemaker")
        self.name, self.team = name, f"team-{bucket[-12:]}"
        self._person: Person | None = None
        self.settings: dict[str, Any] = {
            "classes": ["cat", "dog"],
            "gate": {"min_images": 1, "min_objects": 0, "max_calibration_error": 1, "min_train_recall": 0},
            "training": {
                "initial": {"hyperparameters": {"quality": 0.2}},
                "incremental": {"hyperparameters": {"quality": 1}},
                "validation_share": 0.3,
            },
            "triage": {"audit_share": 0},
        } | pipeline
        self.environment_settings: dict[str, Any] = {
            "region": "us-east-1",
            "bucket": bucket,
            "pipeline": name,
            "role_arn": ROLE,
            "algorithm": "local",
            "image": FAKE_IMAGE,
            "review": {"workteam": self.team},
        }
        self.storage = Storage(self.s3, bucket, name)
        self.clients = Clients(
            lambda service, review: (
                (self.runtime if service == "sagemaker-a2i-runtime" else self.control)
                if review
                else cloud.client(service)
            )
        )
        self.load()

    @cached_property
    def rig(self) -> Rig:
        """The review server, started when it is first asked for: most steps ask nobody."""
        return self._start_rig()

    @property
    def control(self) -> Any:
        return self.rig.sagemaker

    @property
    def runtime(self) -> Any:
        return self.rig.a2i

    def load(self) -> None:
        """Take ``settings`` and ``environment_settings`` as they are now."""
        self.pipeline = Pipeline(name=self.name, path=Path(f"{self.name}.yaml"), **self.settings)
        self.environment = Environment(name="test", path=Path("test.yaml"), **self.environment_settings)
        self.workspace = Workspace(self.pipeline, self.environment, self.storage, self.clients)

    def but(self, **pipeline: Any) -> Workspace:
        """The same place with some settings changed, as an operator would edit the file."""
        return Workspace(
            self.pipeline.model_copy(update=pipeline), self.environment, self.storage, self.clients
        )

    def put(self, key: str, body: bytes) -> str:
        self.s3.put_object(Bucket=self.bucket, Key=f"{self.name}/{key}", Body=body)
        return f"s3://{self.bucket}/{self.name}/{key}"

    def add_images(self, brightness: Mapping[str, int], date: str = NIGHT) -> list[str]:
        """One plain image per name."""
        return [
            self.put(f"images/dt={date}/{name}", picture(level, name)) for name, level in brightness.items()
        ]

    def add_labels(self, location: str, brightness: Mapping[str, int]) -> None:
        """Images with the one object that the detector looks for, and their manifest."""
        lines = []
        for name, level in brightness.items():
            source = self.put(f"{location.rsplit('/', 1)[0]}/images/{name}", picture(level, name))
            lines.append(json.dumps(labelled(source), ensure_ascii=False).encode())
        self.put(location, b"\n".join(lines) + b"\n")

    def finish(self, step: Step, key: str) -> Any:
        """Call a step until it is done, waiting for its jobs as an operator would."""
        answer = step(self.workspace, key)
        while isinstance(answer, Pending):
            self.wait(answer)
            answer = step(self.workspace, key, waited_for=answer)
        return answer

    def wait(self, running: Pending) -> None:
        describe = getattr(self.sagemaker, running.kind.describe_operation)
        kind = running.kind
        eventually(
            lambda: all(has_ended(kind, describe(**{kind.name_field: name})) for name in running.names),
            within=300,
        )

    def set_up_review(self) -> review_setup.ReviewPortal:
        review_setup.setup_bucket(self.workspace)
        review_setup.setup_workteam(self.workspace)
        review_setup.setup_template(self.workspace)
        eventually(lambda: review_setup.setup_flow_definition(self.workspace).active)
        return review_setup.portal(self.workspace)

    def prepare(self, night: str = NIGHT) -> questions.PreparedQuestions:
        """Everything of a night up to the written questions."""
        batch.list_batch(self.workspace, night)
        self.finish(predictions.predict, night)
        triage.triage(self.workspace, night)
        return questions.prepare(self.workspace, night)

    def ask(self, night: str = NIGHT) -> questions.StartedLoops:
        """Everything of a night up to the open questions."""
        self.prepare(night)
        return questions.start(self.workspace, night)

    def person(self) -> Person:
        if self._person is None:
            self._person = self.rig.worker(self.team)
        return self._person

    def answer(self, respond: Respond | None = None, at_most: int = 1000) -> int:
        """Let a person answer what is waiting: correctly, or as ``respond`` says for a task's input."""
        person, count = self.person(), 0
        while count < at_most and (task := person.take()) is not None:
            reply = person.do("answer", task, (respond or correct)(task["input"]))
            assert reply.status_code == 200, reply.text
            count += 1
        return count

    def settle(self, night: str = NIGHT, open_loops: int = 0) -> None:
        """Wait until no more than so many loops are open, as the sensor does."""
        watch = human_loops.watch(self.workspace, night)
        eventually(lambda: count_loops(self.runtime, watch).open <= open_loops, within=200)

    def settle_flow(self) -> None:
        """Wait until no loop of any night is open."""
        arn = review_setup.find_flow_definition(self.workspace)
        long_ago = datetime(2020, 1, 1, tzinfo=UTC)
        eventually(
            lambda: (
                not any(status.is_open for _, status in human_loops.list_loops(self.runtime, arn, long_ago))
            ),
            within=200,
        )

    def assemble(self, night: str = NIGHT) -> labels.AssembledLabels:
        return labels.assemble(self.workspace, night)

    def night(self, night: str = NIGHT, respond: Respond | None = None) -> labels.AssembledLabels:
        """A whole night with people who answer everything."""
        self.ask(night)
        self.answer(respond)
        self.settle(night)
        return self.assemble(night)

    def manifest(self, night: str = NIGHT) -> list[dict[str, Any]]:
        return list(self.storage.read_lines(layout.labels_manifest(night)))

    def quarantine(self, night: str = NIGHT) -> list[dict[str, Any]]:
        return list(self.storage.read_lines(layout.quarantine_file(night)))

    def questions(self, night: str = NIGHT) -> dict[str, Question]:
        """By the image's file name."""
        return {
            item.image.rsplit("/", 1)[-1]: item for item in questions.read_questions(self.workspace, night)
        }

    def output_uri(self, loop: str) -> str:
        described = self.runtime.describe_human_loop(HumanLoopName=loop)
        return str(described["HumanLoopOutput"]["OutputS3Uri"])


def count_loops(a2i: Any, watch: human_loops.Watch) -> human_loops.LoopCounts:
    """How far a batch has come, by one listing, as the sensor's trigger counts it."""
    counts = human_loops.LoopCounts()
    pages = a2i.get_paginator("list_human_loops")
    size = {"PageSize": human_loops.PAGE_SIZE}
    for page in pages.paginate(**watch.list_arguments(), PaginationConfig=size):
        counts += human_loops.count_page(watch, page["HumanLoopSummaries"])
    return counts


def picture(brightness: int, salt: str = "") -> bytes:
    """A plain JPEG; the salt makes its ETag differ."""
    image = Image.new("RGB", SIZE, (brightness,) * 3)
    stream = io.BytesIO()
    image.save(stream, "JPEG", comment=salt.encode())
    return stream.getvalue()


def box(
    label: str = "cat", left: float = 8, top: float = 6, width: float = 16, height: float = 12
) -> dict[str, Any]:
    """What a crowd-bounding-box gives; the default is exactly what the detector looks for."""
    return {"label": label, "left": left, "top": top, "width": width, "height": height}


def content(*boxes: dict[str, Any], size: tuple[int, int] = SIZE) -> dict[str, Any]:
    return {
        "annotatedResult": {
            "boundingBoxes": list(boxes),
            "inputImageProperties": {"width": size[0], "height": size[1]},
        }
    }


def correct(_: dict[str, Any]) -> dict[str, Any]:
    return content(box())


def labelled(source: str, created: str = "2026-10-01T00:00:00.000000", class_id: int = 0) -> dict[str, Any]:
    """A manifest line as Ground Truth writes it, with the one object that the detector looks for."""
    return {
        "source-ref": source,
        "review": {
            "annotations": [{"class_id": class_id, "left": 8, "top": 6, "width": 16, "height": 12}],
            "image_size": [{"width": SIZE[0], "height": SIZE[1], "depth": 3}],
        },
        "review-metadata": {"creation-date": created, "class-map": {}, "human-annotated": "yes"},
    }
