"""What the stack keeps is encrypted, by AWS's keys or by one of yours; nothing is public, nothing
comes in the clear, every log ends. Read off the expanded template, with the key and without."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from autoscaler.endpoints.names import ResourceNames
from autoscaler.endpoints.queues import queue_requests
from tests.samples import spec
from tools.embedded.kernel.order import in_order
from tools.embedded.kernel.stack import load

ROOT = Path(__file__).parents[2]
KEY = {"Ref": "KmsKeyArn"}
NOTHING = {"Ref": "AWS::NoValue"}
INSECURE = {"Bool": {"aws:SecureTransport": "false"}}
# Functions that neither read nor write what the key encrypts.
KEYLESS = {"CheckNamesFunction"}
both = pytest.mark.parametrize("keyed", [False, True], ids=["AWS's keys", "your key"])


@cache
def template() -> dict[str, Any]:
    return load(ROOT / "template.yaml")


def resources(keyed: bool) -> dict[str, Any]:
    """As CloudFormation would make them, with the answer to `HasKey`; other questions stay open."""
    found = {}
    for logical, one in template()["Resources"].items():
        if one.get("Condition") != "HasKey" or keyed:
            found[logical] = _answered(one, keyed)
    return found


def _answered(value: Any, keyed: bool) -> Any:
    if isinstance(value, list):
        return [one for one in (_answered(one, keyed) for one in value) if one != NOTHING]
    if not isinstance(value, dict):
        return value
    if value.get("Fn::If", [None])[0] == "HasKey":
        return _answered(value["Fn::If"][1 if keyed else 2], keyed)
    answered = {name: _answered(one, keyed) for name, one in value.items()}
    return {name: one for name, one in answered.items() if one != NOTHING}


def of_type(kind: str, keyed: bool) -> dict[str, Any]:
    found = {k: v["Properties"] for k, v in resources(keyed).items() if v["Type"] == kind}
    assert found, kind
    return found


@both
def test_every_bucket_is_encrypted_and_private(keyed: bool) -> None:
    for name, bucket in of_type("AWS::S3::Bucket", keyed).items():
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        given = rule["ServerSideEncryptionByDefault"]
        if keyed:
            assert given == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}, name
            assert rule["BucketKeyEnabled"] is True, "or each object asks KMS"
        else:
            assert given == {"SSEAlgorithm": "AES256"}, name
        flags = bucket["PublicAccessBlockConfiguration"]
        assert len(flags) == 4 and all(flags.values()), name
        (owner,) = bucket["OwnershipControls"]["Rules"]
        assert owner == {"ObjectOwnership": "BucketOwnerEnforced"}, "no ACL counts"


@both
def test_every_queue_of_the_stack_is_encrypted(keyed: bool) -> None:
    for name, queue in of_type("AWS::SQS::Queue", keyed).items():
        given = {k: queue.get(k) for k in ("KmsMasterKeyId", "SqsManagedSseEnabled")}
        key = {"KmsMasterKeyId": KEY, "SqsManagedSseEnabled": None}
        own = {"KmsMasterKeyId": None, "SqsManagedSseEnabled": True}
        assert given == (key if keyed else own), name


@both
def test_every_queue_of_an_endpoint_is_encrypted_and_refuses_the_clear(keyed: bool) -> None:
    arns, key = "arn:aws:sqs:us-east-1:123456789012:", "arn:aws:kms:us-east-1:123456789012:key/k"
    made = queue_requests(
        spec("llama"),
        ResourceNames("autoscaler", "llama"),
        account_arn_prefix=arns,
        dispatcher_arn="arn:aws:lambda:us-east-1:123456789012:function:dispatch",
        alarm_topic_arn="arn:aws:sns:us-east-1:123456789012:alarms",
        tags={},
        key_arn=key if keyed else "",
    )
    for name in ("queue", "later_queue", "dead_letter_queue"):
        attributes = made[name]["Attributes"]
        assert attributes.get("KmsMasterKeyId") == (key if keyed else None)
        assert attributes.get("SqsManagedSseEnabled") == (None if keyed else "true")
        (statement,) = json.loads(attributes["Policy"])["Statement"]
        assert refuses_the_clear(statement, "sqs:*")
        assert statement["Resource"] == arns + made[name]["QueueName"]


def test_a_queue_that_is_closed_goes_on_refusing_the_clear() -> None:
    machine = (ROOT / "statemachines/retire_endpoint.asl.yaml").read_text()
    closing = machine.split("Policy: >-")[1:]
    assert len(closing) == 2
    for policy in closing:
        assert "'Sid': 'TlsOnly', 'Effect': 'Deny'" in policy.split("TimeoutSeconds")[0]


@both
def test_buckets_queues_and_topics_speak_tls_only(keyed: bool) -> None:
    for kind, policy, named, action in (
        ("AWS::S3::Bucket", "AWS::S3::BucketPolicy", "Bucket", "s3:*"),
        ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "Queues", "sqs:*"),
        ("AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "Topics", "sns:Publish"),
    ):
        closed: set[str] = set()
        for one in of_type(policy, keyed).values():
            statements = one["PolicyDocument"]["Statement"]
            about = one[named] if isinstance(one[named], list) else [one[named]]
            if any(refuses_the_clear(statement, action) for statement in statements):
                closed |= {which["Ref"] for which in about}
            for statement in statements:  # and nobody is let in for being anybody
                assert statement["Effect"] == "Deny" or statement["Principal"] != "*"
        assert closed == set(of_type(kind, keyed))


@both
def test_only_alarms_of_this_account_are_let_in_by_the_topic(keyed: bool) -> None:
    """Its policy replaces the one of SNS; `notify` has a right of its own."""
    (policy,) = of_type("AWS::SNS::TopicPolicy", keyed).values()
    (let_in,) = (s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Allow")
    assert let_in["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert let_in["Action"] == "sns:Publish"
    assert let_in["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    targets = [
        target["Arn"]
        for kind in ("AWS::Events::Rule", "AWS::Scheduler::Schedule")
        for one in of_type(kind, keyed).values()
        for target in one.get("Targets", [one.get("Target", {})])
    ]
    assert targets and {"Ref": "AlarmTopic"} not in targets  # so no rule needs to be let in


def refuses_the_clear(statement: dict[str, Any], action: str) -> bool:
    told = (statement["Effect"], statement["Principal"], statement["Action"])
    return told == ("Deny", "*", action) and statement.get("Condition") == INSECURE


@both
def test_the_table_is_encrypted(keyed: bool) -> None:
    (table,) = of_type("AWS::DynamoDB::Table", keyed).values()
    key = {"SSEType": "KMS", "KMSMasterKeyId": KEY} if keyed else {}
    assert table["SSESpecification"] == {"SSEEnabled": True, **key}


@both
def test_secrets_topics_and_logs_take_the_key(keyed: bool) -> None:
    """Without one they are encrypted by AWS's own, but for the topic: alarms cannot use it."""
    for kind, named in (
        ("AWS::SecretsManager::Secret", "KmsKeyId"),
        ("AWS::SNS::Topic", "KmsMasterKeyId"),
        ("AWS::Logs::LogGroup", "KmsKeyId"),
    ):
        for name, one in of_type(kind, keyed).items():
            assert one.get(named) == (KEY if keyed else None), name


