"""Throttling, a timeout, an internal error and a denial of every service that the layer calls.

None of them is taken for an answer: neither for "there is none" nor for "it is done". What is
read or asked either says so loudly, in a class that Step Functions tries again or not (`troubles`),
or is told as missing. tests/embedded/test_disorder.py has the same by rate in the whole stack; here
each call of each adapter meets each trouble.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import autoscaler.aws
from autoscaler.alerts.sinks import RetryLater, SinkRejectedError
from autoscaler.aws import new_models, troubles
from autoscaler.aws.cost_explorer import NoBillError
from autoscaler.aws.inventory import AwsAccount
from autoscaler.aws.load import AwsLoadReader
from autoscaler.aws.troubles import by_class
from autoscaler.ports import (
    BusyError,
    NotAllowedError,
    PriceListError,
    QuotaError,
    UnsureError,
)
from autoscaler.runtime import staging
from autoscaler.staging.errors import StoreUnavailableError
from tests.memory import NOON
from tests.unit.adapter_calls import (
    CALLS,
    EACH,
    ELSEWHERE,
    LAYER,
    NAME,
    REASONS,
    TROUBLES,
    Broken,
    refused,
)

CLASSES = {
    "throttled": troubles.ThrottledError,
    "timed out": troubles.UnavailableError,
    "internal error": troubles.UnavailableError,
    "denied": troubles.DeniedError,
}
# By what an adapter says in its own words that it is no answer; its users know these.
OWN = (
    BusyError,
    NoBillError,
    NotAllowedError,
    PriceListError,
    QuotaError,
    RetryLater,
    SinkRejectedError,
    StoreUnavailableError,
    UnsureError,
    new_models.ModelNotMadeError,
)


def _public() -> set[str]:
    """`module.Class.method` and `module.function` of all adapters."""
    found = set()
    for module in pkgutil.iter_modules(autoscaler.aws.__path__):
        members = vars(importlib.import_module(f"autoscaler.aws.{module.name}"))
        here = {k: v for k, v in members.items() if not k.startswith("_")}
        for name, member in here.items():
            if getattr(member, "__module__", "") != f"autoscaler.aws.{module.name}":
                continue
            if inspect.isfunction(member):
                found.add(f"{module.name}.{name}")
            elif inspect.isclass(member):
                methods = {k for k, v in vars(member).items() if inspect.isfunction(v)}
                found |= {f"{module.name}.{name}.{k}" for k in methods if k[0] != "_"}
    return found


def _called() -> set[str]:
    """What the calls above enter, by the code that ran."""
    found = set()

    def note(frame: FrameType, what: str, _value: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if what == "call" and path.parent == LAYER / "aws":
            found.add(f"{path.stem}.{frame.f_code.co_qualname}")

    for service, what in EACH:
        broken = Broken(TROUBLES["denied"])
        before = sys.getprofile()
        sys.setprofile(note)
        try:
            CALLS[service][what](broken)
        except Exception as trouble:  # noqa: BLE001 - its class is looked at below
            assert broken.calls, f"{what} met no trouble, but {trouble!r}"
        finally:
            sys.setprofile(before)
    return found


def test_every_public_call_of_every_adapter_is_here_or_has_its_reason() -> None:
    public = _public()
    excused = {one for one in public for why in REASONS if one == why or one.startswith(f"{why}.")}
    assert len(public) > 100
    assert public - excused - _called() == set()


def test_every_reason_is_about_something_that_is_there_and_names_tests_that_are() -> None:
    public = _public()
    gone = {why for why in REASONS if not any(f"{one}.".startswith(f"{why}.") for one in public)}
    assert gone == set()
    named = {one for why in REASONS.values() for one in re.findall(r"tests/[\w/]+\.py", why)}
    assert {one for one in named if not (LAYER.parents[2] / one).exists()} == set()


def test_every_service_that_the_layer_calls_is_here() -> None:
    text = "\n".join(path.read_text() for path in LAYER.rglob("*.py"))
    named = set(re.findall(r"\bclients?\(\"([a-z0-9-]+)\"\)", text))
    assert len(named) > 12
    assert named <= CALLS.keys() | ELSEWHERE


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize(("service", "what"), EACH)
def test_trouble_is_never_taken_for_an_answer(service: str, what: str, trouble: str) -> None:
    broken = Broken(TROUBLES[trouble])
    call = by_class(CALLS[service][what])
    if (what, trouble) == ("read the alerts' secret", "denied"):
        assert "cannot be read: AccessDenied" in call(broken).problems[0]
    elif (what, trouble) == ("read a container's log", "throttled"):
        assert call(broken) == [], "it is read at the next look"
    else:
        with pytest.raises((CLASSES[trouble], *OWN)):
            call(broken)
    assert broken.calls, "the trouble was met"


@pytest.mark.parametrize("trouble", TROUBLES)
def test_metrics_and_queues_in_trouble_are_missing_and_say_why(trouble: str) -> None:
    broken = Broken(TROUBLES[trouble])
    load = AwsLoadReader("a", broken, broken).read([NAME], NOON)[NAME]
    assert (load.backlog, load.concurrency_per_copy, load.invocations) == (None, None, None)
    assert load.trouble
    assert len(broken.calls) == 2


@pytest.mark.parametrize("trouble", TROUBLES)
def test_an_account_that_cannot_be_listed_is_incomplete_and_not_empty(trouble: str) -> None:
    """By whatever a sweep lists: it says so, and nothing is removed."""
    broken = Broken(TROUBLES[trouble])
    look = AwsAccount("a", "dispatcher", lambda _service: broken).look()
    assert look.resources == ()
    assert len(look.problems) >= 5
    assert broken.calls


@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_hubs_token_in_trouble_is_not_taken_for_no_token(
    trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one a gated model would be refused by the Hub, and the reason would be wrong."""
    broken = Broken(TROUBLES[trouble])
    monkeypatch.setenv("HUB_TOKEN_SECRET", "autoscaler/hub-token")
    monkeypatch.setattr(staging, "client", lambda _service: broken)
    with pytest.raises(CLASSES[trouble]) as told:
        by_class(staging.stored_token)()
    assert broken.calls == ["get_secret_value"]
    if trouble == "denied":
        assert "'autoscaler/hub-token' may not be read" in str(told.value)


def test_a_hub_token_that_is_missing_is_one_that_is_not_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    missing = Broken(refused("ResourceNotFoundException", 400))
    monkeypatch.setenv("HUB_TOKEN_SECRET", "autoscaler/hub-token")
    monkeypatch.setattr(staging, "client", lambda _service: missing)
    assert staging.stored_token() is None
    assert len(missing.calls) == 1


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_model_that_could_not_be_made_says_why_without_the_token(
    trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Broken(TROUBLES[trouble])
    monkeypatch.setattr(new_models, "client", lambda _service: broken)
    with pytest.raises(new_models.ModelNotMadeError) as told:
        new_models.make_model({"PrimaryContainer": {}}, "HF_TOKEN", "Rate")
    assert "Rate" not in str(told.value)
    assert broken.calls == ["create_model"]
