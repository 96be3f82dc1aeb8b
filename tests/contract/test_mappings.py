"""Whoever reads a queue gives back only what it could not work off.

Without ReportBatchItemFailures Lambda takes every batch that was not an error for done: what the
function named as failed is deleted with the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from autoscaler.endpoints.names import ResourceNames
from autoscaler.endpoints.queues import queue_requests
from tests.contract.test_statemachines import MACHINES, ROOT, machine, scopes
from tests.samples import spec
from tools.embedded.kernel.stack import load

CREATES = "arn:aws:states:::aws-sdk:lambda:createEventSourceMapping"
ONLY_FAILED = ["ReportBatchItemFailures"]


def planned() -> dict[str, Any]:
    """What a creation is given for its queues."""
    return queue_requests(
        spec("llama"),
        ResourceNames("autoscaler", "llama"),
        account_arn_prefix="arn:aws:sqs:us-east-1:123456789012:",
        dispatcher_arn="arn:aws:lambda:us-east-1:123456789012:function:dispatch",
        alarm_topic_arn="arn:aws:sns:us-east-1:123456789012:alarms",
        tags={},
    )


def created() -> Iterator[tuple[str, Any]]:
    """Each state that maps a queue, and what it asks Lambda for."""
    for path in MACHINES:
        for scope in scopes(machine(path)):
            for name, state in scope["States"].items():
                if state.get("Resource") == CREATES:
                    yield f"{path.name.partition('.')[0]} {name}", state["Arguments"]


def test_a_machine_maps_queues_where_one_is_made_and_where_one_was_never_read() -> None:
    assert {name for name, _ in created()} == {
        "deploy_endpoint MapLaterQueue",
        "deploy_endpoint MapQueue",
        "retire_endpoint MapQueue",
    }


@pytest.mark.parametrize("asked", [asked for _, asked in created()], ids=[n for n, _ in created()])
def test_what_a_machine_maps_gives_back_only_what_failed(asked: Any) -> None:
    if isinstance(asked, str):  # an expression that hands on what was planned
        which = asked.removeprefix("{% $plan.requests.").removesuffix(" %}")
        asked = planned()[which]
    assert asked["FunctionResponseTypes"] == ONLY_FAILED


def test_what_the_stack_maps_gives_back_only_what_failed() -> None:
    """Off the expanded template: an event of a function of SAM's would be one too."""
    resources = load(ROOT / "template.yaml")["Resources"]
    mappings = {
        name: one["Properties"].get("FunctionResponseTypes")
        for name, one in resources.items()
        if one["Type"] == "AWS::Lambda::EventSourceMapping"
    }
    assert mappings == {"NotifyFunctionAlerts": ONLY_FAILED}