@both
def test_every_function_and_machine_logs_to_a_group_that_ends(keyed: bool) -> None:
    groups = of_type("AWS::Logs::LogGroup", keyed)
    assert all(one["RetentionInDays"] == {"Ref": "LogRetentionDays"} for one in groups.values())
    for name, one in of_type("AWS::Lambda::Function", keyed).items():
        assert one["LoggingConfig"]["LogGroup"]["Ref"] in groups, name
    for name, one in of_type("AWS::StepFunctions::StateMachine", keyed).items():
        (sink,) = one["LoggingConfiguration"]["Destinations"]
        assert sink["CloudWatchLogsLogGroup"]["LogGroupArn"]["Fn::GetAtt"][0] in groups, name
        assert not one["LoggingConfiguration"].get("IncludeExecutionData"), name


def test_the_log_groups_of_containers_take_the_key() -> None:
    """test_own_key sees that they do."""
    machine = of_type("AWS::StepFunctions::StateMachine", keyed=True)["CreateCapacityMachine"]
    assert machine["DefinitionSubstitutions"]["KmsKeyArn"] == KEY


def roles_with_key() -> dict[str, dict[str, Any]]:
    """The statement that lets each role use the key."""
    found = {}
    for policy in of_type("AWS::IAM::Policy", keyed=True).values():
        (statement,) = policy["PolicyDocument"]["Statement"]
        for role in policy["Roles"]:
            given = role["Fn::If"][1] if "Fn::If" in role else role
            found[given["Ref"]] = statement
    return found


