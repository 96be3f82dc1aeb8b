"""InvokeEndpoint and InvokeEndpointWithResponseStream.

A request's times are fixed when it is admitted to a copy (see `load`); what follows only waits for
them on the clock. A copy that goes away under a request breaks its answer.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Response

from tools.embedded.sagemaker import container, eventstream
from tools.embedded.sagemaker.counts import Counts
from tools.embedded.sagemaker.load import Load, Request
from tools.embedded.sagemaker.routing import Router
from tools.embedded.sagemaker.things import Copy
from tools.embedded.sagemaker.wire import Call, reply
from tools.embedded.sagemaker.world import World
from tools.embedded.shapes import ServiceError

_SHORTEST_WALL_NAP = 0.005  # pieces of an answer come no faster than that
_LOOK_SECONDS = (
    0.5  # simulated, after which a waiting request looks whether its copy is still there
)
_TIMED_OUT = (
    'Received server error (0) from primary with message "Your invocation timed out while waiting '
    "for a response from container primary. Review the latency metrics for each container in "
    'Amazon CloudWatch, resolve the issue, and try again."'
)
SEVERED = "ConnectionClosed"  # no error of AWS: the answer ends where it is, and nobody says why
_STREAM_ERRORS = ("ModelStreamError", "InternalStreamFailure", SEVERED)


def model_error(message: str, status: int) -> ServiceError:
    """ModelError, with what the container itself said."""
    side = "client" if 400 <= status < 500 else "server"
    told = f'Received {side} error ({status}) from primary with message "{message}".'
    members = {"OriginalStatusCode": status, "OriginalMessage": message, "LogStreamArn": ""}
    return ServiceError("ModelError", told, 424, members)


@dataclass(frozen=True)
class Admitted:
    """A request on its way through a copy."""

    copy: Copy
    prompt: container.Prompt
    request: Request
    load: Load
    first_token: float


class DataPlane:
    """`stop` ends whatever still waits when the account closes."""

    def __init__(self, world: World, counts: Counts, stop: threading.Event) -> None:
        self._world, self._counts, self._stop = world, counts, stop
        self.router = Router(world, counts)

    def invoke_endpoint(self, call: Call) -> Response:
        admitted = self._admit_call(call)
        request, settings = admitted.request, self._world.settings
        limit = request.arrived + settings.sync_limit
        if not self._wait(min(request.finish, limit), request):
            self._count_error(admitted)
            raise model_error("The connection to the container was closed.", 500)
        if request.finish > limit:
            self._count_error(admitted)
            message = "Your invocation timed out while waiting for a response from the container."
            members = {"OriginalStatusCode": 0, "OriginalMessage": message, "LogStreamArn": ""}
            raise ServiceError("ModelError", _TIMED_OUT, 424, members)
        body = b"".join(self._all_pieces(admitted))
        return reply(call, {"ContentType": _type(admitted), **_members(admitted)}, body)

    def invoke_endpoint_with_response_stream(
        self, call: Call, fault: ServiceError | None = None
    ) -> Response:
        """`fault` breaks the answer in its middle."""
        admitted = self._admit_call(call)
        members = {"ContentType": _type(admitted), **_members(admitted)}
        return reply(call, members, self._frames(admitted, fault))

    def admit(self, copy: Copy, body: bytes) -> Admitted:
        """Wants the world's lock. Raises ServiceError for what the container refuses."""
        world, settings = self._world, self._world.settings
        counts = self._counts.of(copy.component.name)
        counts.invocations += 1
        self._counts.total += 1
        instance_type = copy.instance.type if copy.instance else None
        environment = world.model_of(copy.component.specification(instance_type)).get(
            "Environment", {}
        )
        try:
            prompt = container.understand(body, environment)
        except container.RefusedError as refused:
            counts.client_errors += 1
            raise model_error(str(refused), refused.status) from refused
        first = settings.first_token + prompt.input_tokens / settings.prefill_rate
        request = copy.load.admit(world.now, first + prompt.output_tokens * settings.token)
        if request is None:
            counts.model_errors += 1
            raise model_error("Model is overloaded", 429)
        admitted = Admitted(copy, prompt, request, copy.load, request.start + first)
        world.agenda.at(request.finish, lambda: self._count_latency(admitted))
        return admitted

    def _admit_call(self, call: Call) -> Admitted:
        given, world = call.arguments, self._world
        with world.lock:
            world.look()
            endpoint = self.router.endpoint(given["EndpointName"])
            if "AsyncInferenceConfig" in endpoint.config:
                message = f"Endpoint {endpoint.name} takes only asynchronous invocations."
                raise ServiceError("ValidationError", message)
            component = self.router.component(
                endpoint, given.get("InferenceComponentName"), given.get("TargetVariant")
            )
            copy = self.router.copy(component, given["Body"])
            return self.admit(copy, given["Body"])

    def _wait(self, moment: float, request: Request) -> bool:
        """False when the copy went away (or the account closed) before that moment."""
        clock = self._world.clock
        while (left := moment - clock.time()) > 0:
            if request.cut is not None or clock.sleep(min(left, _LOOK_SECONDS), self._stop):
                return False
        return request.cut is None or request.cut >= moment

    def _all_pieces(self, admitted: Admitted) -> Iterator[bytes]:
        prompt, created = admitted.prompt, admitted.request.arrived
        if prompt.stream:
            yield container.tokens(prompt, 0, prompt.output_tokens, created)
            yield container.ending(prompt, created)
        else:
            yield container.whole(prompt, created)

    def _frames(self, admitted: Admitted, fault: ServiceError | None) -> Iterator[bytes]:
        request = admitted.request
        try:
            if fault is not None:
                middle = (admitted.first_token + request.finish) / 2
                yield from self._pieces(admitted, middle)
                if fault.code == SEVERED:
                    raise ConnectionResetError(fault.message)
                yield eventstream.exception(fault.code, {"Message": fault.message})
                return
            limit = request.arrived + self._world.settings.stream_limit
            yield from self._pieces(admitted, min(limit, request.finish))
            if request.cut is not None and request.cut < limit:
                yield self._broken(admitted, "StreamBroken")
            elif request.finish > limit:
                yield self._broken(admitted, "ModelInvocationTimeExceeded")
        finally:
            self._abandon(request)

    def _pieces(self, admitted: Admitted, until: float) -> Iterator[bytes]:
        """Whatever of the answer comes up to a moment, as it comes."""
        prompt, request, clock = admitted.prompt, admitted.request, self._world.clock
        if not prompt.stream:
            if self._wait(until, request) and until >= request.finish:
                yield from map(eventstream.payload_part, self._all_pieces(admitted))
            return
        each, sent = self._world.settings.token, 0
        due = admitted.first_token
        while sent < prompt.output_tokens:
            if due > until or not self._wait(due, request):
                self._wait(until, request)
                return
            now = min(clock.time(), until)
            ready = min(prompt.output_tokens, int((now - admitted.first_token) / each) + 1)
            last = max(ready, sent + 1)
            piece = container.tokens(prompt, sent, last, request.arrived)
            yield eventstream.payload_part(piece)
            sent = last
            next_token = admitted.first_token + sent * each
            due = max(next_token, clock.time() + _SHORTEST_WALL_NAP * clock.speed)
            due = min(due, max(next_token, until))
        yield eventstream.payload_part(container.ending(prompt, request.arrived))

    def _broken(self, admitted: Admitted, code: str) -> bytes:
        self._count_error(admitted)
        members = {"Message": "The model's answer ended early.", "ErrorCode": code}
        return eventstream.exception("ModelStreamError", members)

    def _abandon(self, request: Request) -> None:
        """A caller that went away: the server stops working for it."""
        with self._world.lock:
            now = self._world.look()
            if request.finish > now and request.cut is None:
                request.cut = request.finish = now

    def _count_latency(self, admitted: Admitted) -> None:
        request = admitted.request
        if request.cut is None:
            counts = self._counts.of(admitted.copy.component.name)
            counts.latencies.append((request.finish - request.arrived) * 1e6)

    def _count_error(self, admitted: Admitted) -> None:
        with self._world.lock:
            self._counts.of(admitted.copy.component.name).model_errors += 1


def stream_fault(error: ServiceError) -> bool:
    """Whether an error comes inside of a stream."""
    return error.code in _STREAM_ERRORS


def _type(admitted: Admitted) -> str:
    return "text/event-stream" if admitted.prompt.stream else "application/json"


def _members(admitted: Admitted) -> dict[str, Any]:
    return {"InvokedProductionVariant": admitted.copy.component.variant.name}
