"""Roles may do what their policies allow, and no more; a permission taken away is missed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.embedded.kernel_lab import ASSUMED, START, client_of
from tests.embedded.stack import deployed, wait_for
from tests.embedded.stage_weights_lab import begin, published
from tools.embedded.iam import ledger
from tools.embedded.iam.policy import Permission
from tools.embedded.iam.requests import Call
from tools.embedded.kernel.account import Account
from tools.embedded.kernel.intrinsics import TemplateError

ROOT = Path(__file__).parents[2]
HERE = "us-east-1:123456789012"
PARTS = ("functions", "layers", "statemachines")
# What is taken out of the template: the role, the action, and the text that goes.
POLLS = "Action: [sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes]"
MUTATIONS = {
    ("AcceptCommandFunctionRole", "dynamodb:Query"): (
        "AcceptCommandFunction:",
        "Action: [dynamodb:GetItem, dynamodb:Query]",
        "Action: [dynamodb:GetItem]",
    ),
    ("ScheduleRole", "lambda:InvokeFunction"): (
        "ScheduleRole:",
        "Resource: [!GetAtt ReconcileFunction.Arn, ",
        "Resource: [",
    ),
    ("NotifyFunctionRole", "sqs:ReceiveMessage"): (
        "NotifyFunction:",
        POLLS,
        POLLS.replace("sqs:ReceiveMessage, ", ""),
    ),
}


def mutated(folder: Path, *changes: tuple[str, str, str]) -> Path:
    """A copy of the template in which, behind each place, one text is another."""
    text = (ROOT / "template.yaml").read_text()
    for place, before, after in changes:
        start = text.index(f"\n  {place}\n")
        found = text.index(before, start)
        text = text[:found] + after + text[found + len(before) :]
    for part in PARTS:
        (folder / part).symlink_to(ROOT / part)
    path = folder / "template.yaml"
    path.write_text(text)
    return path


def test_each_permission_that_is_taken_away_is_missed(tmp_path: Path) -> None:
    """Each denial here would fail the test that `tests.embedded.stack.deployed` is used by."""
    with Account(tmp_path / "account", start=START, speed=60) as account:
        (tmp_path / "stack").mkdir()
        account.deploy(mutated(tmp_path / "stack", *MUTATIONS.values()))
        body = json.dumps({"command": "get"})
        account.boto("lambda").invoke(FunctionName="autoscaler-accept-command", Payload=body)

        def missed() -> set[tuple[str, str]]:
            return {(one.role, one.action) for one in account.iam.surprises}

        wait_for(missed, lambda found: found >= set(MUTATIONS), set(MUTATIONS))
        assert missed() == set(MUTATIONS)


def test_a_role_that_may_write_all_but_the_weights_is_missed(tmp_path: Path) -> None:
    """The shards go by presigned addresses, the small files beside them do not."""
    every = "${WeightsBucket.Arn}/models/*"
    small = ", ".join(f'!Sub "{every}{kind}"' for kind in (".json", ".md"))
    write = "Action: s3:PutObject\n              Resource: ["
    change = ("StageFileFunction:", f'{write}!Sub "{every}"', f"{write}{small}")
    (tmp_path / "stack").mkdir()
    template = mutated(tmp_path / "stack", change)
    with deployed(tmp_path / "account", token=None, template=template) as stack:
        iam = stack.account.iam
        iam.enforced = True
        published(stack, "large")
        execution = begin(stack, model_id="acme/large", revision="main")
        wait_for(lambda: iam.denials, bool, "a denial")
        stack.account.boto("stepfunctions").stop_execution(executionArn=execution)
        missed = {(one.role, one.action, one.resource.rpartition(".")[2]) for one in iam.surprises}
        iam.expected.add("s3:PutObject")
    assert missed == {("StageFileFunctionRole", "s3:PutObject", "safetensors")}


def test_a_machine_whose_role_cannot_wait_for_others_is_not_made(tmp_path: Path) -> None:
    change = ("FlowRole:", "events:PutTargets, events:PutRule, ", "events:PutTargets, ")
    with Account(tmp_path / "account", start=START) as account:
        (tmp_path / "stack").mkdir()
        with pytest.raises(TemplateError, match="not authorized to perform: events:PutRule"):
            account.deploy(mutated(tmp_path / "stack", change))


def test_a_stack_that_only_observes_is_denied_every_change(tmp_path: Path) -> None:
    with Account(tmp_path / "account", start=START) as account:
        account.deploy(ROOT / "template.yaml", parameters={"Mode": "observe"})
        (flow,) = (
            role["Arn"]
            for role in account.boto("iam").list_roles()["Roles"]
            if role["RoleName"].startswith("autoscaler-FlowRole-")
        )
        for operation in ("DeleteEndpoint", "UpdateEndpointWeightsAndCapacities"):
            call = Call("sagemaker", operation, {"EndpointName": "autoscaler-a"})
            denial = account.iam.judge(flow, "test", call)
            assert denial is not None
            assert "explicit deny in ChangeNothing" in denial.why
        look = Call("sagemaker", "DescribeEndpoint", {"EndpointName": "autoscaler-a"})
        assert account.iam.judge(flow, "test", look) is None


POLICY = [
    {
        "Sid": "Write",
        "Effect": "Allow",
        "Action": "dynamodb:PutItem",
        "Resource": f"arn:aws:dynamodb:{HERE}:table/kept",
        "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["mine"]}},
    },
    {
        "Sid": "Read",
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::bucket/mine/*",
    },
    {
        "Sid": "Remove",
        "Effect": "Allow",
        "Action": "sqs:DeleteQueue",
        "Resource": f"arn:aws:sqs:{HERE}:*",
        "Condition": {"StringEquals": {"aws:ResourceTag/owner": "me"}},
    },
]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account with a role, and a little of what it may and may not touch."""
    with Account(tmp_path_factory.mktemp("account"), start=START) as running:
        iam = running.boto("iam")
        trust = json.dumps({"Version": "2012-10-17", "Statement": [ASSUMED]})
        iam.create_role(RoleName="role", AssumeRolePolicyDocument=trust)
        document = json.dumps({"Version": "2012-10-17", "Statement": POLICY})
        iam.put_role_policy(RoleName="role", PolicyName="p", PolicyDocument=document)
        running.boto("dynamodb").create_table(
            TableName="kept",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
        running.boto("s3").create_bucket(Bucket="bucket")
        running.boto("s3").put_object(Bucket="bucket", Key="mine/there", Body=b"1")
        for name, tags in (("mine", {"owner": "me"}), ("theirs", {"owner": "them"})):
            running.boto("sqs").create_queue(QueueName=name, tags=tags)
        yield running


def as_role(account: Account, service: str) -> Any:
    return client_of(account, "arn:aws:iam::123456789012:role/role", service)


DENIED: list[tuple[str, str, dict[str, Any], str, int]] = [
    ("dynamodb", "delete_item", {"TableName": "kept", "Key": {"pk": {"S": "mine"}}},
     "AccessDeniedException", 400),
    ("dynamodb", "put_item", {"TableName": "kept", "Item": {"pk": {"S": "theirs"}}},
     "AccessDeniedException", 400),
    ("s3", "get_object", {"Bucket": "bucket", "Key": "theirs/1"}, "AccessDenied", 403),
    ("s3", "head_object", {"Bucket": "bucket", "Key": "mine/gone"}, "403", 403),
    ("sqs", "delete_queue", {"QueueUrl": "http://x/123456789012/theirs"}, "AccessDenied", 403),
    ("sns", "publish", {"TopicArn": f"arn:aws:sns:{HERE}:t", "Message": "m"},
     "AuthorizationError", 403),
    ("cloudwatch", "delete_alarms", {"AlarmNames": ["a"]}, "AccessDenied", 403),
    ("lambda", "list_event_source_mappings", {}, "AccessDeniedException", 403),
    ("sagemaker", "list_models", {}, "AccessDeniedException", 400),
    ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": "e", "Body": b"{}"},
     "AccessDeniedException", 400),
    ("stepfunctions", "list_state_machines", {}, "AccessDeniedException", 400),
]  # fmt: skip


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "code", "status"),
    DENIED,
    ids=[f"{one[0]}-{one[1]}" for one in DENIED],
)
def test_a_denied_call_is_answered_as_the_service_answers_it(
    account: Account,
    service: str,
    operation: str,
    arguments: dict[str, Any],
    code: str,
    status: int,
) -> None:
    before = len(account.iam.denials)
    with pytest.raises(ClientError) as denied:
        getattr(as_role(account, service), operation)(**arguments)
    assert denied.value.response["Error"]["Code"] == code
    assert denied.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert len(account.iam.denials) == before + 1
    assert account.iam.denials[-1].role == "role"


