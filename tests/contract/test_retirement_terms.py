"""What a retirement waits for before it deletes, and what may not be deleted before it is over."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from tests.contract.test_deadlines import condition, context, evaluated
from tests.contract.test_statemachines import ROOT, machine, template
from tools.embedded.kernel.intrinsics import references
from tools.embedded.kernel.stack import load

LIMITS = {"DrainSeconds": 1860}
# Where messages are: seen by nobody, in somebody's hands, sent for later.
COUNTS = {
    "ApproximateNumberOfMessages": "1",
    "ApproximateNumberOfMessagesNotVisible": "20",
    "ApproximateNumberOfMessagesDelayed": "300",
}
LOOKS = ("LookAtQueue", "LookAtLaterQueue")
CLOSED = "2026-11-24T12:00:00.000Z"


def states() -> dict[str, Any]:
    return machine(ROOT / "statemachines" / "retire_endpoint.asl.yaml")["States"]


def looks() -> dict[str, Any]:
    """Every state of the machine that reads a queue's attributes."""
    return {
        name: state
        for name, state in states().items()
        if state.get("Resource", "").endswith(":sqs:getQueueAttributes")
    }


def test_both_queues_are_looked_at() -> None:
    asked = {name: state["Arguments"]["QueueUrl"] for name, state in looks().items()}
    assert asked == dict(zip(LOOKS, ("{% $queue %}", "{% $later %}"), strict=True))


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_at_a_queue_counts_its_messages_wherever_they_are(name: str) -> None:
    """One that a dispatcher has in hands, or puts off, would be deleted unanswered."""
    assert sorted(looks()[name]["Arguments"]["AttributeNames"]) == sorted(COUNTS)


def test_what_waits_is_the_sum_of_all_counts_of_both_queues() -> None:
    result = {"states": {"result": {"Attributes": COUNTS}}}
    first, second = (looks()[name]["Assign"]["waiting"] for name in LOOKS)
    waiting = evaluated(first, LIMITS, **result)
    assert waiting == 321
    assert evaluated(second, LIMITS, waiting=waiting, **result) == 642


def rule_of(name: str, **given: Any) -> dict[str, Any]:
    """The first of a Choice that holds; none: where it goes otherwise."""
    for rule in states()[name]["Choices"]:
        if evaluated(condition(rule), LIMITS, **given):
            return dict(rule)
    return {"Next": states()[name]["Default"]}


def is_empty(waiting: int, seconds: float, read: bool, **other: Any) -> dict[str, Any]:
    """So many seconds after the queue was closed; of a queue for later nothing is there."""
    given = {"states": context(seconds), "closed": CLOSED, "waiting": waiting, "read": read}
    return rule_of("IsEmpty", **{"queue": "url", "later": "", "laterRead": False, **given, **other})


@pytest.mark.parametrize(
    ("waiting", "seconds", "read", "then"),
    [
        (0, 0, True, "WaitForAnswers"),
        (0, 59, True, "WaitForAnswers"),  # SQS may let somebody in, or not count a message yet
        (0, 59, False, "WaitForAnswers"),
        (0, 60, True, "FindLaterMapping"),
        (0, 60, False, "FindLaterMapping"),
        (1, 0, False, "FindReader"),  # or nobody would ever answer
        (1, 60, True, "WaitForAnswers"),
        (1, LIMITS["DrainSeconds"] - 1, True, "WaitForAnswers"),
        (1, LIMITS["DrainSeconds"], True, "LookAtWish"),
    ],
)
def test_an_empty_queue_goes_a_minute_after_it_was_closed_and_no_other_unasked(
    waiting: int, seconds: float, read: bool, then: str
) -> None:
    assert is_empty(waiting, seconds, read)["Next"] == then


def test_nobody_is_looked_for_to_read_a_queue_that_is_gone() -> None:
    assert is_empty(1, 0, read=False, queue="")["Next"] == "WaitForAnswers"


@pytest.mark.parametrize(
    ("found", "which"),
    [
        ({"read": False, "laterRead": False}, ""),
        ({"read": True, "laterRead": False}, "-later"),
        ({"read": True, "laterRead": True}, None),
        ({"read": False, "laterRead": False, "queue": ""}, "-later"),  # somebody deleted it by hand
    ],
)
def test_of_each_queue_that_is_there_a_reader_is_looked_for_and_made(
    found: dict[str, Any], which: str | None
) -> None:
    """One look after the other: of the queue for later a reader need not be there either."""
    given = {"queue": "url", "later": "url", **found}
    rule = is_empty(1, 0, **given)
    assert (rule["Next"], rule.get("Assign", {}).get("which")) == (
        ("WaitForAnswers", None) if which is None else ("FindReader", which)
    )
    if which is not None:
        assert rule_of("HasReader", mapped=False)["Next"] == "LookAtWish"
        assert rule_of("MayDiscard", discard=False, **given)["Next"] == "MapQueue"
        for read in (rule_of("HasReader", mapped=True), states()["MapQueue"]):
            known = {n: evaluated(t, {}, which=which, **found) for n, t in read["Assign"].items()}
            assert known == {**{n: found[n] for n in known}, "laterRead" if which else "read": True}
            assert read["Next"] == "WaitForAnswers"
    arn = "{% '${QueueArnPrefix}' & $component & $which %}"
    assert states()["FindReader"]["Arguments"]["EventSourceArn"] == arn
    assert states()["MapQueue"]["Arguments"]["EventSourceArn"] == arn


