"""The net under every stack catches: a secret is planted in each place that it watches."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.embedded.canaries import HUB_TOKEN, Net, settle
from tests.embedded.stack import Stack, deployed, wait_for

PLANTED = "planted-secret-4Xw"
# Of the processor, all threads: it takes a fifth of a second, and whatever the account does
# meanwhile counts too.
TEARDOWN_SECONDS = 2.0
# Only the history has the whole secret: neither the machine nor its input does.
JOINED = {
    "QueryLanguage": "JSONata",
    "StartAt": "Join",
    "States": {
        "Join": {
            "Type": "Pass",
            "Output": "{% 'planted-' & 'secret-4Xw' %}",
            "End": True,
        }
    },
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        yield found


def test_what_no_stack_may_tell_is_watched_on_every_one(stack: Stack) -> None:
    own = stack.net
    stack.net = Net(stack, [])  # it takes the prompt of `ask`; the stack's own goes on watching
    own.asked({"messages": [{"role": "user", "content": "a prompt of some length"}]})
    for secret in (HUB_TOKEN, "T00000000/B00000000/receiver", "a prompt of some length"):
        own.look("a test", f"it is {secret}!")
        assert own.leaks.pop("a test") == "it is ***!"
    stack.net = own


def test_it_is_found_wherever_it_was_planted_and_is_not_repeated(stack: Stack) -> None:
    net, boto = Net(stack, [PLANTED]), stack.account.boto
    item = {"pk": {"S": "PLANTED"}, "sk": {"S": PLANTED}}
    boto("dynamodb").put_item(TableName=stack.outputs["TableName"], Item=item)
    boto("dynamodb").delete_item(TableName=stack.outputs["TableName"], Key=item)
    entry = {"Source": "planted", "DetailType": "Planted", "Detail": json.dumps({"a": PLANTED})}
    boto("events").put_events(Entries=[{**entry, "EventBusName": stack.outputs["BusName"]}])
    boto("cloudwatch").put_metric_data(
        Namespace="Planted", MetricData=[{"MetricName": PLANTED, "Value": 1}]
    )
    for hook in stack.account.runtime.on_log_line:
        hook("autoscaler-notify", f'{{"message": "{PLANTED}"}}')
    made = boto("stepfunctions").create_state_machine(
        name="planted",
        definition=json.dumps(JOINED),
        roleArn=f"arn:aws:iam::{stack.account.account_id}:role/planted",
    )
    ran = boto("stepfunctions").start_execution(stateMachineArn=made["stateMachineArn"])
    which = {"executionArn": ran["executionArn"]}
    describe = boto("stepfunctions").describe_execution
    wait_for(lambda: describe(**which)["status"], lambda s: s == "SUCCEEDED", "the execution")
    stack.slack.messages.append({"text": f"<{PLANTED}>"})
    report = {"Bucket": stack.outputs["ReportsBucketName"], "Key": "reports/planted.json"}
    boto("s3").put_object(**report, Body=PLANTED.encode())
    with pytest.raises(AssertionError) as told:
        settle(net)
    assert PLANTED not in str(told.value) and "***" in str(told.value)
    assert {place.partition(" ")[0] for place in net.leaks} == {
        "dynamodb", "events", "monitoring", "log", "an", "Slack", "report",
    }  # fmt: skip


def test_a_hubs_token_is_found_in_objects_messages_and_payloads(stack: Stack) -> None:
    net, boto = Net(stack, []), stack.account.boto
    net.watch_token(PLANTED)
    where = {"Bucket": stack.outputs["ResultsBucketName"], "Key": "results/planted.json"}
    boto("s3").put_object(**where, Body=b'{"answer": "nothing"}')
    assert not net.leaks
    boto("s3").put_object(**where, Body=PLANTED.encode())
    queue = boto("sqs").create_queue(QueueName="planted")["QueueUrl"]
    boto("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps({"of": PLANTED}))
    told = json.dumps({"command": PLANTED}).encode()
    boto("lambda").invoke(FunctionName="autoscaler-accept-command", Payload=told)
    places = {place.partition(" ")[0] for place in net.leaks}
    assert places >= {"s3", "sqs", "lambda", "payload"}, net.leaks
    assert "payload of autoscaler-accept-command" in net.leaks, "as the function got it"
    assert not any(PLANTED in around for around in net.leaks.values())
    boto("s3").delete_object(**where)
    boto("sqs").delete_queue(QueueUrl=queue)


def test_to_look_costs_next_to_nothing(stack: Stack) -> None:
    began = time.process_time()
    settle(stack.net)
    assert time.process_time() - began < TEARDOWN_SECONDS
