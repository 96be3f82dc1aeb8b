"""A stack that only observes: a day in which nothing is changed and everything is told. One story,
counted where every call of the account passes."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from werkzeug.wrappers import Request

from tests.embedded.stack import SPEED, Stack, deployed, wait_for

NAME = "llama"
QUESTION = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 7}
OBSERVED_FOR = 40 * 60  # simulated seconds: four times its keep-alive
_READS = ("Describe", "List", "Get")
_COSTS = {
    "sqs": ("CreateQueue", "DeleteQueue", "SetQueueAttributes"),
    "monitoring": ("PutMetricAlarm", "DeleteAlarms"),
    "states": ("StartExecution",),
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        yield found


def overhear(stack: Stack) -> list[str]:
    """Everything that is asked of the account from now on and could change capacity."""
    found: list[str] = []

    def listen(service: str, request: Request) -> None:
        target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        action = target or request.form.get("Action", "") or request.path
        owner = service in ("sagemaker", "application-autoscaling")
        if "/invocations" in action:
            return  # the model is asked
        if (owner and not action.startswith(_READS)) or action in _COSTS.get(service, ()):
            found.append(f"{service}:{action}")

    stack.account.front.on_request.append(listen)
    return found


def switched(stack: Stack, mode: str) -> None:
    """What an update of the stack with another `Mode` does to its functions."""
    runtime = stack.account.runtime
    for name, function in list(runtime.deployed.items()):
        assert function.launch.environ["MODE"] in ("act", "observe")
        runtime.change_environment(name, MODE=mode)


def test_idle_for_long_it_stays_awake_and_its_sleep_is_advised(stack) -> None:
    assert stack.apply(NAME)["ok"]
    stack.until(NAME, "AWAKE")
    heard = overhear(stack)
    switched(stack, "observe")
    one = wait_for(lambda: stack.get(NAME), lambda seen: seen["withheld"], "advice")
    assert (one["mode"], one["withheld"]["would"]) == ("observe", "sleep")
    end = time.monotonic() + OBSERVED_FOR / SPEED
    while time.monotonic() < end:
        assert stack.get(NAME)["phase"] == "AWAKE"
        time.sleep(0.5)
    assert stack.instances() == 1
    assert heard == [], "nothing was asked that could change capacity"
    assert float(stack.get(NAME)["withheld"]["saved_usd"]) > 0
    titles = wait_for(stack.slack.titles, lambda t: f"{NAME} would go" in "\n".join(t), "advice")
    assert sum(f"{NAME} would go to sleep now" in one for one in titles) == 1, "told once"
    assert any("The stack only observes" in one for one in titles)


def test_requests_are_answered_and_what_changes_is_refused(stack) -> None:
    heard = overhear(stack)
    stack.ask(NAME, {"id": "meanwhile", **QUESTION})
    assert stack.result(NAME, "meanwhile")["answer"]["usage"]["completion_tokens"] == 7
    for command in ("wake", "sleep", "delete"):
        refused = stack.command(command, endpoint=NAME)
        assert refused["error"] == "ObserveError"
        assert "Mode=observe" in refused["problems"][0]
    assert "Mode=observe" in stack.command("stop", reason="x")["problems"][0]
    assert "Mode=observe" in stack.apply("other")["problems"][0]
    said = stack.report()
    assert said["saved_usd"] is not None
    assert heard == []
    assert stack.get("other")["phase"] is None


def test_what_people_change_by_hand_is_followed_and_requests_wait(stack) -> None:
    sagemaker = stack.account.boto("sagemaker")
    component = f"autoscaler-{NAME}"
    (found,) = sagemaker.list_inference_components(NameContains=component)["InferenceComponents"]
    sagemaker.update_inference_component_runtime_config(
        InferenceComponentName=found["InferenceComponentName"],
        DesiredRuntimeConfig={"CopyCount": 0},
    )
    stack.until(NAME, "ASLEEP")
    heard = overhear(stack)
    stack.ask(NAME, {"id": "waits", **QUESTION})
    one = wait_for(
        lambda: stack.get(NAME),
        lambda seen: (seen["withheld"] or {}).get("would") == "wake",
        "a wake that is withheld",
    )
    assert one["phase"] == "ASLEEP"
    assert heard == []


def test_when_it_may_act_again_the_request_that_waited_is_answered(stack) -> None:
    heard = overhear(stack)
    switched(stack, "act")
    assert stack.result(NAME, "waits")["answer"]["usage"]["completion_tokens"] == 7
    assert "states:StartExecution" in heard
    assert "application-autoscaling:RegisterScalableTarget" in heard, "it hears what changes"
    assert stack.get(NAME)["withheld"] is None
    wait_for(stack.slack.titles, lambda t: "The stack acts again" in "\n".join(t), "its end")
    assert stack.slack.rejected == []