def test_what_is_read_and_stays_all_the_same_fails_and_is_told() -> None:
    read = {"read": True, "laterRead": True, "queue": "url", "later": "url"}
    assert rule_of("MayDiscard", discard=False, **read)["Next"] == "Failed"


def test_the_minute_begins_when_the_last_queue_is_closed() -> None:
    setting = [name for name, state in states().items() if "closed" in state.get("Assign", {})]
    assert setting == ["CloseQueue", "CloseLaterQueue"]
    entered = context(7)
    for name in setting:
        closed = evaluated(states()[name]["Assign"]["closed"], LIMITS, states=entered)
        assert closed == entered["context"]["State"]["EnteredTime"]


@pytest.mark.parametrize(
    ("queue", "later", "then"),
    [
        ("url", "url", "LookAtQueue"),
        ("url", "", "LookAtQueue"),
        ("", "url", "LookAtLaterQueue"),  # somebody deleted the other one by hand
        ("", "", "FindLaterMapping"),
    ],
)
def test_whichever_queue_is_there_is_looked_at(queue: str, later: str, then: str) -> None:
    state = states()["IsThereAQueue"]
    rules = [
        str(rule["Next"])
        for rule in state["Choices"]
        if evaluated(condition(rule), LIMITS, queue=queue, later=later)
    ]
    assert [*rules, state["Default"]][0] == then


# What a retirement of a stack needs to its end, and why.
NEEDED = {
    "AcceptCommandFunction": "orders each removal",
    "AnswerStackFunction": "tells CloudFormation that it is over",
    "CheckNamesFunction": "says what is not ours",
    "DispatchRequestsFunction": "refuses what waits",
    "GuardSleepFunction": "of sleeps under way",
    "RecordPhaseFunction": "forgets the endpoint",
    "ReconcileFunction": "goes on with what was ended",
    "RemoveWeightsFunction": "if that was asked for",
    "PlanDeploymentFunction": "lists what is there",
    "RetireStackFunction": "begins it",
    "TickSchedule": "calls reconcile",
    "ScheduleRole": "may call it",
    "RetireStackMachine": "waits for all endpoints",
    "RetireEndpointMachine": "removes one",
    "RemoveCapacityMachine": "removes what bills",
    "RetireStackRole": "of the first machine",
    "FlowRole": "of the others",
    "FlowStepsPolicy": "what they may do",
    "FlowQueuesPolicy": "what they may do",
    "EndpointRole": "SageMaker's, as long as there are instances",
    "Table": "knows the endpoints",
    "LeaveAddress": "keeps the address of CloudFormation apart",
    "UseKey": "reads what is encrypted",
}


@cache
def stood_on() -> frozenset[str]:
    """Whatever CloudFormation deletes after the retirement: what it stands on, and they in turn."""
    resources = load(ROOT / "template.yaml")["Resources"]
    found, todo = set(), ["Retirement"]
    while todo:
        resource = resources[todo.pop()]
        explicit = resource.get("DependsOn", [])
        named = {explicit} if isinstance(explicit, str) else set(explicit)
        said = [resource.get("Properties", {}), resource.get("Metadata", {})]
        new = (references(said, set(resources)) | named) - found
        found |= new
        todo += new
    return frozenset(found)


@pytest.mark.parametrize("name", NEEDED)
def test_what_a_retirement_needs_is_deleted_after_it(name: str) -> None:
    assert name in stood_on(), NEEDED[name]


def test_a_retirement_names_whom_it_needs_and_not_only_by_way_of_others() -> None:
    """All that nothing else of it names for certain: references come and go with their reasons."""
    named = template()["Resources"]["Retirement"]["DependsOn"]
    by_reference = {
        "PlanDeploymentFunction", "RetireStackFunction", "FlowStepsPolicy", "FlowQueuesPolicy",
        "EndpointRole", "Table", "UseKey",
    }  # fmt: skip
    assert set(named) == NEEDED.keys() - by_reference
    assert len(named) == len(set(named))
