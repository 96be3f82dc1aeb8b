"""What every state of a state machine has to keep to, and what is wrong with those that do not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

State = Mapping[str, Any]
States = Mapping[str, State]

# Names that stand for a refusal, or under which a service sends refusals and throttles alike: the
# machine looks at the cause of such a one before it tries again.
_HOPELESS = re.compile(
    r"States\.(ALL|TaskFailed|Permissions|Runtime)|ValidationException|AccessDenied|LimitExceeded$"
    r"|ResourceLimitExceeded|InvalidParameterValue|DeniedError|RefusedError|LimitError|DoesNotFit"
    r"|SageMaker\.SageMakerException|Sqs\.SqsException|CloudWatch\.CloudWatchException"
    r"|CloudWatchLogs\.CloudWatchLogsException"
    r"|ApplicationAutoScaling\.ApplicationAutoScalingException|Lambda\.LambdaException"
)
# States.Timeout may come without a cause, and an expression that yields nothing ends the execution.
_BARE = re.compile(r"(?<!\{ 'Cause': '' \}, )\$states\.errorOutput(?!\.Error| : \{\})")
_NO_QUEUE = "Sqs.QueueDoesNotExistException"
_CHANCE = re.compile(r"\$uuid|\$random|\$millis|\$now|EnteredTime")
_SDK = re.compile(r":aws-sdk:(\w+):")
# Its throttles have names of their own, so that no cause has to be read.
_NAMES_ITS_THROTTLES = frozenset({"dynamodb"})
# A large file is staged by one invocation after the other, up to a quarter of an hour each.
_WORKS_ON = frozenset({"StageFile"})
LONGEST_BETWEEN_LOOKS = 34  # seconds of WaitOutTrouble


def wrong_with(states: States, timeouts: Mapping[str, int]) -> list[str]:
    """Sentences that begin with a state's name; `timeouts`: of each nested machine, by the name of
    the substitution that holds its ARN."""
    found = [f"{name}: {what}" for name, state in states.items() for what in _of(name, state)]
    for name, state in states.items():
        if state["Type"] == "Task":
            found += [f"{name}: {what}" for what in _nested(state, timeouts)]
            if not _comes_back(name, state, states):
                found.append(f"{name}: a throttle without a name of its own is not tried again")
    found += [f"{name}: goes round without a Wait" for name in _restless(states)]
    return found


def _of(name: str, state: State) -> Iterator[str]:
    if state["Type"] == "Wait":
        yield from _wait(name, state)
    if state["Type"] != "Task":
        return
    for field in ("Retry", "Catch", "TimeoutSeconds"):
        if not state.get(field):
            yield f"lacks {field}"
    for rule in state.get("Retry", ()):
        yield from _retrier(rule)
    if _BARE.search(str([(r.get("Assign"), r.get("Output")) for r in state.get("Catch", ())])):
        yield "hopes that an error has a cause"
    yield from _answers(state)
    if "HeartbeatSeconds" in state and "waitForTaskToken" not in state["Resource"]:
        yield "has a heartbeat that nobody beats: Step Functions would end it"


def _answers(state: State) -> Iterator[str]:
    """What it makes of no answer, and of what it catches."""
    names = [error for rule in state.get("Retry", ()) for error in rule["ErrorEquals"]]
    if not any(error.endswith(".SdkClientException") for error in names):
        yield "does not try again when an answer is lost"
    caught = {error for rule in state.get("Catch", ()) for error in rule["ErrorEquals"]}
    if _NO_QUEUE in caught and _NO_QUEUE not in names:
        yield "believes the first word that there is no queue: requests may lie in it"
    if state.get("Catch") and state["Catch"][-1]["ErrorEquals"] != ["States.ALL"]:
        yield "does not catch everything"


def _retrier(rule: Mapping[str, Any]) -> Iterator[str]:
    if rule.get("MaxAttempts") == 0:
        return
    for error in rule["ErrorEquals"]:
        if _HOPELESS.search(error):
            yield f"tries {error} again, which will not get better"
    if "IntervalSeconds" not in rule or "BackoffRate" not in rule or "MaxAttempts" not in rule:
        yield "tries again without saying how often and how fast"


def _wait(name: str, state: State) -> Iterator[str]:
    """The heartbeat of a long wait: somebody looks again soon."""
    seconds = str(state.get("Seconds", ""))
    told = "wait_seconds" in seconds  # by the Hub, and counted
    if not ("PollSeconds" in seconds or "$min([30," in seconds or told or seconds.isdigit()):
        yield f"waits {seconds!r}: nobody knows how long"


def _nested(state: State, timeouts: Mapping[str, int]) -> Iterator[str]:
    if "states:startExecution" not in state["Resource"]:
        return
    given = state["Arguments"]
    name = str(given.get("Name", ""))
    if "$endpoint" not in name or "$generation" not in name or _CHANCE.search(name):
        yield "starts an execution that is not named from the generation"
    own = timeouts[str(given["StateMachineArn"]).strip("${}")]
    if state.get("TimeoutSeconds", 0) <= own:
        yield f"gives up before its execution, which may take {own} s"


def targets(state: State) -> list[str]:
    nexts = [state.get("Next"), state.get("Default")]
    nexts += [rule["Next"] for rule in (*state.get("Choices", ()), *state.get("Catch", ()))]
    return [name for name in nexts if name]


def _comes_back(name: str, state: State, states: States) -> bool:
    """Whether what is caught can lead to the same call again, by way of a look at its cause."""
    service = _SDK.search(state["Resource"])
    if service is None or service[1] in _NAMES_ITS_THROTTLES or not state.get("Catch"):
        return True
    seen, todo = set(), [state["Catch"][-1]["Next"]]
    while todo:
        one = todo.pop()
        if one == name:
            return True
        if one not in seen:
            seen.add(one)
            todo += targets(states[one])
    return False


def _restless(states: States) -> list[str]:
    """States on a circle in which nobody waits."""
    moving = {
        name: [t for t in targets(state) if states[t]["Type"] != "Wait"]
        for name, state in states.items()
        if state["Type"] != "Wait" and name not in _WORKS_ON
    }
    return sorted(name for name in moving if name in _beyond(name, moving))


def _beyond(name: str, moving: Mapping[str, list[str]]) -> set[str]:
    """What can be reached from a state without waiting."""
    seen: set[str] = set()
    todo = list(moving[name])
    while todo:
        one = todo.pop()
        if one not in seen:
            seen.add(one)
            todo += moving.get(one, [])
    return seen
