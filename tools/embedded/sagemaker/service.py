"""The service: routes requests to operations, keeps time moving, and takes a test's orders."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from werkzeug.wrappers import Request, Response

from tools.embedded.sagemaker.async_plane import AsyncPlane, Blobs, Notify
from tools.embedded.sagemaker.component_api import ComponentApi
from tools.embedded.sagemaker.component_life import ComponentLife
from tools.embedded.sagemaker.config_api import ConfigApi
from tools.embedded.sagemaker.container_log import ContainerLog, LogSink
from tools.embedded.sagemaker.copies import Copies
from tools.embedded.sagemaker.counts import Counts
from tools.embedded.sagemaker.dataplane import DataPlane, stream_fault
from tools.embedded.sagemaker.endpoint_api import EndpointApi
from tools.embedded.sagemaker.endpoint_life import EndpointLife
from tools.embedded.sagemaker.faults import Faults, TakesFaults
from tools.embedded.sagemaker.fleet import Fleet
from tools.embedded.sagemaker.model_api import ModelApi
from tools.embedded.sagemaker.publish import Publisher
from tools.embedded.sagemaker.settings import SimSettings
from tools.embedded.sagemaker.tag_api import TagApi
from tools.embedded.sagemaker.things import Component, Endpoint, Variant
from tools.embedded.sagemaker.trouble import ModelTrouble
from tools.embedded.sagemaker.truth import BilledInstance, Truth
from tools.embedded.sagemaker.wire import Call, parse, refuse, reply
from tools.embedded.sagemaker.world import World
from tools.embedded.shapes import ServiceError
from tools.embedded.types import (
    ACCOUNT_ID,
    DEFAULT_REGION,
    Clock,
    EventSink,
    MetricSink,
)

log = logging.getLogger(__name__)
_CONTROL, _RUNTIME = "sagemaker", "sagemaker-runtime"
_STEP_SECONDS = 0.5  # simulated
_STEP_WALL_SECONDS = 0.02


class SageMakerService(TakesFaults):
    """types.Service for `sagemaker`; the runtime client signs with the same name.

    `weights` says whether an S3 address of weights holds anything. `blobs` and `notify` are what
    asynchronous inference needs. `write_log` takes what containers say. Sinks are called from a
    thread of this service or of a request, with no lock held.
    An ordered ModelStreamError or InternalStreamFailure comes in the middle of a response stream;
    `trouble` fails invocations by rate.
    """

    signing_names: tuple[str, ...] = ("sagemaker",)

    def __init__(
        self,
        clock: Clock,
        events: EventSink,
        metrics: MetricSink,
        *,
        region: str = DEFAULT_REGION,
        account_id: str = ACCOUNT_ID,
        weights: Callable[[str], bool] | None = None,
        settings: SimSettings | None = None,
        blobs: Blobs | None = None,
        notify: Notify | None = None,
        write_log: LogSink | None = None,
    ) -> None:
        self.clock, self._events = clock, events
        self.world = world = World(clock, settings or SimSettings(), region, account_id)
        self._stop = threading.Event()
        fleet, said = Fleet(world), ContainerLog(world, write_log)
        self._components = ComponentLife(world, fleet, Copies(world, fleet, weights, said))
        self._endpoints = EndpointLife(world, fleet, self._components)
        self._endpoints.announce = self._announce
        self._fleet = fleet
        self._counts = Counts()
        self._plane = DataPlane(world, self._counts, self._stop)
        self._queues = AsyncPlane(world, self._plane, blobs, notify)
        self.publisher = Publisher(world, self._counts, self._queues, metrics)
        self.truth, self.faults = Truth(world), Faults(clock)
        self.trouble: ModelTrouble | None = None
        self._operations = self._collect()
        self._thread = threading.Thread(target=self._run, name="sagemaker", daemon=True)
        self._thread.start()

    def handle(self, request: Request) -> Response:
        service = _RUNTIME if request.path.startswith("/endpoints/") else _CONTROL
        try:
            call = parse(service, request)
            if service == _RUNTIME:
                return self._invoke(call)
            self.faults.check(f"sagemaker:{call.name}", call.arguments)
            return reply(call, self._operate(call))
        except ServiceError as error:
            return refuse(service, error)
        finally:
            self.world.flush()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    # What a demo or a test asks

    @property
    def invocations(self) -> int:
        """Requests that ever reached a copy."""
        return self._counts.total

    def billed(self, endpoint_name: str | None = None) -> list[BilledInstance]:
        """Endpoint, type, id, start, end (None: still there) of every instance that ever was."""
        return self.truth.billed(endpoint_name)

    def instances_now(self) -> dict[str, int]:
        return self.truth.instances_now()

    def timeline(self, component: str) -> list[tuple[float, int, int]]:
        """Time, desired and current copies, at each change."""
        return self.truth.timeline(component)

    def tagged(self) -> list[tuple[str, dict[str, str]]]:
        """The tags of everything, by ARN; what is being deleted is still there."""
        with self.world.lock:
            self.world.look()
            return [(arn, dict(tags)) for arn, tags in self.world.tags.items() if tags]

    def tags_of(self, arn: str) -> dict[str, str]:
        """The tags of one thing; none of what is not there."""
        with self.world.lock:
            return dict(self.world.tags.get(arn, {}))

    def exists(self, arn: str) -> bool:
        """Whether there is what an ARN names; what is being deleted is still there."""
        kind, _, name = arn.rpartition(":")[2].partition("/")
        with self.world.lock:
            self.world.look()
            return name in self.world.all_of(kind)

    # What a test orders

    def set_capacity(self, instance_type: str, count: int | None) -> None:
        """How many instances of a type there are to be had in all; None: as many as wanted."""
        with self.world.lock:
            self.world.look()
            if count is None:
                self.world.capacity.pop(instance_type, None)
            else:
                self.world.capacity[instance_type] = count

    def break_container(self, component: str, why: str | None, instance_type: str = "") -> None:
        """From now on its containers die, on one instance type or on all; None mends them.

        A component need not exist yet. Of a classic variant it is `<endpoint>/<variant>`.
        """
        with self.world.lock:
            self.world.look()
            if why is None:
                self.world.broken.pop((component, instance_type), None)
            else:
                self.world.broken[component, instance_type] = why

    def lose_instance(self, instance_id: str) -> None:
        """An instance dies at once; its copies are started elsewhere, and an endpoint that is being
        created gets another one."""
        with self.world.lock:
            self.world.look()
            for endpoint in self.world.endpoints.values():
                for instance in endpoint.instances:
                    if instance.id == instance_id and instance.gone is None:
                        self._fleet.release(instance)
                        self._components.lost(instance)
                        self._endpoints.lost(instance)

    # What Application Auto Scaling asks and does; with the world's lock held

    def find_component(self, name: str) -> Component | None:
        return self.world.components.get(name)

    def find_variant(self, endpoint: str, name: str) -> Variant | None:
        found = self.world.endpoints.get(endpoint)
        return next((v for v in found.variants if v.name == name), None) if found else None

    def set_copies(self, component: Component, count: int) -> None:
        self._components.set_copies(component, count)

    def set_instances(self, variant: Variant, count: int) -> None:
        self._endpoints.set_instances(variant, count)

    def _collect(self) -> dict[str, Callable[[Any], Any]]:
        world = self.world
        apis = (
            ModelApi(world),
            ConfigApi(world),
            EndpointApi(world, self._endpoints),
            ComponentApi(world, self._fleet, self._components),
            TagApi(world),
        )
        return {
            name: getattr(api, name)
            for api in apis
            for name in dir(api)
            if not name.startswith("_")
        }

    def _operate(self, call: Call) -> Any:
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", call.name).lower()
        operation = self._operations.get(name)
        if operation is None:
            message = f"The embedded account does not simulate {call.name}."
            raise ServiceError("UnknownOperationException", message)
        with self.world.lock:
            self.world.look()
            return operation(call.arguments)

    def _invoke(self, call: Call) -> Response:
        fault: ServiceError | None = None
        try:
            self.faults.check(f"sagemaker:{call.name}", call.arguments)
            if self.trouble:
                self.trouble.check(call.name)
        except ServiceError as error:
            if not stream_fault(error):
                raise
            fault = error
        if call.name == "InvokeEndpoint":
            return self._plane.invoke_endpoint(call)
        if call.name == "InvokeEndpointAsync":
            return self._queues.invoke_endpoint_async(call)
        if call.name == "InvokeEndpointWithResponseStream":
            return self._plane.invoke_endpoint_with_response_stream(call, fault)
        raise ServiceError("UnknownOperationException", f"{call.name} is not simulated.")

    def _announce(self, endpoint: Endpoint) -> None:
        world = self.world
        arn = world.arn("endpoint", endpoint.name)
        detail = {
            "EndpointName": endpoint.name,
            "EndpointArn": arn,
            "EndpointConfigName": endpoint.config["EndpointConfigName"],
            "EndpointStatus": re.sub(r"(?<!^)(?=[A-Z])", "_", endpoint.status).upper(),
            "FailureReason": endpoint.failure,
            "CreationTime": _iso(endpoint.created),
            "LastModifiedTime": _iso(endpoint.modified),
            "Tags": dict(world.tags.get(arn, {})),
        }
        shown = {key: value for key, value in detail.items() if value is not None}
        put = self._events.put_event
        world.send(
            partial(put, "aws.sagemaker", "SageMaker Endpoint State Change", shown, resources=[arn])
        )

    def step(self) -> None:
        """What is due by now happens."""
        self.world.look()
        self.world.flush()
        self._queues.run()

    def _run(self) -> None:
        while True:
            step = max(_STEP_SECONDS, _STEP_WALL_SECONDS * self.clock.speed)
            if self.clock.sleep(step, self._stop):
                return
            try:
                self.step()
            except Exception:
                log.exception("the simulated SageMaker stumbled")


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()
