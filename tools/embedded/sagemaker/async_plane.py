"""InvokeEndpointAsync: requests wait for a copy, answers go to S3.

`Blobs` reads inputs and writes outputs, `notify` (if given) tells an SNS topic. The engine's thread
calls `run`; nothing here holds the world's lock while it reads or writes.
"""

from __future__ import annotations

import logging
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from werkzeug.wrappers import Response

from tools.embedded.sagemaker import container
from tools.embedded.sagemaker.dataplane import Admitted, DataPlane
from tools.embedded.sagemaker.things import Copy, Endpoint, Members
from tools.embedded.sagemaker.wire import Call, reply
from tools.embedded.sagemaker.world import World
from tools.embedded.shapes import ServiceError

log = logging.getLogger(__name__)
_DEFAULT_TTL = 21_600
_DEFAULT_TIMEOUT = 900


class Blobs(Protocol):
    """Objects by their s3:// address."""

    def get(self, uri: str) -> bytes: ...

    def put(self, uri: str, body: bytes) -> None: ...


Notify = Callable[[str, dict[str, Any]], None]  # topic ARN, message


@dataclass(eq=False)
class Waiting:
    """A request from its arrival to its output."""

    inference_id: str
    endpoint: Endpoint
    source: str | bytes
    output: str
    failure: str
    expires: float
    timeout: float
    admitted: Admitted | None = None

    @property
    def output_config(self) -> Members:
        config: Members = self.endpoint.config["AsyncInferenceConfig"]["OutputConfig"]
        return config


