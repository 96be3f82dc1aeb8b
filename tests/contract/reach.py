"""What each role reaches inside its own stack, as AWS would judge it: which action on which place.

A place is what a statement has to choose among, because much else of the stack is beside it: a
prefix of a bucket, a partition of the table, a queue, an alarm, a machine, a function, a secret.
Everything else that a condition may ask for is as it is when the stack works on its own things.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from tests.contract.role_rights import HERE, ROOT, owned_by
from tools.embedded.iam import catalogue
from tools.embedded.iam.conditions import Context
from tools.embedded.iam.policy import Statement, judge
from tools.embedded.kernel.stack import load
from tools.permissions.grants import STACK, arn_of, resolver_of

Reached = tuple[str, str]  # action, place

_BUCKETS = {
    "weights": ("models", "passports", "checkpoints", "contents"),
    "results": ("requests", "results", "answers", "async"),
    "reports": ("reports",),
}
_PARTITIONS = (
    *("FLEET", "FORGOTTEN", "HISTORY#a", "USAGE#2026-01", "TRAFFIC#2026-01", "FAILURES#a"),
    *("TENANTS#a", "SEEN#a", "HELD", "PAUSE#a", "SWEEP", "RETIREMENT", "other"),
)
_QUEUES = {"queue": "a", "dlq": "a-dlq", "later": "a-later"}
_ALARMS = {
    "endpoint's": f"{STACK}-a-no-capacity",
    "tracking": f"TargetTracking-inference-component/{STACK}-a-AlarmHigh",
}
_CHOSEN_AMONG = {
    "AWS::SQS::Queue": "queue",
    "AWS::CloudWatch::Alarm": "alarm",
    "AWS::StepFunctions::StateMachine": "machine",
    "AWS::Lambda::Function": "function",
    "AWS::SecretsManager::Secret": "secret",
}


@dataclass(frozen=True)
class Place:
    """Something of the stack; `name` is that of the tables in test_width.py."""

    name: str
    arn: str
    context: Context


@cache
def places() -> tuple[Place, ...]:
    return (*_objects(), *_partitions(), *_of_endpoints(), *_of_the_template())


def _place(name: str, arn: str, **more: str) -> Place:
    keys = {key.replace("__", ":"): (value,) for key, value in more.items()}
    return Place(name, arn, {**owned_by(STACK), **keys})


def _of_the_stack(name: str, arn: str) -> Place:
    """Nobody marks what the template makes as an orphan that may be removed."""
    place = _place(name, arn)
    mark = "aws:resourcetag/autoscaler:deletable"
    return replace(place, context={k: v for k, v in place.context.items() if k != mark})


def _objects() -> Iterator[Place]:
    for bucket, prefixes in _BUCKETS.items():
        arn = arn_of("AWS::S3::Bucket", f"{STACK}-{bucket}Bucket-1A2B3C")
        yield _place(f"{bucket}:list", arn)
        for prefix in prefixes:
            yield _place(f"{bucket}:{prefix}", f"{arn}/{prefix}/a/b.json")
        yield _place(f"{bucket}:else", f"{arn}/else/b.json")


def _partitions() -> Iterator[Place]:
    table = arn_of("AWS::DynamoDB::Table", f"{STACK}-Table-1A2B3C")
    for key in _PARTITIONS:
        name = f"table:{key.partition('#')[0]}"
        yield _place(name, table, dynamodb__leadingkeys=key)
        other = table.replace("-Table-", "-Other-")
        yield _place("tables:else", other, dynamodb__leadingkeys=key)


def _of_endpoints() -> Iterator[Place]:
    for name, suffix in _QUEUES.items():
        yield _place(f"queue:{name}", f"arn:aws:sqs:{HERE}:{STACK}-{suffix}")
    for name, alarm in _ALARMS.items():
        yield _place(f"alarm:{name}", f"arn:aws:cloudwatch:{HERE}:alarm:{alarm}")


def _of_the_template() -> Iterator[Place]:
    """By their logical ids, without the kind at their ends; also the executions of machines."""
    template = load(ROOT / "template.yaml")
    resolver = resolver_of(template)
    for logical, resource in template["Resources"].items():
        if kind := _CHOSEN_AMONG.get(resource["Type"]):
            arn = str(resolver.value({"Fn::GetAtt": [logical, "Arn"]}))
            if kind == "secret":
                arn = str(resolver.value({"Ref": logical}))
            name = logical.removesuffix(kind.capitalize())
            yield _of_the_stack(f"{kind}:{name}", arn)
            if kind == "machine":
                run = arn.replace(":stateMachine:", ":execution:")
                yield _of_the_stack(f"run:{name}", f"{run}:a-1")
    for name, secret in (("GatewayKeys", "gateway-keys"), ("else", "somebodys")):
        yield _place(f"secret:{name}", f"arn:aws:secretsmanager:{HERE}:secret:{secret}-1a2b3c")


def meant(policy: Sequence[Statement]) -> set[str]:
    """The actions that statements name, to allow or to deny them."""
    return {name for name in catalogue.actions() if any(one.matching(name) for one in policy)}


def reach(policy: Sequence[Statement], actions: Iterable[str]) -> set[Reached]:
    """Which of the places a policy lets its role reach, with which of the actions."""
    return {
        (action, place.name)
        for action in actions
        for place in places()
        if catalogue.fits(catalogue.actions()[action], place.arn)
        and judge(policy, action, place.arn, place.context).allowed
    }
