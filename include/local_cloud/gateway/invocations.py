"""InvokeEndpoint: hands a request to the process that serves the model, and its answer back.

A request that was with a version when the endpoint moved on to the next one is asked again there, so that
nobody who calls the endpoint notices an update. The implementation of ``sagemaker-runtime``.
"""

from __future__ import annotations

import random

import httpx

from include.local_cloud import model_reply
from include.local_cloud.control import rollout
from include.local_cloud.model_reply import ModelReply
from include.local_cloud.settings import ACCOUNT_ID, REGION
from include.local_cloud.store import DEPLOYMENT, ENDPOINT, INSTANCE, Document, Store
from include.wire import AwsError

MAX_ANSWER = 6_291_456  # bytes; of a request the service model says the same
MODEL_SECONDS = 60.0
# A connection is not used again after this time: a server that closes its idle ones sooner than we expect
# would make the next request fail.
_IDLE_SECONDS = 2.0


class Invocations:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._http = model_reply.client(64, _IDLE_SECONDS)

    def invoke_endpoint(self, params: Document) -> Document:
        reply, variant = self._ask(params)
        if not 200 <= reply.status < 300:
            raise self._model_error(params["EndpointName"], variant, reply.status, reply.text)
        if len(reply.content) > MAX_ANSWER:
            raise self._model_error(params["EndpointName"], variant, 200, "the answer exceeds 6 MiB")
        return {
            "Body": reply.content,
            "ContentType": reply.headers.get("content-type"),
            "InvokedProductionVariant": variant,
            "CustomAttributes": reply.headers.get("x-amzn-sagemaker-custom-attributes"),
        }

    def _ask(self, params: Document) -> tuple[ModelReply, str]:
        """The reply of a variant of the version in service, and the variant's name."""
        endpoint, body = params["EndpointName"], params.get("Body", b"")
        headers = {
            name: value
            for name, value in (
                ("Content-Type", params.get("ContentType")),
                ("Accept", params.get("Accept")),
                ("X-Amzn-SageMaker-Custom-Attributes", params.get("CustomAttributes")),
                ("X-Amzn-SageMaker-Target-Model", params.get("TargetModel")),
                ("X-Amzn-SageMaker-Inference-Id", params.get("InferenceId")),
            )
            if value
        }
        while True:
            deployment = self._deployment(endpoint, params.get("TargetVariant"))
            variant = deployment["VariantName"]
            record = self._store.find(INSTANCE, f"{DEPLOYMENT.arn}/{deployment['DeploymentName']}") or {}
            url = f"http://127.0.0.1:{record.get('port', 0)}/invocations"
            try:
                reply = model_reply.ask(
                    self._http,
                    "POST",
                    url,
                    most=MAX_ANSWER,
                    seconds=MODEL_SECONDS,
                    content=body,
                    headers=headers,
                )
                return reply, variant
            except httpx.TimeoutException:
                raise self._model_error(endpoint, variant, 0, "Your invocation timed out") from None
            except httpx.TransportError as error:
                if self._version(endpoint) == deployment["Version"]:
                    raise AwsError(
                        "ServiceUnavailable", f"The variant {variant} does not answer: {error}", 503
                    ) from None

    def _version(self, endpoint: str) -> int:
        """The version in service; 0 when there is none."""
        document = self._store.find(ENDPOINT, endpoint)
        if document is None or document["EndpointStatus"] in ("Creating", "Failed", "Deleting"):
            return 0
        return int(document["Version"])

    def _deployment(self, endpoint: str, wanted: str | None) -> Document:
        """One of the version in service, by weight, or the wanted variant. Raises ``ValidationError``."""
        serving: list[Document] = []
        looked_at, version = -1, self._version(endpoint)
        while version and not serving and version != looked_at:  # it may move on between the two looks
            serving = [
                deployment
                for deployment in rollout.deployments(self._store, endpoint)
                if deployment["Version"] == version and deployment["DeploymentStatus"] == "InService"
            ]
            looked_at, version = version, self._version(endpoint)
        if not serving:
            raise AwsError("ValidationError", f"Endpoint {endpoint} of account {ACCOUNT_ID} not found.")
        if wanted is not None:
            serving = [deployment for deployment in serving if deployment["VariantName"] == wanted]
            if not serving:
                raise AwsError("ValidationError", f"Endpoint {endpoint} has no variant {wanted}")
        weights = [deployment["Weight"] for deployment in serving]
        if not any(weights):
            weights = [1.0] * len(serving)
        return random.choices(serving, weights)[0]  # noqa: S311 -- shares of traffic

    @staticmethod
    def _model_error(endpoint: str, variant: str, status: int, said: str) -> AwsError:
        group = f"/aws/sagemaker/Endpoints/{endpoint}"
        where = (
            f"https://{REGION}.console.aws.amazon.com/cloudwatch/home?region={REGION}"
            f"#logEventViewer:group={group}"
        )
        text = " ".join(said.split())[:2048]
        return AwsError(
            "ModelError",
            f'Received error ({status}) from {variant} with message "{text}". See {where} in '
            f"account {ACCOUNT_ID} for more information.",
            424,
            OriginalStatusCode=status,
            OriginalMessage=text,
            LogStreamArn=f"arn:aws:logs:{REGION}:{ACCOUNT_ID}:log-group:{group}",
        )
