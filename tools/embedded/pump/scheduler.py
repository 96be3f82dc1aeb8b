"""Fires EventBridge Scheduler's schedules and EventBridge's scheduled rules.

When the clock jumps over several firings of one schedule, the last of them is fired, once.
A rate schedule without a start date fires at once (so AWS documents it); a rate *rule* fires
first one period after it was made.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tools.embedded.pump.buses import Buses
from tools.embedded.pump.cron import CronError
from tools.embedded.pump.delivery import Deliveries, Delivery, DeliveryError, as_text, retry_limits
from tools.embedded.pump.expressions import Timetable, parse_expression, parse_zone
from tools.embedded.pump.patches import Patches
from tools.embedded.pump.signals import Signal, raising, wall_seconds_until
from tools.embedded.pump.targets import Targets
from tools.embedded.pump.view import AccountView

log = logging.getLogger(__name__)

# An at() this much in the past when it is made still fires; an older one never does. At 120 times
# the wall's speed five minutes are 2.5 s, which a busy machine may need to make a schedule.
LATE_SECONDS = 300.0


@dataclass(frozen=True)
class Entry:
    """One schedule or scheduled rule as it stands; equality says whether it was changed."""

    key: str
    expression: str
    zone: str
    start: float | None
    end: float | None
    fires_at_once: bool
    changed: float


@dataclass
class Clockwork:
    """Where an entry stands."""

    entry: Entry
    timetable: Timetable
    anchor: float
    due: float | None


class Scheduler:
    """One thread that waits for the next firing."""

    def __init__(
        self, account: AccountView, buses: Buses, targets: Targets, deliveries: Deliveries
    ) -> None:
        self._account = account
        self._buses = buses
        self._targets = targets
        self._deliveries = deliveries
        self._patches = Patches()
        self._signal = Signal()
        self._stop = threading.Event()
        self._works: dict[str, Clockwork] = {}
        self._refused: set[Entry] = set()
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        from moto.events.models import EventsBackend
        from moto.scheduler import models

        self._patches.set_time(models, self._account.clock)
        for name in ("create_schedule", "update_schedule"):
            backend = models.EventBridgeSchedulerBackend
            setattr(backend, name, _checked(self._patches.set(backend, name, None)))
        for owner, name in (
            (models.EventBridgeSchedulerBackend, "create_schedule"),
            (models.EventBridgeSchedulerBackend, "update_schedule"),
            (EventsBackend, "put_rule"),
            (EventsBackend, "enable_rule"),
        ):
            original = self._patches.set(owner, name, None)
            setattr(owner, name, raising(self._signal, original))
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._signal.raise_()
        self._patches.restore()
        self._thread.join(0.5)

    def _run(self) -> None:
        while not self._stop.is_set():
            seen = self._signal.count
            try:
                due = self._look()
            except Exception:  # one bad schedule must not stop the others for good
                log.exception("the scheduler stumbled")
                due = None
            self._signal.wait(seen, wall_seconds_until(self._account.clock, due))

    def _look(self) -> float | None:
        """Fires what is due; returns when to look again."""
        now = self._account.clock.time()
        present: set[str] = set()
        for entry, fire in self._entries():
            work = self._work(entry, now)
            present.add(entry.key)
            if work is not None and work.due is not None and work.due <= now:
                self._fire(work, now, fire)
        for key in self._works.keys() - present:
            del self._works[key]
        return min((w.due for w in self._works.values() if w.due is not None), default=None)

    def _work(self, entry: Entry, now: float) -> Clockwork | None:
        work = self._works.get(entry.key)
        if work is not None and work.entry == entry:
            return work
        try:
            timetable = parse_expression(entry.expression, entry.zone)
        except CronError as error:
            if entry not in self._refused:
                log.warning("%s: %s", entry.key, error)
                self._refused.add(entry)
            return None
        anchor = entry.start if entry.start is not None else entry.changed
        if timetable.rate_seconds and entry.fires_at_once:
            anchor -= timetable.rate_seconds
        since = now
        if timetable.once is not None:
            since = min(now, entry.changed) - LATE_SECONDS
        elif timetable.rate_seconds and now - entry.changed < LATE_SECONDS:
            since = min(now, entry.changed) - 1e-3
        work = Clockwork(entry, timetable, anchor, None)
        work.due = self._next(work, max(since, (entry.start or 0.0) - 1e-3))
        self._works[entry.key] = work
        return work

    @staticmethod
    def _next(work: Clockwork, moment: float) -> float | None:
        due = work.timetable.next_after(moment, work.anchor)
        end = work.entry.end
        return None if due is None or (end is not None and due > end) else due

    def _fire(self, work: Clockwork, now: float, fire: Callable[[float, bool], None]) -> None:
        assert work.due is not None
        limit = now if work.entry.end is None else min(now, work.entry.end)
        scheduled = work.timetable.last_until(work.due, limit, work.anchor)
        work.due = self._next(work, now)
        fire(scheduled, work.due is None)

    def _entries(self) -> Iterator[tuple[Entry, Callable[[float, bool], None]]]:
        from moto.events.models import events_backends
        from moto.scheduler.models import scheduler_backends

        where = self._account.account_id, self._account.region
        for group in list(scheduler_backends[where[0]][where[1]].schedule_groups.values()):
            for schedule in list(group.schedules.values()):
                if schedule.state == "ENABLED":
                    yield _schedule_entry(schedule), self._schedule_firing(group, schedule)
        for bus in list(events_backends[where[0]][where[1]].event_buses.values()):
            for rule in list(bus.rules.values()):
                if rule.scheduled_expression and rule.state == "ENABLED":
                    yield self._rule_entry(rule), self._rule_firing(rule)

    def _rule_entry(self, rule: Any) -> Entry:
        made = rule.__dict__.setdefault("_pump_made", self._account.clock.time())
        return Entry(rule.arn, rule.scheduled_expression, "UTC", None, None, False, made)

    def _rule_firing(self, rule: Any) -> Callable[[float, bool], None]:
        def fire(scheduled: float, last: bool) -> None:
            event = self._buses.envelope("aws.events", "Scheduled Event", {}, [rule.arn], scheduled)
            self._buses.matched(rule.name)
            for target in list(rule.targets):
                self._buses.send_to_target(rule.arn, target, event)

        return fire

    def _schedule_firing(self, group: Any, schedule: Any) -> Callable[[float, bool], None]:
        def fire(scheduled: float, last: bool) -> None:
            self._send(schedule, scheduled)
            if last and schedule.action_after_completion == "DELETE":
                group.schedules.pop(schedule.name, None)

        return fire

    def _send(self, schedule: Any, scheduled: float) -> None:
        target = schedule.target
        event = self._buses.envelope(
            "aws.scheduler", "Scheduled Event", "{}", [schedule.arn], scheduled
        )
        text = as_text(event if target.get("Input") is None else target["Input"])
        payload = _with_context(text, schedule.arn, scheduled)

        def send(attempt: int) -> None:
            body = payload.replace("<aws.scheduler.attempt-number>", str(attempt))
            if refused := self._refused_by_role(target, target["Arn"]):
                raise DeliveryError("AccessDeniedException", refused)
            self._targets.send(target["Arn"], body, target)

        self._deliveries.put(
            Delivery(
                send=send,
                body=payload,
                origin_arn=schedule.arn,
                target_arn=target["Arn"],
                dead_letter_attributes={"SCHEDULE_ARN": schedule.arn},
                may_bury=lambda queue: self._refused_by_role(target, queue) is None,
                **retry_limits(target),
            )
        )

    def _refused_by_role(self, target: Mapping[str, Any], arn: str) -> str | None:
        """Why the schedule's role may not send to an ARN, where roles are enforced."""
        acting = getattr(self._account, "acting", None)
        refused: str | None = acting.schedule(target["RoleArn"], arn) if acting else None
        return refused


