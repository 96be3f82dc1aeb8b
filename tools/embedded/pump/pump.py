"""The pump: everything that happens by itself in the embedded account."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tools.embedded import s3_integrity
from tools.embedded.metrics.alarms import Alarms
from tools.embedded.metrics.customized import last_minute
from tools.embedded.metrics.emf import ingest_line
from tools.embedded.metrics.moto_alarms import AlarmPatches
from tools.embedded.metrics.moto_cloudwatch import CloudWatchPatches
from tools.embedded.metrics.service_metrics import ServiceMetrics
from tools.embedded.metrics.store import MetricsStore
from tools.embedded.pump.buses import Buses
from tools.embedded.pump.delivery import Deliveries, Delivery
from tools.embedded.pump.mappings import Mappings
from tools.embedded.pump.queues import Queues
from tools.embedded.pump.scheduler import Scheduler
from tools.embedded.pump.targets import Targets
from tools.embedded.pump.ticker import Ticker
from tools.embedded.pump.topics import Email, Topics
from tools.embedded.pump.view import AccountView
from tools.embedded.types import Datapoint


class Pump:
    """Event source mappings, schedules, buses, topics, metrics and alarms of one account.

    Implements EventSink and MetricSink. `install` only replaces moto's methods; `start` installs
    and sets the threads going, once. Only one pump can be installed in a process.
    """

    def __init__(self, account: AccountView) -> None:
        self._account = account
        self.store = MetricsStore()
        self.on_line: list[Callable[[str], None]] = []  # told of each line of a function's log
        self.queues = Queues(account.clock)
        self.targets = Targets(account)
        self.deliveries = Deliveries(account.clock, self.targets.bury, self._delivery_failed)
        self.buses = Buses(account, self.targets, self.deliveries)
        self.topics = Topics(account, self.targets, self.deliveries)
        self.scheduler = Scheduler(account, self.buses, self.targets, self.deliveries)
        self.mappings = Mappings(account, self.queues)
        self.metrics = ServiceMetrics(account, self.store, self.queues.take_sent)
        self.alarms = Alarms(account, self.store, self.buses, self)
        self.buses.matched = self._rule_matched
        self._ticker = Ticker(account.clock, self.metrics.publish, self.alarms.evaluate)
        self._patches = (
            self.queues,
            self.buses,
            self.topics,
            CloudWatchPatches(self.store, account.clock),
            AlarmPatches(self.alarms),
            s3_integrity,
        )

    def install(self) -> None:
        for patch in self._patches:
            patch.install()

    def uninstall(self) -> None:
        for patch in reversed(self._patches):
            patch.uninstall()

    def start(self) -> None:
        self.install()
        for part in (self.deliveries, self.mappings, self.scheduler, self._ticker):
            part.start()

    def stop(self) -> None:
        """Ends all threads within about a second; deliveries that wait for a retry are dropped."""
        for part in (self._ticker, self.scheduler, self.mappings, self.deliveries):
            part.stop()
        self.uninstall()

    @property
    def ticked(self) -> float:
        """Simulated time up to which metrics were published and alarms evaluated."""
        return self._ticker.done

    @property
    def outbox(self) -> list[Email]:
        """E-mails that topics would have sent."""
        return self.topics.outbox

    def put_event(
        self,
        source: str,
        detail_type: str,
        detail: Mapping[str, Any],
        bus: str = "default",
        resources: Sequence[str] = (),
    ) -> None:
        self.buses.put_event(source, detail_type, detail, bus, resources)

    def put_metric(self, datapoint: Datapoint) -> None:
        self.store.put_metric(datapoint)

    def read_customized(self, specification: Mapping[str, Any], now: float) -> float | None:
        """What a scaling policy with a metric of its own goes by; None: nothing was published."""
        return last_minute(self.store, specification, now)

    def ingest_log_line(self, function_name: str, line: str) -> int:
        """Takes a line of a function's log: its bytes count, and if it is EMF its metrics too."""
        self.metrics.logged(function_name, line)
        for hook in self.on_line:
            hook(line)
        return ingest_line(self.store, line, self._account.clock.time())

    def function_invoked(
        self, function_name: str, duration_ms: float, failed: bool = False, throttled: bool = False
    ) -> None:
        """To be told of every invocation, for AWS/Lambda metrics."""
        self.metrics.invoked(function_name, duration_ms, failed, throttled)

    def act(self, alarm_arn: str, target_arn: str, payload: str) -> None:
        """Carries out an alarm's action in the background."""
        self.deliveries.put(
            Delivery(
                send=lambda attempt: self.targets.send(target_arn, payload, {}),
                body=payload,
                origin_arn=alarm_arn,
                target_arn=target_arn,
                max_retries=3,
            )
        )

    def _rule_matched(self, rule_name: str) -> None:
        for metric in ("MatchedEvents", "TriggeredRules", "Invocations"):
            self.metrics.count("AWS/Events", metric, "RuleName", rule_name)

    def _delivery_failed(self, delivery: Delivery) -> None:
        service = delivery.origin_arn.split(":")[2]
        if service == "events":
            name = delivery.origin_arn.split("/")[-1]
            self.metrics.count("AWS/Events", "FailedInvocations", "RuleName", name)
        elif service == "scheduler":
            group = delivery.origin_arn.split("/")[-2]
            self.metrics.count("AWS/Scheduler", "TargetErrorCount", "ScheduleGroup", group)
