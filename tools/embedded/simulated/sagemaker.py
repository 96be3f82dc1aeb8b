"""SageMaker's control plane over the simulated world, and the parts that run by themselves."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Request, Response

from tools.embedded.simulated.invocations import Invocations
from tools.embedded.simulated.shapes import JsonService, ServiceError, invalid
from tools.embedded.simulated.world import Component, Endpoint, SimSettings, World
from tools.embedded.types import (
    ACCOUNT_ID,
    DEFAULT_REGION,
    Clock,
    Datapoint,
    EventSink,
    MetricSink,
)

_PUBLISH_SECONDS = 10  # SageMaker's high-resolution metrics
_EVENT_STATUS = {"InService": "IN_SERVICE", "Failed": "FAILED", "Creating": "CREATING"}


class SageMakerService(JsonService):
    """Models, endpoint configs, endpoints, inference components, and their data plane.

    `weights` says whether a model's S3 prefix holds anything; a component without weights fails.
    """

    service, signing_names = "sagemaker", ("sagemaker",)

    def __init__(
        self,
        clock: Clock,
        events: EventSink,
        metrics: MetricSink,
        *,
        settings: SimSettings | None = None,
        weights: Callable[[str], bool] | None = None,
    ) -> None:
        table = Path(__file__).with_name("accelerators.json").read_text()
        self.clock = clock
        self.world = World(clock, settings or SimSettings(), json.loads(table), self._announce)
        self.invoked = Invocations(clock, self.world)
        self._events, self._metrics, self._weights = events, metrics, weights
        self._models: dict[str, dict[str, Any]] = {}
        self._configs: dict[str, dict[str, Any]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._publish, name="sagemaker", daemon=True)
        self._thread.start()

    @property
    def invocations(self) -> int:
        """Requests that reached a copy."""
        return self.invoked.total

    def billed(self) -> list[tuple[str, str, str, float, float | None]]:
        """Endpoint, type, id, asked, gone (None: still there) of every instance that ever was."""
        self.world.settle()
        with self.world.lock:
            return [
                (endpoint.name, instance.type, instance.id, instance.asked, instance.gone)
                for endpoint in [*self.world.removed, *self.world.endpoints.values()]
                for instance in endpoint.instances
            ]

    def handle(self, request: Request) -> Response:
        return self.invoked.handle(request, self) or super().handle(request)

    def call(self, operation: str, arguments: dict[str, Any]) -> Any:
        self.world.settle()
        with self.world.lock:
            return super().call(operation, arguments)

    def close(self) -> None:
        self._over.set()
        self._thread.join(timeout=2)

    # Models and endpoint configs

    def create_model(self, ModelName: str, **rest: Any) -> dict[str, Any]:
        _refuse_twice(self._models, ModelName, self.arn("model", ModelName))
        made = {"ModelName": ModelName, **rest, "CreationTime": self.clock.now()}
        self._models[ModelName] = made
        return {"ModelArn": self.arn("model", ModelName)}

    def describe_model(self, ModelName: str) -> dict[str, Any]:
        return self._described(self._models, "model", ModelName, "ModelArn")

    def delete_model(self, ModelName: str) -> None:
        del self._models[_known(self._models, ModelName, "model")["ModelName"]]

    def create_endpoint_config(
        self, EndpointConfigName: str, ProductionVariants: list[dict[str, Any]], **rest: Any
    ) -> dict[str, Any]:
        _refuse_twice(
            self._configs, EndpointConfigName, self.arn("endpoint-config", EndpointConfigName)
        )
        for variant in ProductionVariants:
            _check_variant(variant, rest)
        self._configs[EndpointConfigName] = {
            "EndpointConfigName": EndpointConfigName,
            "ProductionVariants": ProductionVariants,
            **rest,
            "CreationTime": self.clock.now(),
        }
        return {"EndpointConfigArn": self.arn("endpoint-config", EndpointConfigName)}

    def describe_endpoint_config(self, EndpointConfigName: str) -> dict[str, Any]:
        return self._described(
            self._configs, "endpoint-config", EndpointConfigName, "EndpointConfigArn"
        )

    def delete_endpoint_config(self, EndpointConfigName: str) -> None:
        _known(self._configs, EndpointConfigName, "endpoint configuration")
        del self._configs[EndpointConfigName]

    # Endpoints

    def create_endpoint(
        self, EndpointName: str, EndpointConfigName: str, **_rest: Any
    ) -> dict[str, Any]:
        _refuse_twice(self.world.endpoints, EndpointName, self.arn("endpoint", EndpointName))
        config = _known(self._configs, EndpointConfigName, "endpoint configuration")
        now = self.clock.time()
        endpoint = Endpoint(EndpointName, config, now)
        self.world.endpoints[EndpointName] = endpoint
        for _ in range(endpoint.variant.get("InitialInstanceCount", 1)):
            self.world.ask_for_instance(endpoint, now)
        return {"EndpointArn": self.arn("endpoint", EndpointName)}

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        endpoint = _known(self.world.endpoints, EndpointName, "endpoint")
        alive = endpoint.alive()
        variant: dict[str, Any] = {
            "VariantName": endpoint.variant.get("VariantName", "AllTraffic"),
            "CurrentInstanceCount": len(alive),
            "DesiredInstanceCount": len(alive),
        }
        if "InstancePools" in endpoint.variant:
            variant["InstancePools"] = [
                {"InstanceType": t, "CurrentInstanceCount": sum(i.type == t for i in alive)}
                for t in endpoint.types
            ]
        return {
            **self._endpoint_line(endpoint),
            "EndpointConfigName": endpoint.config["EndpointConfigName"],
            "FailureReason": endpoint.failure,
            "ProductionVariants": [variant],
        }

    def list_endpoints(self, NameContains: str = "", **_rest: Any) -> dict[str, Any]:
        endpoints = self.world.endpoints.values()
        return {"Endpoints": [self._endpoint_line(e) for e in endpoints if NameContains in e.name]}

    def delete_endpoint(self, EndpointName: str) -> None:
        endpoint = _known(self.world.endpoints, EndpointName, "endpoint")
        if endpoint.status == "Creating" or endpoint.deleting:
            raise invalid(f'Cannot delete endpoint "{EndpointName}" in {endpoint.status} state.')
        if any(c.endpoint == EndpointName for c in self.world.components.values()):
            raise invalid(
                f'Cannot delete endpoint "{EndpointName}" while it has inference components.'
            )
        endpoint.deleting = self.clock.time()

    # Inference components

    def create_inference_component(
        self,
        InferenceComponentName: str,
        EndpointName: str,
        Specification: dict[str, Any],
        RuntimeConfig: dict[str, Any] | None = None,
        **rest: Any,
    ) -> dict[str, Any]:
        arn = self.arn("inference-component", InferenceComponentName)
        _refuse_twice(self.world.components, InferenceComponentName, arn)
        endpoint = _known(self.world.endpoints, EndpointName, "endpoint")
        if endpoint.status != "InService":
            raise invalid(f'Endpoint "{EndpointName}" is {endpoint.status}, not InService.')
        needs = Specification.get("ComputeResourceRequirements", {})
        now = self.clock.time()
        component = Component(
            name=InferenceComponentName,
            endpoint=EndpointName,
            arguments={"Specification": Specification, **rest},
            desired=(RuntimeConfig or {"CopyCount": 1})["CopyCount"],
            created=now,
            accelerators=int(needs.get("NumberOfAcceleratorDevicesRequired", 1)),
            changed=now,
        )
        missing = self._missing_weights(Specification)
        if missing:
            component.status, component.failure = "Failed", f"No model data at {missing}."
        self.world.components[InferenceComponentName] = component
        self.world.settle()
        return {"InferenceComponentArn": arn}

    def describe_inference_component(self, InferenceComponentName: str) -> dict[str, Any]:
        component = _known(self.world.components, InferenceComponentName, "inference component")
        asked = component.arguments["Specification"]
        kept = ("ModelName", "ComputeResourceRequirements", "StartupParameters")
        return {
            **self._component_line(component),
            "FailureReason": component.failure,
            "Specification": {key: asked[key] for key in kept if key in asked},
            "RuntimeConfig": {
                "DesiredCopyCount": component.desired,
                "CurrentCopyCount": component.current(self.clock.time()),
            },
        }

    def list_inference_components(self, **_rest: Any) -> dict[str, Any]:
        components = self.world.components.values()
        return {"InferenceComponents": [self._component_line(one) for one in components]}

    def update_inference_component_runtime_config(
        self, InferenceComponentName: str, DesiredRuntimeConfig: dict[str, Any]
    ) -> dict[str, Any]:
        component = _known(self.world.components, InferenceComponentName, "inference component")
        _refuse_while_changing(component, "update")
        self.set_copies(component, DesiredRuntimeConfig["CopyCount"])
        return {"InferenceComponentArn": self.arn("inference-component", component.name)}

    def delete_inference_component(self, InferenceComponentName: str) -> None:
        component = _known(self.world.components, InferenceComponentName, "inference component")
        _refuse_while_changing(component, "delete")
        component.deleting = self.clock.time()
        for copy in component.copies:
            copy.leaving = copy.leaving or component.deleting

    def set_copies(self, component: Component, count: int) -> None:
        """Moves a component's copies, as its API and Application Auto Scaling do."""
        if count != component.desired:
            component.desired, component.status = count, "Updating"
            component.changed = self.clock.time()
        self.world.settle()

    def component(self, name: str) -> Component:
        """Raises ServiceError for an unknown one."""
        return _known(self.world.components, name, "inference component")

    def arn(self, kind: str, name: str) -> str:
        return f"arn:aws:sagemaker:{DEFAULT_REGION}:{ACCOUNT_ID}:{kind}/{name}"

    def _missing_weights(self, specification: dict[str, Any]) -> str | None:
        if "ModelName" not in specification:
            return None
        model = _known(self._models, specification["ModelName"], "model")
        container = model.get("PrimaryContainer") or {}
        source = (container.get("ModelDataSource") or {}).get("S3DataSource")
        if source and self._weights and not self._weights(source["S3Uri"]):
            return str(source["S3Uri"])
        return None

    def _described(
        self, store: dict[str, Any], kind: str, name: str, arn_member: str
    ) -> dict[str, Any]:
        found = _known(store, name, kind.replace("endpoint-config", "endpoint configuration"))
        shown = {key: value for key, value in found.items() if key != "Tags"}
        return {**shown, arn_member: self.arn(kind, name)}

    def _endpoint_line(self, endpoint: Endpoint) -> dict[str, Any]:
        return {
            "EndpointName": endpoint.name,
            "EndpointArn": self.arn("endpoint", endpoint.name),
            "EndpointStatus": "Deleting" if endpoint.deleting else endpoint.status,
            "CreationTime": _utc(endpoint.created),
            "LastModifiedTime": _utc(endpoint.created),
        }

    def _component_line(self, component: Component) -> dict[str, Any]:
        return {
            "InferenceComponentName": component.name,
            "InferenceComponentArn": self.arn("inference-component", component.name),
            "EndpointName": component.endpoint,
            "EndpointArn": self.arn("endpoint", component.endpoint),
            "VariantName": component.arguments.get("VariantName", "AllTraffic"),
            "InferenceComponentStatus": "Deleting" if component.deleting else component.status,
            "CreationTime": _utc(component.created),
            "LastModifiedTime": _utc(component.changed),
        }

    def _announce(self, endpoint: Endpoint) -> None:
        detail = {
            "EndpointName": endpoint.name,
            "EndpointArn": self.arn("endpoint", endpoint.name),
            "EndpointStatus": _EVENT_STATUS[endpoint.status],
        }
        self._events.put_event("aws.sagemaker", "SageMaker Endpoint State Change", detail)

    def _publish(self) -> None:
        """Metrics every 10 s, of components that have copies; and time moves on without looks."""
        while not self.clock.sleep(_PUBLISH_SECONDS, self._over):
            self.world.settle()
            now = self.clock.time()
            for name, metric, value in self.invoked.samples(now):
                dimensions = {"InferenceComponentName": name}
                self._metrics.put_metric(Datapoint("AWS/SageMaker", metric, dimensions, value, now))


def _known(store: dict[str, Any], name: str, kind: str) -> Any:
    if name not in store:
        raise invalid(f'Could not find {kind} "{name}".')
    return store[name]


def _refuse_twice(store: dict[str, Any], name: str, arn: str) -> None:
    if name in store:
        raise invalid(f'Cannot create already existing resource "{arn}".')


def _refuse_while_changing(component: Component, verb: str) -> None:
    if component.deleting or component.status in ("Creating", "Updating"):
        state = "Deleting" if component.deleting else component.status
        raise invalid(f'Cannot {verb} inference component "{component.name}" while it is {state}.')


def _check_variant(variant: dict[str, Any], config: dict[str, Any]) -> None:
    if "ModelName" not in variant and not config.get("ExecutionRoleArn"):
        raise invalid("ExecutionRoleArn is required when a variant names no model.")
    if ("InstancePools" in variant) == ("InstanceType" in variant):
        raise ServiceError(
            "ValidationException", "Give exactly one of InstanceType and InstancePools."
        )


def _utc(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)
