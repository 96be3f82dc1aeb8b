"""Troubles of which the soak has the long version, in the whole embedded account; here in one
process: an execution that is ended, shared machines whose removals cross, failures by rate."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from autoscaler.policy.types import Phase
from tests.histories.checks import one_flow_a_generation, wrong_with
from tests.histories.faults import Call, Fault, applies
from tests.histories.forks import in_copy
from tests.histories.scenarios import awake, left
from tests.histories.walker import Execution
from tests.histories.world import NAME, World

OTHER = "other"
SHARED = {
    "types": ["ml.g6e.12xlarge"],
    "accelerators_per_copy": 1,
    "shared": "pair",
    "max_instances": 1,
}
FEW = {"max_copies": 1, "keep_alive": "12h"}
# Of the calls of these services; models and functions are asked undisturbed.
RATE = 0.2
PASSING = (Fault.THROTTLED, Fault.BROKEN, Fault.UNANSWERED, Fault.LOST)
CONTROL = ("sagemaker", "application-autoscaling", "lambda", "sqs", "dynamodb", "states")


def _retiring(world: World, state: str) -> Execution:
    """The retirement's execution, when it has come to a state."""
    awake(world)
    assert world.command("delete", endpoint=NAME).payload["ok"]
    flow = next(one for one in world.states.running() if one.flow == "retire-endpoint")
    while state not in flow.path:
        world.move_to(max(world.clock.time(), flow.due))
        running = [one for one in world.states.running() if one.due <= world.clock.time()]
        for execution in running or [flow]:
            world.states.step(execution)
        if not running:
            world.run(1)
    return flow


def _ended(world: World, state: str) -> tuple[list[str], str | None, list[str]]:
    flow = _retiring(world, state)
    assert flow.running
    which = {"executionArn": flow.arn, "error": "Ended", "cause": "by a person"}
    world.states.handle("StopExecution", which)
    assert world.settle()
    ran = [one.status for one in world.states.executions.values() if one.flow == "retire-endpoint"]
    return ran, world.phase(), left(world)


@pytest.mark.parametrize("state", ["RemoveCapacity", "LookAtQueue", "DeleteQueue"])
def test_a_retirement_whose_execution_is_ended_is_gone_on_with(empty: World, state: str) -> None:
    ran, phase, still_there = in_copy(lambda: _ended(empty, state))
    assert ran == ["ABORTED", "SUCCEEDED"], "it was ended, and another one went on with it"
    assert (phase, still_there) == (None, [])


def _let_in(world: World) -> list[tuple[str, list[dict[str, Any]]]]:
    """Each queue of the endpoint that is retired, and what its policy has of senders."""
    _retiring(world, "LookAtQueue")
    sqs, found = world.client("sqs"), []
    for url in sqs.list_queues(QueueNamePrefix=f"autoscaler-{NAME}")["QueueUrls"]:
        read = {"QueueUrl": url, "AttributeNames": ["QueueArn", "Policy"]}
        attributes = sqs.get_queue_attributes(**read)["Attributes"]
        statements = json.loads(attributes["Policy"])["Statement"]
        senders = [one for one in statements if one["Action"] == "sqs:SendMessage"]
        found.append((attributes["QueueArn"], senders))
    return found


def test_while_it_is_retired_nobody_may_send_to_its_queues(empty: World) -> None:
    """SQS itself refuses them: moto looks at no queue's policy, so the policy is looked at."""
    found = {arn: senders for arn, senders in in_copy(lambda: _let_in(empty)) if senders}
    assert {arn.rpartition(":")[2] for arn in found} == {
        f"autoscaler-{NAME}",
        f"autoscaler-{NAME}-later",
    }
    for arn, (closed,) in found.items():
        assert (closed["Effect"], closed["Principal"], closed["Resource"]) == ("Deny", "*", arn)
        assert "Condition" not in closed


def _pair(world: World) -> None:
    for name in (NAME, OTHER):
        assert world.apply(name, instances=SHARED, scaling=FEW).payload["ok"]
    world.run(900)
    assert {world.phase(NAME), world.phase(OTHER)} == {Phase.AWAKE}
    assert list(world.sagemaker.world.endpoints) == ["autoscaler--pair"]


def _both_removed(world: World) -> list[Any]:
    _pair(world)
    for name in (NAME, OTHER):
        assert world.command("delete", endpoint=name).payload["ok"]
    assert world.settle()
    sagemaker = world.sagemaker.world
    return [*sagemaker.endpoints, *sagemaker.configs, *sagemaker.components, *wrong_with(world)]


def test_all_that_share_go_at_the_same_moment_and_nothing_stays(empty: World) -> None:
    assert in_copy(lambda: _both_removed(empty)) == []


