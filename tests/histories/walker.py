"""Walks a state machine one task at a time, so that a test decides who takes the next step.

Of the States Language it has what our machines use and refuses the rest. Retries wait the whole of
their interval: a machine that is unlucky with its jitter.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from tests.histories.expressions import QueryError, evaluated

State = Mapping[str, Any]
Variables = dict[str, Any]
Steps = Generator[float, None, Any]  # yields when it goes on: simulated epoch seconds

_KNOWN = {
    "Type", "Resource", "Arguments", "Assign", "Output", "TimeoutSeconds", "Retry", "Catch", "Next",
    "End", "Choices", "Default", "Seconds", "Error", "Cause", "Items", "MaxConcurrency",
    "ItemProcessor", "ItemSelector", "Label", "Comment",
}  # fmt: skip


class Failure(Exception):
    """A state failed, by the name that Catch and Retry know."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(f"{error}: {cause}")
        self.error, self.cause = error, cause


class Tasks(Protocol):
    """What carries a Task out."""

    def now(self) -> float: ...

    def task(self, execution: Execution, resource: str, arguments: Any) -> Steps:
        """The result; yields while it waits. Raises Failure."""


@dataclass
class Execution:
    """One execution; `step` goes on until the next task is about to be carried out."""

    arn: str
    name: str
    flow: str
    definition: State
    input: Any
    started: float
    tasks: Tasks
    status: str = "RUNNING"
    output: Any = None
    error: str = ""
    cause: str = ""
    due: float = 0.0
    path: list[str] = field(default_factory=list)  # the states that it was in
    _working: bool = False  # at this moment, in `step`

    def __post_init__(self) -> None:
        self.due, self._steps = self.started, self._run()

    @property
    def running(self) -> bool:
        return self.status == "RUNNING"

    def step(self) -> None:
        """One task, or one wait; the execution may be over then."""
        limit = self.definition.get("TimeoutSeconds")
        if limit is not None and self.tasks.now() - self.started > limit:
            self._ends("TIMED_OUT", "States.Timeout", "the execution took too long")
            return
        self._working = True
        try:
            self.due = next(self._steps)
        except StopIteration as over:
            if self.running:
                self.status, self.output = "SUCCEEDED", over.value
        except Failure as failure:
            if self.running:
                self._ends("FAILED", failure.error, failure.cause)
        finally:
            self._working = False
        if not self.running:
            self._steps.close()

    def stop(self, error: str, cause: str) -> None:
        """Also by a function that it waits for, which works on to its own end."""
        self._ends("ABORTED", error, cause)

    def _ends(self, status: str, error: str, cause: str) -> None:
        self.status, self.error, self.cause = status, error, cause
        if not self._working:
            self._steps.close()

    def _run(self) -> Steps:
        context = {"Execution": {"Id": self.arn, "StartTime": _iso(self.started)}}
        return (yield from self._states(self.definition, self.input, {}, context))

    def _states(
        self, scope: State, given: Any, variables: Variables, context: Mapping[str, Any]
    ) -> Steps:
        name = scope["StartAt"]
        while True:
            state = scope["States"][name]
            if unknown := set(state) - _KNOWN:
                raise NotImplementedError(f"{self.flow}.{name} has {unknown}")
            self.path.append(name)
            here = {**context, "State": {"Name": name, "EnteredTime": _iso(self.tasks.now())}}
            work = _Work(self, name, state, given, variables, here)
            given, following = yield from work.done()
            if following is None:
                return given
            name = following


