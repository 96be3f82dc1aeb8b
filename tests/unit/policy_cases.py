"""What the policy's tests begin with: a spec, an observation, a moment, and a small closed loop."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from autoscaler.policy import (
    LONGEST_STAY,
    Bounds,
    Decision,
    History,
    Hold,
    Observation,
    Override,
    OverrideKind,
    Pattern,
    Phase,
    ReasonCode,
    Recommendation,
    Transition,
    decide,
    learn,
    remember,
)
from autoscaler.spec import EndpointSpec, parse_spec

NOTHING = History()
NOON = datetime(2026, 5, 13, 12, 0, tzinfo=UTC)  # a Wednesday
MINUTE = timedelta(minutes=1)
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri"]
EVERY_DAY = [*WEEKDAYS, "sat", "sun"]
PEAK = {
    "name": "peak",
    "days": WEEKDAYS,
    "start": "08:00",
    "end": "18:00",
    "min_copies": 1,
    "max_copies": 4,
}


def a_spec(
    *, windows: Iterable[Any] = (), zone: str | None = None, calendar: Any = None, **parts: Any
) -> EndpointSpec:
    """0 to 2 copies, keep-alive 10m; by default one copy works off 192 requests in 2m and shall
    have 8 in flight."""
    fixed: dict[str, Any] = {"max_copies": 2, "keep_alive": "10m"}
    if "serving" not in parts:
        fixed["target_concurrency"] = 8
    return parse_spec(
        {
            "name": "llama",
            "model": {"id": "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"},
            "instances": {"types": ["ml.g6e.xlarge"]},
            "schedule": {"time_zone": zone, "windows": list(windows), "holidays": calendar},
            **parts,
            "scaling": {**fixed, **parts.get("scaling", {})},
        }
    )


def rivals(count: int) -> list[dict[str, Any]]:
    """All open together on every day, each wider than those before it, and none without effect."""
    return [
        {
            "name": f"a-window-with-a-long-name-{n:03}",
            "days": EVERY_DAY,
            "start": _clock(700 - n),
            "end": _clock(721 + n),
            "min_copies": 1 + n % 2,
            "max_copies": 4,
        }
        for n in range(count)
    ]


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def seen(phase: Phase = Phase.AWAKE, **changes: Any) -> Observation:
    """An endpoint in that phase for an hour, idle for 5 minutes; one copy if it has any."""
    copies = 0 if phase is Phase.ASLEEP else 1
    idle = Observation(
        phase=phase,
        phase_since=NOON - timedelta(hours=1),
        desired_copies=copies,
        observed_copies=copies,
        bounds=Bounds(copies, 2),
        backlog=0,
        in_flight=0.0,
        last_active_at=NOON - timedelta(minutes=5),
    )
    return replace(idle, **changes)


def a_hold(copies: int, minutes: float = 60, now: datetime = NOON) -> Hold:
    return Hold(now + timedelta(minutes=minutes), copies, "load test", "anna")


def an_override(kind: OverrideKind, **changes: Any) -> Override:
    """In force for an hour, asked for just now."""
    until = NOON + timedelta(hours=1)
    fields = {"since": NOON, "until": until, "reason": "maintenance", "author": "anna"}
    return Override(kind=kind, **{**fields, **changes})


def recommended(*pairs: tuple[float, int], **more: Any) -> History:
    """Recommendations as (minutes before noon, copies)."""
    ones = (Recommendation(NOON - timedelta(minutes=ago), copies) for ago, copies in pairs)
    return History(recommendations=tuple(ones), **more)


def days_with_requests_at(hour: int, minute: int, days: int = 14) -> Pattern:
    """At that time of each of the days before NOON a burst ended an idle time of hours."""
    pattern = Pattern()
    for day in range(days, 0, -1):
        ended = (NOON - timedelta(days=day)).replace(hour=hour, minute=minute)
        pattern = pattern.with_gap(ended - timedelta(hours=11), ended)
        pattern = pattern.with_burst(ended, 11 * 3600.0, 9_000.0, 200.0)
        pattern = pattern.with_gap(ended + timedelta(hours=1), ended + timedelta(hours=13))
    return pattern


def decided(spec: EndpointSpec, observation: Observation, history: History = NOTHING) -> Decision:
    return decide(spec, observation, history, NOON)


def codes(decision: Decision) -> list[ReasonCode]:
    return [reason.code for reason in decision.reasons]


@dataclass
class Loop:
    """An endpoint that does what is decided, minute by minute, with a fluid queue before it.

    A wake takes 4 minutes, a sleep 2. Application Auto Scaling acts inside the bounds: out at once
    when concurrency is above its target, in after 15 minutes in which fewer copies would do.
    """

    spec: EndpointSpec
    now: datetime
    seconds_per_request: float = 10.0
    usd_per_copy_hour: float | None = None
    phase: Phase = Phase.ASLEEP
    waiting: float = 0.0
    desired: int = 0
    bounds: Bounds = field(default_factory=lambda: Bounds(0, 0))
    history: History = NOTHING
    in_flight: float = 0.0
    arrivals: float = 0.0  # in the last minute
    wakes: int = 0
    low_minutes: int = 0
    events: list[tuple[str, str]] = field(default_factory=list)
    copies: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.since = self.active = self.now

    def minute(self, arrivals: float = 0) -> Decision:
        """Requests arrive and are served for a minute; then the policy looks."""
        self.now += MINUTE
        self.arrivals = arrivals
        self._serve(arrivals)
        self._proceed()
        observation = self.observation()
        self.history = learn(self.history, self.spec, observation, self.now)
        decision = decide(self.spec, observation, self.history, self.now)
        self._act(decision)
        self.history = remember(self.history, decision.recommendation, LONGEST_STAY, self.now)
        self.copies.append(self.desired)
        return decision

    def observation(self) -> Observation:
        serving = self.desired if self.phase is Phase.AWAKE else 0
        return Observation(
            phase=self.phase,
            phase_since=self.since,
            desired_copies=self.desired,
            observed_copies=serving,
            bounds=self.bounds,
            backlog=ceil(self.waiting - 1e-6),
            in_flight=self.in_flight,
            last_active_at=self.active,
            seconds_per_request=self.seconds_per_request,
            wakes_today=self.wakes,
            arrivals_per_second=self.arrivals / 60,
            usd_per_copy_hour=self.usd_per_copy_hour,
        )

    def _serve(self, arrivals: float) -> None:
        self.waiting += arrivals
        slots = self.spec.serving.concurrency_per_copy * self.desired
        slots = slots if self.phase is Phase.AWAKE else 0
        served = min(self.waiting, slots * 60 / self.seconds_per_request)
        self.waiting -= served
        self.in_flight = served * self.seconds_per_request / 60
        if served or self.waiting > 1e-6:
            self.active = self.now

    def _proceed(self) -> None:
        if self.phase is Phase.WAKING and self.now - self.since >= 4 * MINUTE:
            self._enter(Phase.AWAKE)
        elif self.phase is Phase.SLEEPING and self.now - self.since >= 2 * MINUTE:
            self._enter(Phase.ASLEEP)
        elif self.phase is Phase.AWAKE:
            self._track_target()

    def _track_target(self) -> None:
        wanted = ceil(self.in_flight / self.spec.target_concurrency - 1e-9)
        self.low_minutes = self.low_minutes + 1 if wanted < self.desired else 0
        if wanted > self.desired or self.low_minutes >= 15:
            self.desired = wanted
            self.low_minutes = 0
        self.desired = max(self.bounds.min_copies, min(self.desired, self.bounds.max_copies))

    def _act(self, decision: Decision) -> None:
        if decision.transition is Transition.WAKE:
            self.wakes += 1
            self._enter(Phase.WAKING)
        elif decision.transition is Transition.SLEEP:
            self._enter(Phase.SLEEPING)
        elif decision.copies != self.desired:
            self._note(f"{self.desired} to {decision.copies}")
        self.desired, self.bounds = decision.copies, decision.bounds

    def _enter(self, phase: Phase) -> None:
        self.phase, self.since = phase, self.now
        self._note(phase)

    def _note(self, what: str) -> None:
        self.events.append((f"{self.now:%H:%M}", str(what)))
