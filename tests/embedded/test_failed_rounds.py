"""What goes its rounds and fails each time is told, with what that means."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.embedded.stack import Stack, deployed, wait_for

ROUNDS = {
    "sweep-account": "Until it works again nobody looks for machines that no endpoint owns.",
    "report-costs": "autoscaler report --period day --last` writes the one that is missing.",
    "refresh-prices": "Costs are reckoned with the prices that were read before.",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        yield found


@pytest.mark.parametrize("function", ROUNDS)
def test_three_failures_of_an_asynchronous_call_are_an_alert(stack: Stack, function: str) -> None:
    name = f"autoscaler-{function}"
    failed: list[str] = []
    stack.account.runtime.on_invocation.append(
        lambda ran, _milliseconds, wrong: failed.append(ran) if wrong else None
    )
    # A name that no table can have: the function fails before it asks for anything.
    stack.account.runtime.change_environment(name, TABLE_NAME="")
    reports = function == "report-costs"
    stack.account.runtime.invoke_async(name, b'{"period": "day"}' if reports else b"{}")
    title = f"{function}{' of the day' if reports else ''} does not work"
    texts = wait_for(
        lambda: [json.dumps(one) for one in stack.slack.messages],
        lambda found: any(title in text for text in found),
        title,
    )
    assert failed.count(name) == 3
    (told,) = [text for text in texts if title in text]
    assert "It failed in 3 tries: " in told and ROUNDS[function] in told