@dataclass
class _Work:
    """One state at work."""

    execution: Execution
    name: str
    state: State
    input: Any
    variables: Variables
    context: Mapping[str, Any]

    def done(self) -> Generator[float, None, tuple[Any, str | None]]:
        """What goes on, and where."""
        kind = self.state["Type"]
        if kind == "Choice":
            return self._choice()
        if kind == "Fail":
            raise Failure(self._value(self.state["Error"]), self._value(self.state["Cause"]))
        if kind == "Succeed":
            return self._output(self.input), None
        if kind == "Wait":
            yield self.execution.tasks.now() + float(self._value(self.state["Seconds"]))
            return self._left(self.input)
        if kind == "Pass":
            return self._left(self.input)
        if kind in ("Task", "Map"):
            return (yield from self._tried())
        raise NotImplementedError(f"{self.execution.flow}.{self.name} is a {kind}")

    def _choice(self) -> tuple[Any, str]:
        for rule in self.state["Choices"]:
            if self._value(rule["Condition"]) is True:
                self._assign(rule, {})
                return self._output_of(rule, self.input), rule["Next"]
        return self.input, self.state["Default"]

    def _tried(self) -> Generator[float, None, tuple[Any, str | None]]:
        tries: dict[int, int] = {}
        while True:
            try:
                return (yield from self._once())
            except QueryError as wrong:
                failure = Failure("States.QueryEvaluationError", str(wrong))
            except Failure as failed:
                failure = failed
            pause = self._pause(failure, tries)
            if pause is None:
                return self._caught(failure)
            yield self.execution.tasks.now() + pause

    def _once(self) -> Generator[float, None, tuple[Any, str | None]]:
        if self.state["Type"] == "Map":
            result: Any = yield from self._items()
        else:
            arguments = self._value(self.state.get("Arguments", {}))
            yield self.execution.tasks.now()
            tasks = self.execution.tasks
            result = yield from tasks.task(self.execution, self.state["Resource"], arguments)
        return self._left(result, {"result": result})

    def _items(self) -> Steps:
        """One after the other: what ours do side by side does not touch one another."""
        results = []
        for index, item in enumerate(self._value(self.state["Items"])):
            context = {**self.context, "Map": {"Item": {"Index": index, "Value": item}}}
            given = item
            if "ItemSelector" in self.state:
                here = {**self.variables, "states": {"input": self.input, "context": context}}
                given = evaluated(self.state["ItemSelector"], here)
            inside = self.state["ItemProcessor"]
            results.append(
                (yield from self.execution._states(inside, given, dict(self.variables), context))
            )
        return results

    def _pause(self, failure: Failure, tries: dict[int, int]) -> float | None:
        """Seconds until it is tried again; None: it is not."""
        for number, rule in enumerate(self.state.get("Retry", ())):
            if not _matches(rule, failure):
                continue
            done = tries.get(number, 0)
            if done >= rule.get("MaxAttempts", 3):
                return None
            tries[number] = done + 1
            pause = rule.get("IntervalSeconds", 1) * rule.get("BackoffRate", 2) ** done
            return float(min(pause, rule.get("MaxDelaySeconds", pause)))
        return None

    def _caught(self, failure: Failure) -> tuple[Any, str]:
        told = {"Error": failure.error, "Cause": failure.cause}
        for rule in self.state.get("Catch", ()):
            if _matches(rule, failure):
                more = {"errorOutput": told}
                self._assign(rule, more)
                return self._output_of(rule, told, more), rule["Next"]
        raise failure

    def _left(self, output: Any, more: Mapping[str, Any] | None = None) -> tuple[Any, str | None]:
        found = self._output_of(self.state, output, more or {})
        self._assign(self.state, more or {})
        return found, None if self.state.get("End") else self.state["Next"]

    def _output(self, output: Any) -> Any:
        return self._output_of(self.state, output)

    def _output_of(self, rule: State, otherwise: Any, more: Mapping[str, Any] | None = None) -> Any:
        return self._value(rule["Output"], more) if "Output" in rule else otherwise

    def _assign(self, rule: State, more: Mapping[str, Any]) -> None:
        if "Assign" in rule:
            self.variables.update(self._value(rule["Assign"], more))

    def _value(self, template: Any, more: Mapping[str, Any] | None = None) -> Any:
        states = {"input": self.input, "context": self.context, **(more or {})}
        return evaluated(template, {**self.variables, "states": states})


def _matches(rule: State, failure: Failure) -> bool:
    names = rule["ErrorEquals"]
    return failure.error in names or "States.ALL" in names


def _iso(moment: float) -> str:
    return (
        datetime.fromtimestamp(moment, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )
