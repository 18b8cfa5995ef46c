"""One AWS service: finds the operation of a request, calls the implementation, and writes its reply.

The operation, its input and output, and the HTTP status of each error come from botocore's model of the
service, so an unmodified client cannot tell the difference. Two protocols are spoken: ``json`` (SageMaker's
control plane) and ``rest-json`` (the A2I and SageMaker runtimes). It knows ``messages`` and ``shapes`` only.
"""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import parse_qs, unquote

import botocore.loaders
from botocore import xform_name
from botocore.model import OperationModel, ServiceModel, Shape, StructureShape

from include.wire import shapes, strictjson
from include.wire.messages import AwsError, Reply, Request

log = logging.getLogger(__name__)

# Of a list with a hundred thousand wrong members, the first are enough.
_MOST_TOLD = 100


class AwsService:
    """Serves one botocore service model with an implementation of ours.

    The implementation has one snake_case method per operation that it knows, for instance
    ``create_training_job(params)``: ``params`` are the validated, modelled members; it returns a dict of
    output members (or None), or raises ``AwsError``. An operation without a method answers 501 and says so.
    """

    def __init__(self, name: str, implementation: object) -> None:
        self.name = name
        self.implementation = implementation
        self.model = ServiceModel(botocore.loaders.Loader().load_service_model(name, "service-2"), name)
        self._target = self.model.metadata.get("targetPrefix")
        self._routes = [] if self._target else list(_routes(self.model))
        # The SageMaker runtime models its own word; the others use the undeclared common one.
        self._validation_code = "ValidationError" if self._has("ValidationError") else "ValidationException"

    def operation(self, request: Request) -> str | None:
        """The name of the operation that the request asks for, or None when it is not one of this service."""
        if self._target:
            prefix, _, name = request.headers.get("x-amz-target", "").partition(".")
            return name if prefix == self._target and name in self.model.operation_names else None
        return next((name for method, _, name in self._matching(request) if method == request.method), None)

    def implemented(self) -> frozenset[str]:
        """The operations that the implementation has."""
        names = self.model.operation_names
        return frozenset(name for name in names if hasattr(self.implementation, xform_name(name)))

    def matches(self, request: Request) -> bool:
        """Whether the request is addressed to this service, be its operation known or not."""
        if self._target:
            return request.headers.get("x-amz-target", "").startswith(self._target + ".")
        return next(self._matching(request), None) is not None

    def reply(self, request: Request) -> Reply:
        """Answer the request. Never raises: a fault of ours is logged whole and becomes InternalFailure."""
        request_id = str(uuid.uuid4())
        name = self.operation(request)
        try:
            if name is None:
                raise AwsError(
                    "UnknownOperationException", f"{self.name} has no operation for this request", 404
                )
            operation = self.model.operation_model(name)
            method = getattr(self.implementation, xform_name(name), None)
            if method is None:
                raise AwsError(
                    "NotImplementedException",
                    f"{name} is not implemented here; on AWS it is an operation of {self.name}",
                    501,
                )
            params = self._parse(operation, request)
            return self._success(operation, method(params) or {}, request_id)
        except AwsError as error:
            return self._failure(error, request_id)
        except Exception:
            # The border of the server: whatever went wrong inside, the client gets a documented 500.
            log.exception("%s %s failed, request id %s", self.name, name, request_id)
            return self._failure(
                AwsError("InternalFailure", f"see the server's log, request id {request_id}", 500), request_id
            )

    def _matching(self, request: Request) -> Iterator[tuple[str, re.Pattern[str], str]]:
        return (route for route in self._routes if route[1].fullmatch(request.path))

    def _parse(self, operation: OperationModel, request: Request) -> dict[str, Any]:
        shape = operation.input_shape
        if shape is None:
            return {}
        params = self._located(operation, shape, request)
        payload = shape.serialization.get("payload")
        if payload is not None and shape.members[payload].type_name == "blob":
            params[payload] = request.body
        else:
            body = _json(request.body)
            params |= shapes.parse(shape, {k: v for k, v in body.items() if k not in params})
        broken = list(islice(shapes.violations(shape, params), _MOST_TOLD))
        if broken:
            errors = "error" if len(broken) == 1 else "errors"
            message = f"{len(broken)} validation {errors} detected: {'; '.join(broken)}"
            raise AwsError(self._validation_code, message)
        return params

    def _located(self, operation: OperationModel, shape: StructureShape, request: Request) -> dict[str, Any]:
        """The members that travel in the path, the query and the headers."""
        if self._target:
            return {}
        _, pattern, _ = next(route for route in self._matching(request) if route[2] == operation.name)
        found = pattern.fullmatch(request.path)
        labels = found.groupdict() if found else {}
        query = parse_qs(request.query, keep_blank_values=True)
        params: dict[str, Any] = {}
        for name, member in shape.members.items():
            place, wire_name = member.serialization.get("location"), member.serialization.get("name", name)
            text: str | None = None
            if place == "uri":
                text = unquote(labels[wire_name])
            elif place == "querystring":
                text = query.get(wire_name, [None])[0]
            elif place == "header":
                text = request.headers.get(wire_name.lower())
            if text is not None:
                params[name] = shapes.parse_text(member, text, wire_name)
        return params

    def _success(self, operation: OperationModel, output: dict[str, Any], request_id: str) -> Reply:
        shape = operation.output_shape
        status = operation.http.get("responseCode", 200)
        if shape is None:
            return Reply(status, self._headers(request_id), b"" if self._target else b"{}")
        headers = self._headers(request_id)
        inside = {}
        for name, member in shape.members.items():
            if output.get(name) is None:
                continue
            if member.serialization.get("location") == "header":
                headers[member.serialization.get("name", name)] = _header_text(member, output[name])
            else:
                inside[name] = output[name]
        payload = shape.serialization.get("payload")
        if payload is not None:
            headers.setdefault("Content-Type", "application/octet-stream")
            return Reply(status, headers, inside.get(payload, b""))
        return Reply(status, headers, json.dumps(shapes.serialise(shape, inside)).encode())

    def _failure(self, error: AwsError, request_id: str) -> Reply:
        status = error.status or self._modelled_status(error.code)
        headers = self._headers(request_id) | {"x-amzn-ErrorType": error.code}
        body = {"__type": error.code, "message": error.message, "Message": error.message} | error.fields
        return Reply(status, headers, json.dumps(body).encode())

    def _headers(self, request_id: str) -> dict[str, str]:
        version = self.model.metadata.get("jsonVersion", "1.1")
        content_type = f"application/x-amz-json-{version}" if self._target else "application/json"
        return {"x-amzn-RequestId": request_id} | (
            {} if self._is_blob_service() else {"Content-Type": content_type}
        )

    def _is_blob_service(self) -> bool:
        # The runtime replies with the model's own bytes under the model's own content type.
        return self.name == "sagemaker-runtime"

    def _has(self, shape: str) -> bool:
        return shape in self.model.shape_names

    def _modelled_status(self, code: str) -> int:
        if not self._has(code):
            return 400
        return int(self.model.shape_for(code).metadata.get("error", {}).get("httpStatusCode", 400))


def _routes(model: ServiceModel) -> Iterator[tuple[str, re.Pattern[str], str]]:
    """(HTTP method, pattern of the raw path, operation), literal paths before those with labels."""
    operations = [model.operation_model(name) for name in model.operation_names]
    for operation in sorted(operations, key=lambda o: "{" in o.http["requestUri"]):
        path = operation.http["requestUri"].partition("?")[0]
        parts = re.split(r"\{(\w+)(\+?)\}", path)
        pattern = re.escape(parts[0])
        for label, greedy, literal in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            pattern += f"(?P<{label}>{'.+' if greedy else '[^/]+'})" + re.escape(literal)
        yield operation.http["method"], re.compile(pattern), operation.name


def _json(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        value = strictjson.loads(body)
    except ValueError as error:
        raise AwsError("SerializationException", f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise AwsError("SerializationException", "the body must be a JSON object")
    return value


def _header_text(shape: Shape, value: Any) -> str:
    if shape.type_name == "timestamp":
        return str(shapes.timestamp_text(value, shape.serialization.get("timestampFormat", "rfc822")))
    return str(value).lower() if isinstance(value, bool) else str(value)
