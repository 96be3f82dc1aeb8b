"""EventBridge buses: events in, rules matched, targets served."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from moto.events import models

from tools.embedded.pump.delivery import Deliveries, Delivery, retry_limits
from tools.embedded.pump.patches import Patches
from tools.embedded.pump.patterns import matches
from tools.embedded.pump.targets import Targets
from tools.embedded.pump.transform import target_payload
from tools.embedded.pump.view import AccountView

MAX_ENTRIES = 10


class Buses:
    """Replaces moto's PutEvents while installed. Implements types.EventSink."""

    def __init__(self, account: AccountView, targets: Targets, deliveries: Deliveries) -> None:
        self._account = account
        self._targets = targets
        self._deliveries = deliveries
        self._patches = Patches()
        self.matched: Callable[[str], None] = lambda rule_name: None

    def install(self) -> None:
        self._patches.set_time(models, self._account.clock)
        self._patches.set(models.EventsBackend, "put_events", _put_events_with(self))

    def uninstall(self) -> None:
        self._patches.restore()

    def put_event(
        self,
        source: str,
        detail_type: str,
        detail: Mapping[str, Any],
        bus: str = "default",
        resources: Sequence[str] = (),
    ) -> None:
        """An event of AWS's own or of the account's; `bus` is a name or an ARN."""
        self.publish(self.envelope(source, detail_type, dict(detail), list(resources)), bus)

    def envelope(
        self,
        source: str,
        detail_type: str,
        detail: Any,
        resources: Sequence[str] = (),
        moment: float | None = None,
    ) -> dict[str, Any]:
        when = self._account.clock.time() if moment is None else moment
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": self._account.account_id,
            "time": datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self._account.region,
            "resources": list(resources),
            "detail": detail,
        }

    def publish(self, event: dict[str, Any], bus: str) -> None:
        """Gives an event to every enabled rule of a bus whose pattern matches."""
        backend = models.events_backends[self._account.account_id][self._account.region]
        found = backend.event_buses.get(bus.split("event-bus/")[-1])
        for rule in list(found.rules.values()) if found else []:
            pattern = rule.event_pattern.get_pattern()
            if rule.state != "ENABLED" or not pattern or not matches(pattern, event):
                continue
            if rule.managed_by:  # an archive's own rule: moto stores the event
                rule.send_to_targets({**event, "ingestion-time": self._account.clock.time()})
                continue
            self.matched(rule.name)
            for target in list(rule.targets):
                self.send_to_target(rule.arn, target, event)

    def send_to_target(
        self, rule_arn: str, target: Mapping[str, Any], event: Mapping[str, Any]
    ) -> None:
        payload = target_payload(target, event, rule_arn)
        arn = target["Arn"]
        self._deliveries.put(
            Delivery(
                send=lambda attempt: self._targets.send(arn, payload, target),
                body=payload,
                origin_arn=rule_arn,
                target_arn=arn,
                dead_letter_attributes={"RULE_ARN": rule_arn},
                **retry_limits(target),
            )
        )

    def accept(self, entry: Mapping[str, Any], known: Callable[[str], bool]) -> dict[str, str]:
        """One entry of PutEvents: an event id, or an error code and message."""
        for member in ("Source", "DetailType", "Detail"):
            if not entry.get(member):
                return {
                    "ErrorCode": "InvalidArgument",
                    "ErrorMessage": f"Parameter {member} is not valid. "
                    f"Reason: {member} is a required argument.",
                }
        try:
            detail = json.loads(entry["Detail"])
        except ValueError:
            detail = None
        if not isinstance(detail, dict):
            return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        event = self.envelope(
            entry["Source"],
            entry["DetailType"],
            detail,
            entry.get("Resources") or (),
            _epoch(entry.get("Time")),
        )
        bus = entry.get("EventBusName") or "default"
        if known(bus):
            self.publish(event, bus)
        return {"EventId": event["id"]}


def _put_events_with(buses: Buses) -> Any:
    def put_events(backend: Any, events: list[dict[str, Any]]) -> list[dict[str, str]]:
        if len(events) > MAX_ENTRIES:
            raise models.ValidationException(
                "1 validation error detected: Value '[PutEventsRequestEntry]' at 'entries' failed "
                "to satisfy constraint: Member must have length less than or equal to 10"
            )

        def known(bus: str) -> bool:
            return bus.split("event-bus/")[-1] in backend.event_buses

        return [buses.accept(entry, known) for entry in events]

    return put_events


def _epoch(value: Any) -> float | None:
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, datetime):
        return value.timestamp()
    return datetime.fromisoformat(str(value).replace("Z", "+00:00")).timestamp()
