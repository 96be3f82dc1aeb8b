"""Metrics of namespace AWS/SageMaker, every 10 simulated seconds, in the words of AWS.

While a component has copies its gauges are published, zero included; at no copies there are none.
Concurrency is the mean over the period. Whoever scales listens to the gauges here, at their own
simulated time; CloudWatch gets only the last minutes of a jump.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from tools.embedded.sagemaker.async_plane import AsyncPlane
from tools.embedded.sagemaker.counts import Count, Counts
from tools.embedded.sagemaker.things import Component
from tools.embedded.sagemaker.world import World
from tools.embedded.types import Datapoint, MetricSink

NAMESPACE = "AWS/SageMaker"
PER_COPY = "ConcurrentRequestsPerCopy"
PER_MODEL = "ConcurrentRequestsPerModel"
INVOCATIONS_PER_COPY = "InvocationsPerCopy"
INVOCATIONS_PER_INSTANCE = "InvocationsPerInstance"
_KEEP_SECONDS = 60  # of finished requests, for the mean of a period

Listener = Callable[[Component, str, float], None]  # component, metric, value; now is the agenda's
Sample = tuple[str, Mapping[str, str], float, str]


class Publisher:
    """Listeners are called with the world's lock held."""

    def __init__(
        self, world: World, counts: Counts, queues: AsyncPlane, metrics: MetricSink
    ) -> None:
        self._world, self._counts, self._queues, self._metrics = world, counts, queues, metrics
        self.listeners: list[Listener] = []
        world.agenda.every(world.settings.publish_every, self._tick)

    def _tick(self) -> None:
        world = self._world
        counts = self._counts.take()
        fresh = world.now >= world.clock.time() - world.settings.publish_late
        for component in self._components():
            for sample in self._of_component(component, counts.pop(component.name, None)):
                if fresh:
                    self._publish(sample)
        if fresh:
            for sample in self._backlogs():
                self._publish(sample)

    def _components(self) -> list[Component]:
        world = self._world
        models = [
            variant.model
            for endpoint in world.endpoints.values()
            for variant in endpoint.variants
            if variant.model is not None
        ]
        return [*world.components.values(), *models]

    def _of_component(self, component: Component, count: Count | None) -> Iterator[Sample]:
        copies, variant = len(component.ready), component.variant
        both = {"EndpointName": variant.endpoint.name, "VariantName": variant.name}
        own = both if component.hidden else {"InferenceComponentName": component.name}
        if count is not None:
            yield from _counted(count, own, copies)
        elif copies:
            yield "Invocations", own, 0.0, "None"
        if not copies:
            return
        mean = self._mean_concurrency(component) / copies
        invocations = (count.invocations if count else 0) / copies
        gauges = [(PER_COPY, own, mean), (INVOCATIONS_PER_COPY, own, invocations)]
        gauges.append((PER_MODEL, both, mean))
        if component.hidden:
            gauges = [(PER_MODEL, both, mean), (INVOCATIONS_PER_INSTANCE, both, invocations)]
        for name, dimensions, value in gauges:
            for listener in self.listeners:
                listener(component, name, value)
            yield name, dimensions, value, "None"

    def _mean_concurrency(self, component: Component) -> float:
        now, period = self._world.now, self._world.settings.publish_every
        busy = 0.0
        for copy in component.copies:
            busy += copy.load.busy_seconds(now - period, now)
            copy.load.forget_before(now - _KEEP_SECONDS)
        return busy / period

    def _backlogs(self) -> Iterator[Sample]:
        for endpoint in self._world.endpoints.values():
            if "AsyncInferenceConfig" not in endpoint.config:
                continue
            own = {"EndpointName": endpoint.name}
            size = float(self._queues.backlog(endpoint))
            models = [variant.model for variant in endpoint.variants if variant.model]
            copies = sum(len(model.ready) for model in models)
            yield "ApproximateBacklogSize", own, size, "None"
            if copies:
                yield "ApproximateBacklogSizePerInstance", own, size / copies, "None"
            yield "HasBacklogWithoutCapacity", own, float(size > 0 and not copies), "None"

    def _publish(self, sample: Sample) -> None:
        name, dimensions, value, unit = sample
        datapoint = Datapoint(NAMESPACE, name, dict(dimensions), value, self._world.now, unit)
        self._world.send(partial(self._metrics.put_metric, datapoint))


def _counted(count: Count, own: Mapping[str, str], copies: int) -> Iterator[Sample]:
    if copies or count.invocations:
        yield "Invocations", own, float(count.invocations), "None"
    if count.no_capacity:
        yield "NoCapacityInvocationFailures", own, float(count.no_capacity), "None"
    if count.client_errors:
        yield "Invocation4XXErrors", own, float(count.client_errors), "None"
    if count.model_errors:
        yield "InvocationModelErrors", own, float(count.model_errors), "None"
    for latency in count.latencies:
        yield "ModelLatency", own, latency, "Microseconds"