def _one_stays(world: World) -> tuple[list[str], list[str | None], list[str]]:
    _pair(world)
    assert world.command("delete", endpoint=OTHER).payload["ok"]
    world.run(5)
    assert world.apply("third", instances=SHARED, scaling=FEW).payload["ok"]
    assert world.settle()
    phases = [world.phase(name) for name in (NAME, OTHER, "third")]
    return _machines(world), phases, _off(world)


def _off(world: World) -> list[str]:
    """`wrong_with` knows an endpoint by machines of its own; here two have one."""
    many = [] if world.instances() == 1 else [f"{world.instances()} instances"]
    return [*world.watch.problems, *one_flow_a_generation(world), *many]


def _machines(world: World) -> list[str]:
    """Shared endpoints and configs; a config is called by its endpoint and a digest."""
    configs = [name.rpartition("-")[0] for name in world.sagemaker.world.configs]
    return [*world.sagemaker.world.endpoints, *configs]


def test_one_that_is_applied_while_another_is_removed_shares_its_machines(empty: World) -> None:
    machines, phases, wrong = in_copy(lambda: _one_stays(empty))
    assert machines == ["autoscaler--pair"] * 2, "and its config"
    assert phases == [Phase.AWAKE, None, Phase.AWAKE]
    assert wrong == []


def _one_cancelled(world: World) -> tuple[list[str | None], list[str], list[str], list[str]]:
    """By a person, who deletes it while both are made."""
    _both_applied(world)
    assert world.command("delete", endpoint=OTHER).payload["ok"]
    assert world.settle()
    components = list(world.sagemaker.world.components)
    phases = [world.phase(NAME), world.phase(OTHER)]
    return phases, components, _machines(world), _off(world)


def _both_applied(world: World) -> None:
    for name in (NAME, OTHER):
        assert world.apply(name, instances=SHARED, scaling=FEW).payload["ok"]
    world.run(30)
    assert {world.phase(NAME), world.phase(OTHER)} <= {Phase.STAGING, Phase.CREATING}


def test_of_two_creations_one_is_cancelled_and_the_other_comes_up(empty: World) -> None:
    phases, components, machines, wrong = in_copy(lambda: _one_cancelled(empty))
    assert phases == [Phase.AWAKE, None]
    assert components == [f"autoscaler-{NAME}"]
    assert machines == ["autoscaler--pair"] * 2, "its config too"
    assert wrong == []


def _one_ended(world: World) -> tuple[str, list[str | None], list[str], list[str]]:
    _both_applied(world)
    ended = next(
        one for one in world.states.running() if one.flow == "deploy-endpoint" and OTHER in one.name
    )
    world.states.handle("StopExecution", {"executionArn": ended.arn})
    assert world.settle()
    phases = [world.phase(NAME), world.phase(OTHER)]
    return ended.status, phases, _machines(world), _off(world)


def test_of_two_creations_one_is_ended_and_both_come_up(empty: World) -> None:
    """A tick goes on with it under a new generation, on the machines of the other."""
    status, phases, machines, wrong = in_copy(lambda: _one_ended(empty))
    assert (status, phases) == ("ABORTED", [Phase.AWAKE, Phase.AWAKE])
    assert machines == ["autoscaler--pair"] * 2
    assert wrong == []


def _by_rate(world: World, seed: int) -> tuple[dict[Fault, int], list[str]]:
    """A life of which a fifth of the calls fails, but for its first and last wish."""
    chance = random.Random(seed)

    def strike(call: Call) -> Fault | None:
        fault = chance.choice(PASSING)
        asked = call.operation.startswith("Invoke")
        hit = call.service in CONTROL and not asked and chance.random() < RATE
        return fault if hit and applies(fault, call) else None

    assert world.apply().payload["ok"]
    world.wire.strike = strike
    world.run(1200)
    world.send("one")
    world.run(1200)
    world.wire.strike = None
    assert world.settle()
    if world.answers() != ["one"]:  # a creation or wakes that failed were told: somebody acts
        assert world.told("EndpointFailed") or world.told("CapacityMissing"), world.phase()
        world.apply() if world.phase() == Phase.FAILED else world.command("retry", endpoint=NAME)
        assert world.settle()
    lost = [] if world.answers() == ["one"] else ["its request has no answer"]
    met = [fault for _, fault in world.wire.fired]
    return {fault: met.count(fault) for fault in PASSING}, lost + wrong_with(world)


@pytest.mark.parametrize("seed", [1, 2])
def test_one_endpoint_lives_through_a_fifth_of_its_calls_failing(empty: World, seed: int) -> None:
    met, problems = in_copy(lambda: _by_rate(empty, seed))
    assert all(number > 3 for number in met.values()), met
    assert problems == []
