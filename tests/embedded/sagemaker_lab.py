"""Serves services over HTTP to real boto3 clients, for tests that need no whole account."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import boto3
from botocore.config import Config
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from tools.embedded.types import DEFAULT_REGION, Datapoint, Service

_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/")


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        """Callers see their own errors."""


class Served:
    """A threaded server; routes by the service in the signature's credential scope."""

    def __init__(self, *services: Service) -> None:
        self._services = {name: one for one in services for name in one.signing_names}
        self._server = make_server(
            "127.0.0.1", 0, self._serve, threaded=True, request_handler=_Handler
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    def client(self, service: str) -> Any:
        """One attempt a call: what is refused is seen."""
        return boto3.client(
            service,
            region_name=DEFAULT_REGION,
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        )

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=2)
        for service in {id(one): one for one in self._services.values()}.values():
            service.close()

    def _serve(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
        service = self._services.get(scope[1]) if scope else None
        if service is None:
            return Response("no such service", 404)(environ, start)
        return service.handle(Request(environ))(environ, start)


class Sink:
    """Keeps what a service sends: types.EventSink and types.MetricSink."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, dict[str, Any]]] = []
        self.datapoints: list[Datapoint] = []

    def put_event(
        self,
        source: str,
        detail_type: str,
        detail: Any,
        bus: str = "default",
        resources: Any = (),
    ) -> None:
        self.events.append((source, detail_type, dict(detail)))

    def put_metric(self, datapoint: Datapoint) -> None:
        self.datapoints.append(datapoint)

    def values(self, name: str) -> list[float]:
        return [one.value for one in self.datapoints if one.name == name]


ROLE = "arn:aws:iam::123456789012:role/execution"
STILL = 0.001  # a speed at which time passes by jumps only, however slow the machine is
PATIENCE_SECONDS = 60


def until(condition: Callable[[], Any]) -> None:
    """Waits on the wall for what other threads do."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


class Stage:
    """Shorthands over real clients: a model, an endpoint for components, a component."""

    def __init__(self, served: Served) -> None:
        self.sagemaker = served.client("sagemaker")
        self.runtime = served.client("sagemaker-runtime")
        self.scaling = served.client("application-autoscaling")

    def model(self, name: str = "m", **container: Any) -> None:
        self.sagemaker.create_model(
            ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "vllm", **container}
        )

    def config(self, name: str = "c", config: dict[str, Any] | None = None, **variant: Any) -> None:
        """One variant `v`, by default for components on up to 3 managed ml.g5.xlarge."""
        managed = {"Status": "ENABLED", "MinInstanceCount": 0, "MaxInstanceCount": 3}
        defaults: dict[str, Any] = {
            "VariantName": "v",
            "InitialInstanceCount": 1,
            "ManagedInstanceScaling": managed,
            "RoutingConfig": {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"},
        }
        if "InstancePools" not in variant:
            defaults["InstanceType"] = "ml.g5.xlarge"
        if "ModelName" in variant:
            del defaults["ManagedInstanceScaling"]
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ExecutionRoleArn=ROLE,
            ProductionVariants=[defaults | variant],
            **(config or {}),
        )

    def endpoint(self, name: str = "e", config: str = "c") -> None:
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)

    def component(
        self, name: str = "ic", copies: int = 1, accelerators: int = 1, **specification: Any
    ) -> None:
        needs = {
            "MinMemoryRequiredInMb": 1024,
            "NumberOfAcceleratorDevicesRequired": accelerators,
        }
        self.sagemaker.create_inference_component(
            InferenceComponentName=name,
            EndpointName="e",
            VariantName="v",
            Specification={"ModelName": "m", "ComputeResourceRequirements": needs, **specification},
            RuntimeConfig={"CopyCount": copies},
        )

    def copies(self, count: int, name: str = "ic") -> None:
        self.sagemaker.update_inference_component_runtime_config(
            InferenceComponentName=name, DesiredRuntimeConfig={"CopyCount": count}
        )

    def seen(self, name: str = "ic") -> tuple[str, int, int]:
        """A component's status, desired and current copies."""
        found = self.sagemaker.describe_inference_component(InferenceComponentName=name)
        runtime = found["RuntimeConfig"]
        status = found["InferenceComponentStatus"]
        return status, runtime["DesiredCopyCount"], runtime["CurrentCopyCount"]

    def status(self, name: str = "e") -> str:
        return str(self.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"])