def test_what_a_policy_allows_passes_and_is_written_down(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_role(account, "dynamodb").put_item(TableName="kept", Item={"pk": {"S": "mine"}})
    body = as_role(account, "s3").get_object(Bucket="bucket", Key="mine/there")["Body"].read()
    assert body == b"1"
    as_role(account, "sqs").delete_queue(QueueUrl="http://x/123456789012/mine")
    as_role(account, "sts").get_caller_identity()

    monkeypatch.setenv(ledger.VARIABLE, str(tmp_path))
    account.iam.close()
    uses = {(use.action, use.resource): use for use in ledger.read(tmp_path)}
    put = uses[("dynamodb:PutItem", f"arn:aws:dynamodb:{HERE}:table/kept")]
    assert (put.role, put.by) == ("role", (Permission("Write", "dynamodb:PutItem"),))
    assert put.context == (("dynamodb:leadingkeys", ("mine",)),)
    removed = uses[("sqs:DeleteQueue", f"arn:aws:sqs:{HERE}:mine")]
    assert ("aws:resourcetag/owner", ("me",)) in removed.context


def test_a_boundary_limits_what_a_policy_allows(account: Account) -> None:
    iam = account.boto("iam")
    document = {"Version": "2012-10-17", "Statement": POLICY[:1]}
    limit = iam.create_policy(PolicyName="limit", PolicyDocument=json.dumps(document))
    before = len(account.iam.denials)
    as_role(account, "s3").get_object(Bucket="bucket", Key="mine/there")
    iam.put_role_permissions_boundary(RoleName="role", PermissionsBoundary=limit["Policy"]["Arn"])
    try:
        as_role(account, "dynamodb").put_item(TableName="kept", Item={"pk": {"S": "mine"}})
        with pytest.raises(ClientError, match="permissions boundary"):
            as_role(account, "s3").get_object(Bucket="bucket", Key="mine/there")
    finally:
        iam.delete_role_permissions_boundary(RoleName="role")
    assert len(account.iam.denials) == before + 1


def test_the_owner_of_the_account_may_do_everything(account: Account) -> None:
    before = len(account.iam.denials)
    account.boto("dynamodb").scan(TableName="kept")
    assert len(account.iam.denials) == before


def test_a_denial_that_a_test_expects_is_no_surprise(account: Account) -> None:
    with pytest.raises(ClientError):
        as_role(account, "pricing").get_products(ServiceCode="AmazonSageMaker")
    assert "pricing:GetProducts" in {one.action for one in account.iam.surprises}
    account.iam.expected.add("pricing:GetProducts")
    assert "pricing:GetProducts" not in {one.action for one in account.iam.surprises}
