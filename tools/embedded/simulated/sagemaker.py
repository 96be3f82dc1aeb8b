"""SageMaker: control plane and data plane over the simulated world."""

from __future__ import annotations

import binascii
import json
import re
import struct
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from werkzeug.wrappers import Request, Response

from tools.embedded.types import ACCOUNT_ID, DEFAULT_REGION, Clock, Datapoint, EventSink, MetricSink

from . import container
from .shapes import JsonService, ServiceError
from .world import Component, Endpoint, SimSettings, World


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One message of application/vnd.amazon.eventstream (prelude, headers, payload, CRCs)."""
    h = b"".join(
        bytes([len(k)]) + k.encode() + b"\x07" + struct.pack(">H", len(v)) + v.encode()
        for k, v in headers.items()
    )
    prelude = struct.pack(">II", 12 + len(h) + len(payload) + 4, len(h))
    m = prelude + struct.pack(">I", binascii.crc32(prelude)) + h + payload
    return m + struct.pack(">I", binascii.crc32(m))


class SageMakerService(JsonService):
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
        self.clock, self.weights = clock, weights
        self.put_event, self.put_metric = events.put_event, metrics.put_metric
        self.region, self.account_id = DEFAULT_REGION, ACCOUNT_ID
        gpus = json.loads(Path(__file__).with_name("accelerators.json").read_text())
        settings = settings or SimSettings()
        self.world = World(clock, settings, gpus, self._endpoint_event)
        self.models, self.configs, self.tags = {}, {}, {}
        self.counts = {}
        self.invocations = 0  # that reached a copy
        self.stop = threading.Event()
        self.faults = []
        self.fired = []
        threading.Thread(target=self._run, daemon=True).start()

    # ---- helpers
    def arn(self, kind, name):
        return f"arn:aws:sagemaker:{self.region}:{self.account_id}:{kind}/{name.lower() if kind != 'inference-component' else name}"

    def when(self, t):
        return datetime.fromtimestamp(t, UTC)

    def find(self, store, name, kind):
        if name not in store:
            raise ServiceError("ValidationException", f'Could not find {kind} "{name}".')
        return store[name]

    def _endpoint_event(self, e):
        s = {
            "InService": "IN_SERVICE",
            "Failed": "FAILED",
            "Deleting": "DELETING",
            "Creating": "CREATING",
        }[e.status]
        self.put_event(
            "aws.sagemaker",
            "SageMaker Endpoint State Change",
            {
                "EndpointName": e.name,
                "EndpointArn": self.arn("endpoint", e.name),
                "EndpointStatus": s,
            },
        )

    def call(self, op, args):
        for f in list(self.faults):
            if f["operation"] in (op, "*") and f["times"] > 0:
                f["times"] -= 1
                self.fired.append((self.clock.time(), op, f["code"]))
                raise ServiceError(f["code"], f.get("message", "injected"), f.get("status", 400))
        self.world.settle()
        with self.world.lock:
            return super().call(op, args)

    # ---- models and configs
    def create_model(self, ModelName, **a):
        if ModelName in self.models:
            raise ServiceError(
                "ValidationException",
                f'Cannot create already existing model "{self.arn("model", ModelName)}".',
            )
        self.models[ModelName] = {"ModelName": ModelName, **a, "CreationTime": self.clock.now()}
        return {"ModelArn": self.arn("model", ModelName)}

    def describe_model(self, ModelName):
        m = self.find(self.models, ModelName, "model")
        return {
            k: v for k, v in {**m, "ModelArn": self.arn("model", ModelName)}.items() if k != "Tags"
        }

    def delete_model(self, ModelName):
        self.find(self.models, ModelName, "model")
        del self.models[ModelName]

    def create_endpoint_config(self, EndpointConfigName, ProductionVariants, **a):
        if EndpointConfigName in self.configs:
            raise ServiceError(
                "ValidationException",
                f'Cannot create already existing endpoint configuration "{EndpointConfigName}".',
            )
        for v in ProductionVariants:
            if "ModelName" not in v and not a.get("ExecutionRoleArn"):
                raise ServiceError(
                    "ValidationException",
                    "ExecutionRoleArn is required when a variant names no model",
                )
            if "InstancePools" in v and "InstanceType" in v:
                raise ServiceError(
                    "ValidationException",
                    "InstanceType and InstancePools cannot be specified together",
                )
            if "InstancePools" not in v and "InstanceType" not in v:
                raise ServiceError(
                    "ValidationException", "One of InstanceType and InstancePools is required"
                )
        self.configs[EndpointConfigName] = {
            "EndpointConfigName": EndpointConfigName,
            "ProductionVariants": ProductionVariants,
            **a,
            "CreationTime": self.clock.now(),
        }
        return {"EndpointConfigArn": self.arn("endpoint-config", EndpointConfigName)}

    def describe_endpoint_config(self, EndpointConfigName):
        c = self.find(self.configs, EndpointConfigName, "endpoint configuration")
        return {
            k: v
            for k, v in {
                **c,
                "EndpointConfigArn": self.arn("endpoint-config", EndpointConfigName),
            }.items()
            if k != "Tags"
        }

    def delete_endpoint_config(self, EndpointConfigName):
        self.find(self.configs, EndpointConfigName, "endpoint configuration")
        del self.configs[EndpointConfigName]

    # ---- endpoints
    def create_endpoint(self, EndpointName, EndpointConfigName, **a):
        if EndpointName in self.world.endpoints:
            raise ServiceError(
                "ValidationException",
                f'Cannot create already existing endpoint "{self.arn("endpoint", EndpointName)}".',
            )
        c = self.find(self.configs, EndpointConfigName, "endpoint configuration")
        now = self.clock.time()
        e = Endpoint(EndpointName, c, now)
        self.world.endpoints[EndpointName] = e
        for _ in range(c["ProductionVariants"][0].get("InitialInstanceCount", 1)):
            self.world.new_instance(e, now)
        return {"EndpointArn": self.arn("endpoint", EndpointName)}

    def describe_endpoint(self, EndpointName):
        e = self.find(self.world.endpoints, EndpointName, "endpoint")
        v = e.config["ProductionVariants"][0]
        alive = e.alive()
        variant = {
            "VariantName": v.get("VariantName", "AllTraffic"),
            "CurrentInstanceCount": len(alive),
            "DesiredInstanceCount": len(alive),
        }
        if "InstancePools" in v:
            variant["InstancePools"] = [
                {"InstanceType": t, "CurrentInstanceCount": sum(i.type == t for i in alive)}
                for t in self.world.types(e)
            ]
        return {
            "EndpointName": e.name,
            "EndpointArn": self.arn("endpoint", e.name),
            "EndpointConfigName": e.config["EndpointConfigName"],
            "EndpointStatus": "Deleting" if e.deleting else e.status,
            "FailureReason": e.failure,
            "CreationTime": self.when(e.created),
            "LastModifiedTime": self.when(e.created),
            "ProductionVariants": [variant],
        }

    def delete_endpoint(self, EndpointName):
        e = self.find(self.world.endpoints, EndpointName, "endpoint")
        if e.status == "Creating" or e.deleting:
            raise ServiceError(
                "ValidationException",
                f'Cannot delete endpoint "{EndpointName}" in {e.status} state',
            )
        if any(c.endpoint == EndpointName for c in self.world.components.values()):
            raise ServiceError(
                "ValidationException",
                f'Cannot delete endpoint "{EndpointName}" while it has inference components',
            )
        e.deleting = self.clock.time()

    def list_endpoints(self, **a):
        return {
            "Endpoints": [
                {
                    "EndpointName": e.name,
                    "EndpointArn": self.arn("endpoint", e.name),
                    "CreationTime": self.when(e.created),
                    "LastModifiedTime": self.when(e.created),
                    "EndpointStatus": e.status,
                }
                for e in self.world.endpoints.values()
                if a.get("NameContains", "") in e.name
            ]
        }

    # ---- inference components
    def create_inference_component(
        self,
        InferenceComponentName,
        EndpointName,
        Specification,
        VariantName=None,
        RuntimeConfig=None,
        Tags=None,
    ):
        if InferenceComponentName in self.world.components:
            raise ServiceError(
                "ValidationException",
                f'Cannot create already existing inference component "{InferenceComponentName}".',
            )
        e = self.find(self.world.endpoints, EndpointName, "endpoint")
        if e.status != "InService":
            raise ServiceError("ValidationException", f"Endpoint {EndpointName} is not in service")
        if "ModelName" in Specification:
            model = self.find(self.models, Specification["ModelName"], "model")
        n = int(
            Specification.get("ComputeResourceRequirements", {}).get(
                "NumberOfAcceleratorDevicesRequired", 1
            )
        )
        now = self.clock.time()
        c = Component(
            InferenceComponentName,
            EndpointName,
            {"Specification": Specification, "VariantName": VariantName},
            (RuntimeConfig or {"CopyCount": 1})["CopyCount"],
            now,
            n,
            changed=now,
        )
        src = (
            ((model.get("PrimaryContainer") or {}).get("ModelDataSource") or {}).get("S3DataSource")
            if "ModelName" in Specification
            else None
        )
        if src and self.weights and not self.weights(src["S3Uri"]):
            c.status, c.failure = "Failed", f"Could not find model data at {src['S3Uri']}."
        self.world.components[InferenceComponentName] = c
        self.world.settle()
        return {"InferenceComponentArn": self.arn("inference-component", InferenceComponentName)}

    def describe_inference_component(self, InferenceComponentName):
        c = self.find(self.world.components, InferenceComponentName, "inference component")
        now = self.clock.time()
        s = c.args["Specification"]
        return {
            "InferenceComponentName": c.name,
            "InferenceComponentArn": self.arn("inference-component", c.name),
            "EndpointName": c.endpoint,
            "EndpointArn": self.arn("endpoint", c.endpoint),
            "VariantName": c.args["VariantName"],
            "FailureReason": c.failure,
            "Specification": {
                "ModelName": s.get("ModelName"),
                "ComputeResourceRequirements": s.get("ComputeResourceRequirements"),
            },
            "RuntimeConfig": {"DesiredCopyCount": c.desired, "CurrentCopyCount": c.current(now)},
            "CreationTime": self.when(c.created),
            "LastModifiedTime": self.when(c.changed),
            "InferenceComponentStatus": "Deleting" if c.deleting else c.status,
        }

    def update_inference_component_runtime_config(
        self, InferenceComponentName, DesiredRuntimeConfig
    ):
        c = self.find(self.world.components, InferenceComponentName, "inference component")
        if c.status != "InService" or c.deleting:
            raise ServiceError(
                "ValidationException",
                f'Cannot update inference component "{InferenceComponentName}" while it is {c.status}',
            )
        self.set_copies(c, DesiredRuntimeConfig["CopyCount"])
        return {"InferenceComponentArn": self.arn("inference-component", c.name)}

    def set_copies(self, c, n):
        if n != c.desired:
            c.desired, c.status, c.changed = n, "Updating", self.clock.time()
        self.world.settle()

    def delete_inference_component(self, InferenceComponentName):
        c = self.find(self.world.components, InferenceComponentName, "inference component")
        if c.status in ("Creating", "Updating") or c.deleting:
            raise ServiceError(
                "ValidationException",
                f'Cannot delete inference component "{InferenceComponentName}" while it is {c.status}',
            )
        c.deleting = self.clock.time()
        for k in c.copies:
            k.leaving = k.leaving or c.deleting

    def list_inference_components(self, **a):
        return {
            "InferenceComponents": [
                {
                    "InferenceComponentName": c.name,
                    "InferenceComponentArn": self.arn("inference-component", c.name),
                    "EndpointName": c.endpoint,
                    "EndpointArn": self.arn("endpoint", c.endpoint),
                    "VariantName": c.args["VariantName"] or "AllTraffic",
                    "CreationTime": self.when(c.created),
                    "LastModifiedTime": self.when(c.changed),
                    "InferenceComponentStatus": c.status,
                }
                for c in self.world.components.values()
            ]
        }

    # ---- data plane
    def handle(self, request: Request) -> Response:
        m = re.fullmatch(
            r"/endpoints/([^/]+)/(invocations|invocations-response-stream)", request.path
        )
        if not m:
            return super().handle(request)
        try:
            return self._invoke(m[1], m[2].endswith("stream"), request)
        except ServiceError as e:
            return self.error(e)

    def _invoke(self, endpoint, streaming, request):
        now = self.world.settle()
        name = request.headers.get("X-Amzn-SageMaker-Inference-Component", "")
        with self.world.lock:
            if endpoint not in self.world.endpoints:
                raise ServiceError(
                    "ValidationError",
                    f"Endpoint {endpoint} of account {self.account_id} not found.",
                )
            c = self.world.components.get(name)
            if c is None:
                raise ServiceError("ValidationError", f"Inference Component {name} not found.")
            ready = [
                k for k in c.copies if k.ready is not None and k.ready <= now and k.leaving is None
            ]
            if not ready:
                self._count(name, "NoCapacityInvocationFailures", 1)
                raise ServiceError(
                    "ValidationError",
                    f"Inference Component {name} has no capacity to process this request. ApplicationAutoScaling may be in-progress (if configured) or try to increase the capacity by invoking UpdateInferenceComponentRuntimeConfig API.",
                )
            copy = min(ready, key=lambda k: k.in_flight)
            copy.in_flight += 1
        began = now
        body = request.get_data()
        try:
            container.parse(body)
        except (container.Refused, ValueError, TypeError, AttributeError) as e:
            copy.in_flight -= 1
            return Response(
                json.dumps(
                    {"message": str(e), "OriginalStatusCode": 400, "OriginalMessage": str(e)}
                ),
                status=424,
                content_type="application/json",
                headers={"x-amzn-errortype": "ModelError", "x-amzn-RequestId": str(uuid.uuid4())},
            )
        self._count(name, "Invocations", 1)
        with self.world.lock:
            self.invocations += 1

        def done():
            with self.world.lock:
                copy.in_flight -= 1
            self._count(name, "ModelLatency", (self.clock.time() - began) * 1e6, average=True)

        pieces = container.stream(self.clock, body)
        if streaming:

            def frames():
                try:
                    for p in pieces:
                        yield frame(
                            {
                                ":event-type": "PayloadPart",
                                ":content-type": "application/octet-stream",
                                ":message-type": "event",
                            },
                            p,
                        )
                finally:
                    done()

            return Response(
                frames(),
                content_type="application/vnd.amazon.eventstream",
                headers={
                    "X-Amzn-SageMaker-Content-Type": "application/json",
                    "x-amzn-Invoked-Production-Variant": "AllTraffic",
                },
                direct_passthrough=True,
            )
        try:
            return Response(b"".join(pieces), content_type="application/json")
        finally:
            done()

    # ---- metrics
    def _count(self, name, metric, value, average=False):
        with self.world.lock:
            self.counts.setdefault((name, metric), []).append(value)

    def _run(self):
        last = self.clock.time()
        while not self.clock.sleep(10, self.stop):
            self.world.settle()
            with self.world.lock:
                now = self.clock.time()
                counts, self.counts = self.counts, {}
                for c in self.world.components.values():
                    live = c.current(now)

                    def put(m, v):
                        self.put_metric(
                            Datapoint(
                                "AWS/SageMaker", m, {"InferenceComponentName": c.name}, v, now
                            )
                        )

                    if live:
                        put("ConcurrentRequestsPerCopy", sum(k.in_flight for k in c.copies) / live)
                        put("Invocations", float(len(counts.get((c.name, "Invocations"), ()))))
                    for v in counts.get((c.name, "ModelLatency"), ()):
                        put("ModelLatency", v)
                    for v in counts.get((c.name, "NoCapacityInvocationFailures"), ()):
                        put("NoCapacityInvocationFailures", v)

    def close(self):
        self.stop.set()

    # ---- the truth, for comparisons
    def billed(self):
        """(endpoint, type, id, asked, gone or None) of every instance that ever was, in epoch seconds."""
        self.world.settle()
        with self.world.lock:
            return [
                (e.name, i.type, i.id, i.asked, i.gone)
                for e in [*self.world.gone, *self.world.endpoints.values()]
                for i in e.instances
            ]
