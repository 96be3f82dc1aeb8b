"""SageMaker's data plane: InvokeEndpoint and its response stream, over the stand-in container."""

from __future__ import annotations

import binascii
import json
import re
import struct
import threading
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from tools.embedded.simulated import container
from tools.embedded.simulated.shapes import ServiceError
from tools.embedded.simulated.world import Copy, World
from tools.embedded.types import ACCOUNT_ID, Clock

if TYPE_CHECKING:
    from tools.embedded.simulated.shapes import JsonService

_PATH = re.compile(r"/endpoints/([^/]+)/(invocations|invocations-response-stream)")
_STREAM_TYPE = "application/vnd.amazon.eventstream"
_STRING_HEADER = b"\x07"
LONGEST_ANSWER_SECONDS = 60  # of InvokeEndpoint; the response stream may take longer
_NO_CAPACITY = (
    "Inference Component {} has no capacity to process this request. ApplicationAutoScaling may "
    "be in-progress (if configured) or try to increase the capacity by invoking "
    "UpdateInferenceComponentRuntimeConfig API."
)


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One message of the event stream encoding: prelude, headers, payload, two checksums."""
    packed = b"".join(
        bytes([len(name)]) + name.encode() + _STRING_HEADER
        + struct.pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )  # fmt: skip
    prelude = struct.pack(">II", 16 + len(packed) + len(payload), len(packed))
    message = prelude + struct.pack(">I", binascii.crc32(prelude)) + packed + payload
    return message + struct.pack(">I", binascii.crc32(message))


class Invocations:
    """Requests to copies, and what was counted of them for CloudWatch."""

    def __init__(self, clock: Clock, world: World) -> None:
        self._clock, self._world = clock, world
        self._lock = threading.Lock()
        self._counted: list[tuple[str, str, float]] = []
        self.total = 0

    def handle(self, request: Request, service: JsonService) -> Response | None:
        """None when the request is none of the data plane's."""
        path = _PATH.fullmatch(request.path)
        if path is None:
            return None
        try:
            return self._invoke(path[1], path[2] != "invocations", request)
        except ServiceError as error:
            return service.refuse(error)

    def samples(self, now: float) -> list[tuple[str, str, float]]:
        """Component, metric, value: what happened since the last call, and what is."""
        with self._lock:
            counted, self._counted = self._counted, []
        found = [sample for sample in counted if sample[1] != "Invocations"]
        with self._world.lock:
            for name, component in self._world.components.items():
                live = component.current(now)
                if live:
                    running = sum(copy.in_flight for copy in component.copies)
                    asked = sum(s[2] for s in counted if s[:2] == (name, "Invocations"))
                    found.append((name, "ConcurrentRequestsPerCopy", running / live))
                    found.append((name, "Invocations", asked))
        return found

    def _invoke(self, endpoint: str, streaming: bool, request: Request) -> Response:
        name = request.headers.get("X-Amzn-SageMaker-Inference-Component", "")
        began = self._world.settle()
        copy = self._copy(endpoint, name, began)
        try:
            asked = container.parse(request.get_data())
        except container.RefusedError as refused:
            self._done(name, copy, began)
            return _model_error(str(refused))
        self._count(name, "Invocations", 1)
        with self._lock:
            self.total += 1
        pieces = self._until_done(container.answer(self._clock, asked), name, copy, began)
        if not streaming:
            whole = b"".join(pieces)
            if self._clock.time() - began > LONGEST_ANSWER_SECONDS:
                return _model_error("the model did not answer within 60 seconds", 408)
            return Response(whole, content_type="application/json")
        kind = {":message-type": "event", ":event-type": "PayloadPart"}
        kind[":content-type"] = "application/octet-stream"
        return Response(
            (frame(kind, piece) for piece in pieces),
            content_type=_STREAM_TYPE,
            headers={"X-Amzn-SageMaker-Content-Type": "application/json"},
            direct_passthrough=True,
        )

    def _copy(self, endpoint: str, name: str, now: float) -> Copy:
        """The copy with the fewest requests, which now has one more."""
        with self._world.lock:
            if endpoint not in self._world.endpoints:
                message = f"Endpoint {endpoint} of account {ACCOUNT_ID} not found."
                raise ServiceError("ValidationError", message)
            component = self._world.components.get(name)
            if component is None:
                raise ServiceError("ValidationError", f"Inference Component {name} not found.")
            ready = [copy for copy in component.copies if copy.serves(now)]
            if not ready:
                self._count(name, "NoCapacityInvocationFailures", 1)
                raise ServiceError("ValidationError", _NO_CAPACITY.format(name))
            copy = min(ready, key=lambda one: one.in_flight)
            copy.in_flight += 1
            return copy

    def _until_done(
        self, pieces: Iterator[bytes], name: str, copy: Copy, began: float
    ) -> Iterator[bytes]:
        try:
            yield from pieces
        finally:
            self._done(name, copy, began)

    def _done(self, name: str, copy: Copy, began: float) -> None:
        with self._world.lock:
            copy.in_flight -= 1
        self._count(name, "ModelLatency", (self._clock.time() - began) * 1e6)

    def _count(self, name: str, metric: str, value: float) -> None:
        with self._lock:
            self._counted.append((name, metric, value))


def _model_error(message: str, original: int = 400) -> Response:
    body = {"message": message, "OriginalStatusCode": original, "OriginalMessage": message}
    headers = {"x-amzn-errortype": "ModelError", "x-amzn-RequestId": str(uuid.uuid4())}
    return Response(json.dumps(body), 424, headers, content_type="application/json")