def test_whoever_touches_what_is_encrypted_may_use_this_key_through_its_service_only() -> None:
    """CloudWatch Logs among them: AWS asks it of the roles that call it for an encrypted group."""
    roles = {name for name, one in resources(keyed=True).items() if one["Type"] == "AWS::IAM::Role"}
    assert set(roles_with_key()) == roles - {f"{name}Role" for name in KEYLESS}
    held = {"dynamodb", "logs", "s3", "secretsmanager", "sns", "sqs"}
    for role, statement in roles_with_key().items():
        assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
        assert statement["Resource"] == KEY
        services = statement["Condition"]["StringEquals"]["kms:ViaService"]
        wanted = {"s3", "logs"} if role == "EndpointRole" else held
        assert {one["Fn::Sub"] for one in services} == {
            f"{one}.${{AWS::Region}}.amazonaws.com" for one in wanted
        }


def test_without_a_key_nobody_may_use_any() -> None:
    policies = of_type("AWS::IAM::Policy", keyed=False)
    assert policies and "kms:" not in json.dumps(policies)


def test_no_function_answers_the_world_but_the_gateway_that_asks_for_keys() -> None:
    (url,) = of_type("AWS::Lambda::Url", keyed=False).values()
    assert url["AuthType"] == {"Fn::If": ["GatewayByKeys", "NONE", "AWS_IAM"]}
    for name, one in resources(keyed=False).items():
        if one["Type"] == "AWS::Lambda::Permission" and one["Properties"]["Principal"] == "*":
            assert one["Condition"] == "GatewayByKeys", name
    (gateway,) = (one for one in environments() if "GATEWAY_ACCESS" in one)
    assert gateway["GATEWAY_ACCESS"] == {"Ref": "GatewayAccess"}


@pytest.mark.parametrize(("tracing", "mode"), [("Disabled", None), ("Active", {"Ref": "Tracing"})])
def test_functions_are_traced_where_somebody_asked(tracing: str, mode: Any) -> None:
    resources = load(ROOT / "template.yaml", {"Tracing": tracing})["Resources"].values()
    functions = [one["Properties"] for one in resources if one["Type"] == "AWS::Lambda::Function"]
    assert functions
    for function in functions:
        assert function.get("TracingConfig", {}).get("Mode") == mode


def environments() -> Iterator[dict[str, Any]]:
    for one in of_type("AWS::Lambda::Function", keyed=False).values():
        yield one["Environment"]["Variables"]


def test_the_right_to_use_the_key_goes_after_the_retirement_which_needs_it() -> None:
    """Resources are deleted in the order in which they were made, from its end."""
    made = in_order(resources(keyed=True))
    assert made.index("UseKey") < made.index("Retirement")
    assert "UseKey" not in resources(keyed=False)
    assert in_order(resources(keyed=False))
