"""InvokeEndpoint: hands a request to the process that serves the model, and its answer back.

The implementation of ``sagemaker-runtime``. Knows ``store`` and ``rollout``.
"""

from __future__ import annotations

import random

import httpx

from include.local_cloud import rollout
from include.local_cloud.settings import ACCOUNT_ID, REGION
from include.local_cloud.store import DEPLOYMENT, ENDPOINT, INSTANCE, Document, Store
from include.wire import AwsError

MAX_ANSWER = 6_291_456  # bytes; of a request the service model says the same
MODEL_SECONDS = 60.0


class Invocations:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._http = httpx.Client(timeout=MODEL_SECONDS, limits=httpx.Limits(max_connections=64))

    def invoke_endpoint(self, params: Document) -> Document:
        body = params.get("Body", b"")
        deployment = self._deployment(params["EndpointName"], params.get("TargetVariant"))
        variant = deployment["VariantName"]
        record = self._store.find(INSTANCE, f"{DEPLOYMENT.arn}/{deployment['DeploymentName']}") or {}
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
        url = f"http://127.0.0.1:{record.get('port', 0)}/invocations"
        try:
            reply = self._http.post(url, content=body, headers=headers)
        except httpx.TimeoutException:
            raise self._model_error(params["EndpointName"], variant, 0, "Your invocation timed out") from None
        except httpx.TransportError as error:
            raise AwsError(
                "ServiceUnavailable", f"The variant {variant} does not answer: {error}", 503
            ) from None
        if reply.status_code >= 300:
            raise self._model_error(params["EndpointName"], variant, reply.status_code, reply.text)
        if len(reply.content) > MAX_ANSWER:
            raise self._model_error(params["EndpointName"], variant, 200, "the answer exceeds 6 MiB")
        return {
            "Body": reply.content,
            "ContentType": reply.headers.get("content-type"),
            "InvokedProductionVariant": variant,
            "CustomAttributes": reply.headers.get("x-amzn-sagemaker-custom-attributes"),
        }

    def _deployment(self, endpoint: str, wanted: str | None) -> Document:
        document = self._store.find(ENDPOINT, endpoint)
        serving = [
            deployment
            for deployment in rollout.deployments(self._store, endpoint)
            if document
            and deployment["Version"] == document["Version"]
            and deployment["DeploymentStatus"] == "InService"
        ]
        if (
            document is None
            or not serving
            or document["EndpointStatus"] in ("Creating", "Failed", "Deleting")
        ):
            raise AwsError("ValidationError", f"Endpoint {endpoint} of account {ACCOUNT_ID} not found.")
        if wanted is not None:
            serving = [deployment for deployment in serving if deployment["VariantName"] == wanted]
            if not serving:
                raise AwsError("ValidationError", f"Endpoint {endpoint} has no variant {wanted}")
        weights = [deployment["Weight"] for deployment in serving]
        if not any(weights):
            weights = [1.0] * len(serving)
        return random.choices(serving, weights)[0]

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