def _checked(original: Any) -> Any:
    """Creates or updates a schedule, if EventBridge Scheduler could ever fire it."""
    from moto.scheduler.exceptions import ValidationException

    def change(*args: Any, **kwargs: Any) -> Any:
        expression = kwargs["schedule_expression"]
        try:
            parse_zone(kwargs.get("schedule_expression_timezone"))
        except CronError as wrong:
            raise ValidationException(f"Invalid ScheduleExpressionTimezone: {wrong}") from None
        try:
            parse_expression(expression)
        except CronError as wrong:
            raise ValidationException(
                f"Invalid Schedule Expression {expression}. {wrong}"
            ) from None
        return original(*args, **kwargs)

    return change


def _with_context(text: str, schedule_arn: str, scheduled: float) -> str:
    moment = datetime.fromtimestamp(scheduled, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    context: Mapping[str, str] = {
        "schedule-arn": schedule_arn,
        "scheduled-time": moment,
        "execution-id": str(uuid.uuid4()),
    }
    for name, value in context.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def _schedule_entry(schedule: Any) -> Entry:
    return Entry(
        schedule.arn,
        schedule.schedule_expression,
        schedule.schedule_expression_timezone or "UTC",
        _moment(schedule.start_date),
        _moment(schedule.end_date),
        True,
        float(schedule.last_modified_date),
    )


def _moment(value: Any) -> float | None:
    """A start or end date as moto keeps it: epoch seconds from the API, text from a template."""
    if value is None or value == "":
        return None
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, datetime):
        return value.timestamp()
    return datetime.fromisoformat(str(value).replace("Z", "+00:00")).timestamp()
