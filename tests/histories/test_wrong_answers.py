"""AWS says once that a thing is there, or is not, and is wrong: what follows is put right."""

from __future__ import annotations

import pytest

from tests.histories.drive import Score, calls_of, cases_of, drive
from tests.histories.faults import Fault
from tests.histories.forks import in_copy
from tests.histories.gateway import TICKET
from tests.histories.scenarios import ALL, DELETE, REALTIME, Scenario
from tests.histories.unanswered import KEPT, UNREAD
from tests.histories.whole_stack import RETIREMENT_IN_TIME, SWEEP
from tests.histories.world import World

(APPLY,) = (one for one in ALL if one.name == "apply")
(APPLY_REALTIME,) = (one for one in REALTIME if one.name == "apply (realtime)")
(UPDATE_REALTIME,) = (one for one in REALTIME if one.name == "update (realtime)")
MACHINE = "machine create-capacity"
RETIRE = "machine retire-endpoint"

# The actor, what it calls, how often at least, and what nobody would look at again.
WRONG = [
    # what is removed last: both mappings, a config, a model
    (DELETE, Fault.NOT_FOUND, "machine re", "lambda:DeleteEventSourceMapping", 2),
    (DELETE, Fault.NOT_FOUND, "machine re", "sagemaker:DeleteEndpointConfig", 1),
    (DELETE, Fault.NOT_FOUND, "machine re", "sagemaker:DeleteModel", 1),
    # an endpoint that bills for a component that nobody made
    (APPLY, Fault.EXISTS, MACHINE, "sagemaker:CreateEndpoint", 1),
    (APPLY, Fault.EXISTS, MACHINE, "sagemaker:CreateInferenceComponent", 1),
    (APPLY_REALTIME, Fault.EXISTS, MACHINE, "sagemaker:CreateEndpointConfig", 1),
    (APPLY_REALTIME, Fault.EXISTS, MACHINE, "sagemaker:CreateEndpoint", 1),
    # one that serves would be taken for asleep, keep its old model, and lose its config
    (UPDATE_REALTIME, Fault.NOT_FOUND, "machine reshape-capacity", "sagemaker:DescribeEndpoint", 2),
    # a target that would scale the next of that name
    (SWEEP, Fault.NOT_FOUND, "sweep-account", "application-autoscaling:Deregister", 1),
    # a deletion of the stack for which CloudFormation would wait
    (RETIREMENT_IN_TIME, Fault.EXISTS, "retire-stack", "states:StartExecution", 1),
    (RETIREMENT_IN_TIME, Fault.NOT_FOUND, "machine retire-stack", "lambda:Invoke", 2),
    # requests that would be refused, or go unanswered with their queue, and queues that would stay
    (KEPT, Fault.NOT_FOUND, "accept-command", "sqs:GetQueueAttributes", 1),
    (UNREAD, Fault.NOT_FOUND, RETIRE, "sqs:GetQueueUrl", 3),
    (UNREAD, Fault.NOT_FOUND, RETIRE, "sqs:SetQueueAttributes", 2),
    (UNREAD, Fault.NOT_FOUND, RETIRE, "sqs:GetQueueAttributes", 3),
    (UNREAD, Fault.NOT_FOUND, RETIRE, "sqs:DeleteQueue", 3),
    # a request that would be refused
    (TICKET, Fault.NOT_FOUND, "dispatch-requests", "s3:GetObject", 1),
]


def _told_wrong(world: World, scenario: Scenario, fault: Fault, actor: str, name: str) -> Score:
    scenario.prepare(world)
    cases = [
        case
        for case in cases_of(calls_of(world, scenario))
        if case.fault is fault and case.actor.startswith(actor) and case.name.startswith(name)
    ]
    return drive(world, scenario, [*cases[:2], *cases[2:][-1:]])


@pytest.mark.parametrize(
    ("scenario", "fault", "actor", "name", "least"),
    WRONG,
    ids=[f"{scenario.name}: {name} {fault}" for scenario, fault, _, name, _ in WRONG],
)
def test_one_wrong_answer_is_put_right(
    empty: World, scenario: Scenario, fault: Fault, actor: str, name: str, least: int
) -> None:
    score = in_copy(lambda: _told_wrong(empty, scenario, fault, actor, name), 400)
    assert score.fired == score.cases >= least
    assert not score.unrecovered, "\n".join(score.unrecovered)


@pytest.mark.parametrize(
    ("scenario", "actor"),
    [(APPLY, "machine deploy-endpoint"), (DELETE, "machine retire-endpoint")],
    ids=lambda one: one if isinstance(one, str) else one.name,
)
def test_a_nested_start_that_was_not_answered_is_put_right(
    empty: World, scenario: Scenario, actor: str
) -> None:
    """That it has the same name when it is asked for again, test_machine_rules has."""
    score = in_copy(
        lambda: _told_wrong(empty, scenario, Fault.LOST, actor, "states:StartExecution"), 400
    )
    assert score.fired == score.cases >= 1
    assert not score.unrecovered, "\n".join(score.unrecovered)
