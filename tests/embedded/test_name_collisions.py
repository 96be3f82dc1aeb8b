"""Names that somebody else's resources have, or an earlier endpoint's: nothing is created over
them, and nothing of theirs is deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.embedded.by_hand import EVERYTHING, make, names, unmake
from tests.embedded.stack import Stack, deployed, wait_for
from tests.samples import document
from tools.embedded.types import Fault

NAME = "llama"
BASE = f"autoscaler-{NAME}"
KINDS = ("endpoint", "endpoint config", "model", "inference component", "queue")
OURS = {"autoscaler:stack": "autoscaler", "autoscaler:endpoint": NAME}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        yield found


@pytest.fixture(autouse=True)
def clean(stack: Stack) -> Iterator[None]:
    yield
    unmake(stack, BASE)


def refused(stack: Stack, command: str) -> str:
    answer = stack.command(command, document=document(NAME))
    assert not answer["ok"], answer
    assert stack.command("get")["result"]["endpoints"] == []
    return "\n".join(answer["problems"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tags", [{}, {"autoscaler:stack": "autoscaler-dev"}], ids=["no", "other"])
def test_a_name_that_somebody_elses_resource_has_is_refused_before_anything(
    stack: Stack, kind: str, tags: dict[str, str]
) -> None:
    make(stack, kind, BASE, tags)
    before = names(stack, BASE)
    for command in ("plan", "apply"):
        told = refused(stack, command)
        assert f"name: the {kind} '{BASE}' exists already and is not this stack's" in told
        assert "give the endpoint another name" in told
    assert names(stack, BASE) == before


@pytest.mark.parametrize("kind", ["model", "queue"])
def test_what_an_earlier_endpoint_left_is_told_with_how_it_goes(stack: Stack, kind: str) -> None:
    make(stack, kind, BASE, {**OURS, "autoscaler:deletable": "true"})
    told = refused(stack, "apply")
    assert f"the {kind} '{BASE}' is left over from an earlier endpoint of this stack" in told
    assert "the second hourly sweep that sees it removes it" in told


def test_a_queue_with_requests_that_was_left_over_is_told_so(stack: Stack) -> None:
    make(stack, "queue", BASE, {**OURS, "autoscaler:deletable": "true"})
    stack.ask(NAME, "somebody waits")
    assert "it holds 1 requests: read or purge them" in refused(stack, "apply")


def test_aws_not_telling_is_neither_free_nor_taken(stack: Stack) -> None:
    fault = Fault("sagemaker:DescribeModel", "AccessDeniedException", "denied by a test")
    stack.account.front.inject(fault)
    body = json.dumps({"command": "apply", "document": document(NAME)}).encode()
    reply = stack.account.boto("lambda").invoke(
        FunctionName=stack.outputs["CommandFunctionName"], Payload=body
    )
    assert "FunctionError" in reply
    assert b"denied by a test" in reply["Payload"].read()
    assert fault in [shot for _, shot in stack.account.front.fired]
    assert stack.command("get")["result"]["endpoints"] == []


def test_what_is_made_by_others_during_the_creation_is_not_taken_for_ours_nor_deleted(
    stack: Stack,
) -> None:
    assert stack.apply(NAME)["ok"]
    make(stack, "model", BASE, {})  # while it is staged
    assert stack.get(NAME)["phase"] == "STAGING"
    failed = stack.until(NAME, "FAILED")
    assert f"the model {BASE} was made meanwhile and is not of this stack" in failed["failure"]
    assert names(stack, BASE) == {"model"}
    again = stack.apply(NAME)
    assert "is not this stack's" in again["problems"][0]
    assert stack.command("delete", endpoint=NAME)["ok"]
    stack.until(NAME, None)
    assert names(stack, BASE) == {"model"}, "a retirement leaves it alone too"


def test_what_a_failure_left_behind_goes_before_it_is_created_again(stack: Stack) -> None:
    """It could be another model on other machines: what is there is not taken for the new one."""
    stack.account.front.inject(
        Fault("sagemaker:CreateEndpoint", "ValidationException", "no such machine")
    )
    assert stack.apply(NAME)["ok"]
    failed = stack.until(NAME, "FAILED")
    assert "no such machine" in failed["failure"]
    make(stack, "model", BASE, OURS)  # as if AWS had not deleted it
    again = stack.apply(NAME)
    assert "the model of the failed 'llama' must go before it is created again" in "".join(
        again["problems"]
    )
    wait_for(lambda: names(stack, BASE), lambda there: not there, "the removal")
    wait_for(lambda: stack.apply(NAME)["ok"], bool, "the way to be free")
    generation = stack.until(NAME, "AWAKE")["generation"]
    # Config and model are made anew under names of their own, and are not those that were left.
    assert names(stack, f"{BASE}-b{generation}") == {"endpoint config", "model"}
    assert names(stack, BASE) == EVERYTHING - {"endpoint config", "model"}
    assert stack.command("delete", endpoint=NAME)["ok"]
    stack.until(NAME, None)
