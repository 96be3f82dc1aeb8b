"""No capacity, rung by rung, on the real stack: the queue keeps everything meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.embedded.stack import Stack, deployed, wait_for

NAME = "llama"
PRICES = {"ml.g6e.xlarge": 2.61, "ml.g6e.12xlarge": 13.12}
RUNGS = {
    "types": ["ml.g6e.xlarge"],
    "alternatives": [{"types": ["ml.g6e.12xlarge"], "accelerators_per_copy": 2}],
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account"), CapacitySeconds="300") as found:
        yield found


def told(stack: Stack) -> str:
    return "\n".join(str(message) for message in stack.slack.messages)


def types_now(stack: Stack) -> set[str]:
    return {one[1] for one in stack.account.sagemaker.billed() if one[-1] is None}


def test_a_creation_without_capacity_goes_on_with_the_next_rung(stack) -> None:
    stack.account.sagemaker.set_capacity("ml.g6e.xlarge", 0)
    assert stack.apply(NAME, instances=RUNGS)["ok"]
    stack.until(NAME, "AWAKE")
    assert types_now(stack) == {"ml.g6e.12xlarge"}
    assert "rung 1 of 2" in told(stack)
    assert "Unable to provision requested ML compute capacity" in told(stack)


def test_a_wake_goes_back_to_the_first_rung_when_the_other_is_gone(stack) -> None:
    assert stack.command("sleep", endpoint=NAME)["ok"]
    stack.until(NAME, "ASLEEP")
    stack.account.sagemaker.set_capacity("ml.g6e.xlarge", None)
    stack.account.sagemaker.set_capacity("ml.g6e.12xlarge", 0)
    stack.ask(NAME, {"id": "one", "prompt": "x", "max_tokens": 4})
    assert stack.result(NAME, "one")["answer"]["usage"]["completion_tokens"] == 4
    assert types_now(stack) == {"ml.g6e.xlarge"}
    assert "rung 2 of 2" in told(stack)


def test_the_ledger_has_the_price_of_the_machines_that_ran(stack) -> None:
    """What was expected on the other rung is taken back when it never came."""
    assert stack.command("sleep", endpoint=NAME)["ok"]
    stack.until(NAME, "ASLEEP")
    ledger = float(stack.report()["cost_usd"])
    billed = {one[1] for one in stack.account.sagemaker.billed()}
    assert billed == {"ml.g6e.xlarge", "ml.g6e.12xlarge"}
    dollars = sum(
        PRICES[kind] * (gone - asked) / 3600
        for _, kind, _, asked, gone in stack.account.sagemaker.billed()
    )
    slack = max(PRICES.values()) * 4 * stack.longest_tick / 3600
    assert ledger == pytest.approx(dollars, abs=slack)


def test_a_changed_alternative_brings_its_own_machines_and_not_those_of_its_name(stack) -> None:
    """The old one's config is still there, by the rung's name, and both could be had."""
    stack.account.sagemaker.set_capacity("ml.g6e.12xlarge", None)
    changed = {**RUNGS, "alternatives": [{"types": ["ml.g6e.4xlarge"]}]}
    assert stack.apply(NAME, instances=changed)["ok"]
    stack.account.sagemaker.set_capacity("ml.g6e.xlarge", 0)
    stack.ask(NAME, {"id": "two", "prompt": "x", "max_tokens": 4})
    assert stack.result(NAME, "two")["answer"]["usage"]["completion_tokens"] == 4
    assert types_now(stack) == {"ml.g6e.4xlarge"}


def test_it_is_removed_with_every_config_and_model_of_every_rung(stack) -> None:
    assert stack.command("delete", endpoint=NAME, discard_requests=True)["ok"]
    stack.until(NAME, None)
    sagemaker = stack.account.boto("sagemaker")
    assert sagemaker.list_endpoint_configs()["EndpointConfigs"] == []
    assert sagemaker.list_models()["Models"] == []
    wait_for(stack.instances, lambda count: count == 0, "no instance left")
