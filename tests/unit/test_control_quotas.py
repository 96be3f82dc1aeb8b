"""Quotas of a new endpoint: zero is refused with the way out, what is unknown is a warning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from autoscaler.aws.quotas import ServiceQuotas
from autoscaler.control.apply import apply
from autoscaler.control.plan import Setting, plan
from autoscaler.policy.types import Phase
from autoscaler.ports import QuotaError
from autoscaler.spec import SpecError
from tests.memory import MemoryWorld, memory_world
from tests.samples import asleep, document, put

NAME = "llama"
TYPE, OTHER = "ml.g6e.xlarge", "ml.g6e.2xlarge"


@dataclass
class ScriptedQuotas:
    answer: Mapping[str, float] | Exception

    def for_endpoints(self) -> Mapping[str, float]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def setting(answer: Mapping[str, float] | Exception) -> Setting:
    return Setting("stack", "UTC", "eu-west-1", lambda *_: "c" * 40, quotas=ScriptedQuotas(answer))


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def refusal(world: MemoryWorld, quotas: Mapping[str, float], **changes: Any) -> str:
    with pytest.raises(SpecError) as refused:
        apply(world, setting(quotas), document(NAME, **changes))
    assert (world.store.records, world.flows.started) == ({}, [])
    (told,) = refused.value.problems
    return told


def test_quota_zero_is_refused_with_the_console_and_types_that_have_some(world) -> None:
    told = refusal(
        world, {TYPE: 0, OTHER: 0, "ml.g7e.2xlarge": 2, "ml.g6e.4xlarge": 8, "ml.g5.xlarge": 8}
    )
    assert told == (
        "instances.types: the account's quota of ml.g6e.xlarge for endpoints in eu-west-1 is 0, "
        "and SageMaker would refuse the endpoint; ask for more of it at "
        "https://eu-west-1.console.aws.amazon.com/servicequotas/home/services/sagemaker/quotas "
        '(the quota is called "ml.g6e.xlarge for endpoint usage"). These fit and have quota: '
        "ml.g6e.4xlarge (8), ml.g7e.2xlarge (2)"
    )


def test_one_listed_type_without_quota_is_enough_and_the_others_are_named(world) -> None:
    told = refusal(world, {TYPE: 4, OTHER: 0}, instances={"types": [TYPE, OTHER]})
    assert f"quota of {OTHER} for endpoints" in told
    assert f"or list only {TYPE}" in told


def test_a_model_that_nobody_knows_yet_is_refused_all_the_same(world) -> None:
    told = refusal(world, {TYPE: 0, OTHER: 3}, model={"id": "acme/other"})
    assert "is 0" in told
    assert "These fit" not in told


@pytest.mark.parametrize(
    ("quotas", "says"),
    [
        (QuotaError("AccessDeniedException"), "quotas were not read (AccessDeniedException)"),
        ({}, f"the account's quota of {TYPE} is not known"),
        ({TYPE: 1}, f"the account may have 1 of {TYPE} for all its endpoints, and this one wants"),
    ],
)
def test_what_does_not_rule_it_out_is_a_warning(world, quotas: Any, says: str) -> None:
    planned, status = apply(world, setting(quotas), document(NAME))
    assert status.phase is Phase.STAGING
    assert [w for w in planned.warnings if says in w], planned.warnings


def test_enough_quota_is_not_worth_a_word(world) -> None:
    assert plan(world, setting({TYPE: 2}), document(NAME)).warnings == ()


def test_the_quota_of_what_runs_already_is_not_looked_at(world) -> None:
    put(world, asleep(NAME))
    planned = plan(world, setting(QuotaError("nobody asked")), document(NAME))
    assert planned.warnings == ()


def test_a_clearly_cheaper_type_is_named_in_the_plan_of_a_new_endpoint(world) -> None:
    wanted = document(NAME, instances={"types": ["ml.g6e.16xlarge", "ml.g6e.8xlarge"]})
    told = "\n".join(plan(world, setting({}), wanted).preview)
    assert "takes ml.g6e.16xlarge, about $" in told
    assert "(estimate); ml.g6e.8xlarge when there is no capacity of it" in told
    assert "cheaper an hour: ml.g" in told
    assert "instead of $9.47" in told
    assert "cheaper a token when busy: ml." in told


def test_what_is_hardly_cheaper_is_not(world) -> None:
    wanted = document(NAME, serving={"context_tokens": 16384})
    told = "\n".join(plan(world, setting({}), wanted).preview)
    assert "takes ml.g6e.xlarge" in told
    assert "cheaper an hour" not in told, "the others cost more"


# ---------------------------------------------------------------------- AWS's own answers


class Pages:
    """list_service_quotas as boto3's client answers it."""

    def __init__(self, *pages: list[dict[str, Any]] | Exception) -> None:
        self.pages, self.asked = list(pages), 0

    def list_service_quotas(self, **asked: Any) -> dict[str, Any]:
        assert asked["ServiceCode"] == "sagemaker"
        page = self.pages[self.asked]
        self.asked += 1
        if isinstance(page, Exception):
            raise page
        more = {"NextToken": "t"} if self.asked < len(self.pages) else {}
        return {"Quotas": page, **more}


def quota(use: str, value: float, name: str = TYPE) -> dict[str, Any]:
    return {"QuotaName": f"{name} for {use}", "QuotaCode": "L-1", "Value": value}


def test_of_many_quotas_those_for_endpoints_count_and_are_kept() -> None:
    pages = Pages(
        [quota("training job usage", 9), quota("endpoint usage", 2)],
        [quota("endpoint usage", 0, OTHER), {"QuotaName": "x for endpoint usage"}],
    )
    quotas = ServiceQuotas(pages)
    assert quotas.for_endpoints() == quotas.for_endpoints() == {TYPE: 2, OTHER: 0}
    assert pages.asked == 2, "once"


def test_a_refusal_is_told_and_asked_again() -> None:
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "List")
    pages = Pages(denied, [quota("endpoint usage", 2)])
    quotas = ServiceQuotas(pages)
    with pytest.raises(QuotaError, match="AccessDeniedException"):
        quotas.for_endpoints()
    assert quotas.for_endpoints() == {TYPE: 2}