class AsyncPlane:
    """Backlogs by endpoint; first come, first served."""

    def __init__(
        self, world: World, plane: DataPlane, blobs: Blobs | None, notify: Notify | None
    ) -> None:
        self._world, self._plane, self._blobs, self._notify = world, plane, blobs, notify
        self._queue: deque[Waiting] = deque()
        self._working: list[Waiting] = []

    def invoke_endpoint_async(self, call: Call) -> Response:
        given, world = call.arguments, self._world
        with world.lock:
            now = world.look()
            endpoint = self._plane.router.endpoint(given["EndpointName"])
            if "AsyncInferenceConfig" not in endpoint.config or self._blobs is None:
                message = f"Endpoint {endpoint.name} is not configured for asynchronous inference."
                raise ServiceError("ValidationError", message)
            if ("Body" in given) == ("InputLocation" in given):
                raise ServiceError("ValidationError", "Give exactly one of Body and InputLocation.")
            waiting = _waiting(endpoint, given, now)
            self._queue.append(waiting)
        members = {
            "InferenceId": waiting.inference_id,
            "OutputLocation": waiting.output,
            "FailureLocation": waiting.failure,
        }
        return reply(call, members)

    def backlog(self, endpoint: Endpoint) -> int:
        """Waiting or being worked on; wants the world's lock."""
        return sum(one.endpoint is endpoint for one in (*self._queue, *self._working))

    def run(self) -> None:
        """Starts what can start, stores what is done."""
        if self._blobs is None:
            return
        for waiting in self._next():
            self._start(waiting)
        with self._world.lock:
            now = self._world.now
            done = [one for one in self._working if _is_done(one, now)]
            self._working = [one for one in self._working if one not in done]
        for waiting in done:
            self._store(waiting)

    def _next(self) -> list[Waiting]:
        """Takes from the queue what has a copy, and what is too old."""
        taken: list[Waiting] = []
        left: deque[Waiting] = deque()
        with self._world.lock:
            now = self._world.now
            planned: dict[Endpoint, int] = {}
            for waiting in self._queue:
                room = self._room(waiting.endpoint) - planned.get(waiting.endpoint, 0)
                if now >= waiting.expires or room > 0:
                    planned[waiting.endpoint] = planned.get(waiting.endpoint, 0) + 1
                    taken.append(waiting)
                else:
                    left.append(waiting)
            self._queue = left
            self._working += taken
        return taken

    def _room(self, endpoint: Endpoint) -> int:
        config = endpoint.config["AsyncInferenceConfig"].get("ClientConfig", {})
        default = self._world.settings.async_concurrency
        each = int(config.get("MaxConcurrentInvocationsPerInstance", default))
        busy = sum(one.endpoint is endpoint for one in self._working)
        return each * len(_copies(endpoint)) - busy

    def _start(self, waiting: Waiting) -> None:
        assert self._blobs is not None
        if self._world.now >= waiting.expires:
            self._fail(waiting, "The request expired before it could be processed.")
            return
        try:
            source = waiting.source
            body = source if isinstance(source, bytes) else self._read(waiting, source)
        except Exception as error:  # noqa: BLE001 - whatever the store says is the caller's answer
            self._fail(waiting, f"The input could not be read: {error}")
            return
        try:
            with self._world.lock:
                copies = _copies(waiting.endpoint)
                if not copies:
                    self._working.remove(waiting)
                    self._queue.appendleft(waiting)
                    return
                copy = min(copies, key=lambda one: one.load.outstanding(self._world.now))
                waiting.admitted = self._plane.admit(copy, body)
        except ServiceError as error:
            self._fail(waiting, error.message)

    def _store(self, waiting: Waiting) -> None:
        assert waiting.admitted is not None
        request = waiting.admitted.request
        if request.cut is not None:
            with self._world.lock:
                waiting.admitted = None
                self._queue.appendleft(waiting)  # its copy left: another one does it
            return
        if request.finish - request.start > waiting.timeout:
            self._fail(waiting, "The invocation timed out.")
            return
        prompt = waiting.admitted.prompt
        self._put(waiting, waiting.output, container.whole(prompt, request.arrived))
        self._tell(waiting, "SuccessTopic", "Completed", {"outputLocation": waiting.output})

    def _fail(self, waiting: Waiting, why: str) -> None:
        with self._world.lock:
            if waiting in self._working:
                self._working.remove(waiting)
        self._put(waiting, waiting.failure, why.encode())
        self._tell(waiting, "ErrorTopic", "Failed", {"failureReason": why})

    def _read(self, waiting: Waiting, uri: str) -> bytes:
        assert self._blobs is not None
        if refused := self._refused(waiting, uri, reads=True):
            raise PermissionError(refused)
        return self._blobs.get(uri)

    def _refused(self, waiting: Waiting, uri: str, *, reads: bool) -> str | None:
        """Why the role of the endpoint's model may not read or write an object."""
        acting = self._world.acting
        if acting is None:
            return None
        variants = waiting.endpoint.config["ProductionVariants"]
        role = self._world.role_of(variants[0])
        return acting.read(role, uri) if reads else acting.write(role, uri)

    def _put(self, waiting: Waiting, uri: str, body: bytes) -> None:
        """What cannot be stored is lost, as on AWS; the other requests go on."""
        assert self._blobs is not None
        try:
            if refused := self._refused(waiting, uri, reads=False):
                raise PermissionError(refused)
            self._blobs.put(uri, body)
        except Exception:
            log.exception("an asynchronous answer could not be stored at %s", uri)

    def _tell(self, waiting: Waiting, topic: str, status: str, more: dict[str, Any]) -> None:
        arn = waiting.output_config.get("NotificationConfig", {}).get(topic)
        if arn is None or self._notify is None:
            return
        message = {
            "awsRegion": self._world.region,
            "eventSource": "aws:sagemaker",
            "eventName": "InferenceResult",
            "eventVersion": "1.0",
            "invocationStatus": status,
            "inferenceId": waiting.inference_id,
            "responseParameters": more if status == "Completed" else None,
            "requestParameters": {"endpointName": waiting.endpoint.name},
        }
        try:
            self._notify(arn, {**message, **more} if status == "Failed" else message)
        except Exception:
            log.exception("the topic %s could not be told of an asynchronous answer", arn)


def _waiting(endpoint: Endpoint, given: Members, now: float) -> Waiting:
    config = endpoint.config["AsyncInferenceConfig"]["OutputConfig"]
    inference_id = given.get("InferenceId", str(uuid.uuid4()))
    folder = config.get("S3OutputPath", f"s3://sagemaker-{endpoint.name}/async").rstrip("/")
    extension = given.get("S3OutputPathExtension", "").strip("/")
    name = given.get("Filename", f"{uuid.uuid4()}.out")
    output = "/".join(filter(None, (folder, extension, name)))
    failure = config.get("S3FailurePath", folder).rstrip("/")
    return Waiting(
        inference_id=inference_id,
        endpoint=endpoint,
        source=given["Body"] if "Body" in given else given["InputLocation"],
        output=output,
        failure=f"{failure}/{name.removesuffix('.out')}-error.out",
        expires=now + given.get("RequestTTLSeconds", _DEFAULT_TTL),
        timeout=given.get("InvocationTimeoutSeconds", _DEFAULT_TIMEOUT),
    )


def _copies(endpoint: Endpoint) -> list[Copy]:
    return [copy for variant in endpoint.variants if variant.model for copy in variant.model.ready]


def _is_done(waiting: Waiting, now: float) -> bool:
    return waiting.admitted is not None and waiting.admitted.request.finish <= now
