"""A place with an endpoint of its own, and models for it that were put there instead of trained.

The detector answers an image with its brightness as score and a box that depends on ``quality``; a model's
evaluation is written as if it had been asked. So a deployment is tried within seconds, on a real local cloud.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from include.loop.aws.jobs import Pending, has_ended
from include.loop.config import DeploymentSettings
from include.loop.core import layout
from include.loop.core.records.verdict import Verdict
from include.loop.models import champion, registry
from include.loop.serving import smoke_test
from include.loop.serving.deployment import DeployResult, deploy
from include.loop.serving.endpoint import describe_endpoint, ensure_config, serves
from include.loop.workspace import Workspace
from tests.loop.place import Place, picture
from tests.support.cloud import eventually
from tests.support.sagemaker import detector

BRIGHTNESS = {"a.jpg": 102, "b.jpg": 204, "black.jpg": 0}


class Serving:
    """``settings`` are fields of the environment's ``deployment``."""

    def __init__(self, place: Place, **settings: Any) -> None:
        self.place = place
        self.sagemaker = place.sagemaker
        self.runtime = place.cloud.client("sagemaker-runtime")
        self.endpoint = f"e-{place.bucket[-12:]}"
        self.candidate = f"{self.endpoint}-candidate"
        self.workspace = self.but(**settings)

    def but(self, **settings: Any) -> Workspace:
        """The same endpoint with other settings."""
        deployment = DeploymentSettings(**({"endpoint": self.endpoint, "smoke_test_images": 2} | settings))
        environment = self.place.environment.model_copy(update={"deployment": deployment})
        return Workspace(self.place.pipeline, environment, self.place.storage, self.place.clients)

    def model(self, name: str, parent: str | None = None, quality: float = 1, said: float = 1) -> str:
        """A judged and registered model; ``said`` is the quality that its evaluation is made to have seen."""
        job = self.job(name)
        outputs = []
        for image, level in BRIGHTNESS.items():
            uri = self.place.put(f"test/images/{image}", picture(level, image))
            found = self.place.storage.find(uri)
            assert found is not None
            out = f"{layout.transform_outputs(layout.outputs_folder(job, 'x'))}{image}.out"
            self.place.storage.write(out, json.dumps({"prediction": answer(level, said)}).encode())
            outputs.append({"image": uri, "etag": found[1], "out": self.place.storage.uri(out)})
        store = self.place.storage
        store.write_json(
            layout.outputs_file(job, "x"),
            {"job": None, "seconds": 0, "images": 0, "outputs": outputs},
        )
        artifact = layout.artifact_file(job)
        store.write(artifact, detector(quality))
        model = {
            "training_job": job,
            "model_data": store.uri(artifact),
            "base_network": "resnet-50",
            "num_classes": 2,
            "image_shape": 300,
            "dataset_id": "d",
            "parent": parent and self.job(parent),
        }
        store.write_json(layout.model_file(job), model)
        Verdict(promote=True, reasons=("better",), metric="mAP@0.5", score={"day": 0.5}).write(store, job)
        registry.register(self.workspace, job)
        return job

    def job(self, name: str) -> str:
        return f"pets-{self.place.bucket[-12:]}-{name}"

    def deploy(self, job: str, workspace: Workspace | None = None) -> DeployResult:
        """Deploy a model, waiting as often as it asks for it."""
        result: DeployResult = self.finish(deploy, workspace or self.workspace, job)
        return result

    def serve_champion(self, name: str, parent: str | None = None, quality: float = 1) -> str:
        """A model that is deployed and promoted; on record as tried, which saves the candidate's start."""
        job = self.model(name, parent, quality, said=quality)
        package = registry.read_package(self.workspace, job)
        smoke_test.record(self.workspace, ensure_config(self.workspace, package), [])
        assert self.deploy(job).deployed
        assert champion.promote(self.workspace, job).promoted
        return job

    def finish(self, step: Callable[..., Any], *arguments: Any) -> Any:
        result = step(*arguments)
        while isinstance(result, Pending):
            self.wait(result)
            result = step(*arguments, waited_for=result)
        return result

    def wait(self, running: Pending) -> None:
        def ended(name: str) -> bool:
            endpoint = describe_endpoint(self.sagemaker, name)
            return endpoint is None or has_ended(running.kind, endpoint)

        eventually(lambda: all(ended(name) for name in running.names), within=200)

    def serves(self, config: str | None) -> bool:
        return config is not None and serves(describe_endpoint(self.sagemaker, self.endpoint), config)

    def ask(self, level: int = 204) -> list[list[float]]:
        """The live endpoint's answer to a plain picture."""
        reply = self.runtime.invoke_endpoint(
            EndpointName=self.endpoint, ContentType="application/x-image", Body=picture(level)
        )
        return json.loads(reply["Body"].read())["prediction"]


def answer(level: int, quality: float) -> list[list[float]]:
    """What the detector says about a plain picture of this brightness."""
    left = 0.25 + (1 - quality) * 0.5
    return [[0.0, round(level / 255, 3), left, 0.25, left + 0.5, 0.75]] if level > 5 else []
