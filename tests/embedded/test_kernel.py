"""The embedded account's kernel: one clock, ordered faults, small templates."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.embedded.kernel_lab import (
    FUNCTIONS,
    ROLE,
    ROOT,
    START,
    function,
    template,
)
from tests.embedded.stack import no_role_was_denied
from tools.embedded.kernel.account import Account
from tools.embedded.kernel.clock import AccountClock
from tools.embedded.kernel.intrinsics import TemplateError
from tools.embedded.types import Fault


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    folder = tmp_path_factory.mktemp("account")
    with Account(folder, start=START, speed=600) as running:
        running.deploy(template(folder, FUNCTIONS), "functions")
        yield running
        no_role_was_denied(running)


# The clock


def test_a_clock_starts_where_it_is_told_and_runs_at_its_speed(tmp_path: Path) -> None:
    clock = AccountClock(tmp_path / "clock", START, 1000)
    assert clock.now().date() == START.date()
    began = clock.time()
    time.sleep(0.2)
    assert clock.time() - began >= 190


def test_a_change_of_speed_does_not_move_the_time(tmp_path: Path) -> None:
    clock = AccountClock(tmp_path / "clock", START, 1)
    clock.set_speed(2)
    assert clock.speed == 2
    assert clock.time() - START.timestamp() < 10


def test_a_jump_moves_the_time_at_once(tmp_path: Path) -> None:
    clock = AccountClock(tmp_path / "clock", START, 1)
    clock.jump(3600)
    assert 3600 <= clock.time() - START.timestamp() < 3610


def test_time_neither_stops_nor_runs_backwards(tmp_path: Path) -> None:
    clock = AccountClock(tmp_path / "clock", START, 1)
    with pytest.raises(ValueError, match="above 0"):
        clock.set_speed(0)
    with pytest.raises(ValueError, match="backwards"):
        clock.jump(-1)


def test_another_process_reads_and_moves_the_same_clock(tmp_path: Path) -> None:
    clock = AccountClock(tmp_path / "clock", START, 1)
    clock.jump(1000)
    script = (
        "import pathlib, sys\n"
        "from tools.embedded.kernel.clock import AccountClock\n"
        "clock = AccountClock.attach(pathlib.Path(sys.argv[1]))\n"
        "print(clock.time())\n"
        "clock.jump(5000)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(clock.path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert 1000 <= float(done.stdout) - START.timestamp() < 1060
    assert clock.time() - START.timestamp() >= 6000


def test_a_sleeper_follows_a_jump(tmp_path: Path) -> None:
    clock = AccountClock(tmp_path / "clock", START, 1)
    woken = threading.Event()

    def sleep() -> None:
        assert clock.sleep(3600) is False
        woken.set()

    threading.Thread(target=sleep, daemon=True).start()
    assert not woken.wait(0.2)
    clock.jump(3600)
    assert woken.wait(5)


def test_a_sleeper_can_be_stopped_and_says_so(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    assert AccountClock(tmp_path / "clock", START, 1).sleep(3600, stop) is True


# Faults


def test_a_fault_fires_once_and_is_remembered(account: Account) -> None:
    fault = Fault("dynamodb:ListTables", "ThrottlingException", message="too fast")
    account.front.inject(fault)
    with pytest.raises(ClientError) as caught:
        account.boto("dynamodb").list_tables()
    assert caught.value.response["Error"] == {"Code": "ThrottlingException", "Message": "too fast"}
    assert account.boto("dynamodb").list_tables()["TableNames"] == []
    assert [one for _, one in account.front.fired].count(fault) == 1
    when = account.front.fired[-1][0]
    assert START.timestamp() < when <= account.clock.time()


def test_a_fault_fires_as_often_as_ordered(account: Account) -> None:
    account.front.inject(Fault("sqs:ListQueues", "ServiceUnavailable", times=2, status=503))
    for _ in range(2):
        with pytest.raises(ClientError) as caught:
            account.boto("sqs").list_queues()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    account.boto("sqs").list_queues()


@pytest.mark.parametrize(
    ("service", "signed_as", "operation", "arguments"),
    [
        ("dynamodb", "dynamodb", "ListTables", {}),  # JSON
        ("sns", "sns", "ListTopics", {}),  # Query
        ("cloudwatch", "monitoring", "ListMetrics", {}),  # CBOR
        ("s3", "s3", "GetObject", {"Bucket": "b", "Key": "k"}),  # REST with XML
    ],
)
def test_a_fault_is_told_in_the_protocol_of_its_service(
    account: Account, service: str, signed_as: str, operation: str, arguments: dict[str, str]
) -> None:
    message = "too fast: " + "wait for a while & ask again <later>, " * 3
    account.front.inject(Fault(f"{signed_as}:{operation}", "Throttling", message=message))
    client = account.boto(service)
    method = next(m for m, o in client.meta.method_to_api_mapping.items() if o == operation)
    with pytest.raises(ClientError) as caught:
        getattr(client, method)(**arguments)
    error = caught.value.response["Error"]
    assert (error["Code"], error["Message"]) == ("Throttling", message)
    assert not account.front.faults.armed, "it fired"


def test_a_fault_waits_for_the_request_that_it_is_for(account: Account) -> None:
    sagemaker = account.boto("sagemaker")
    matching = {"EndpointName": "b"}
    account.front.inject(
        Fault("sagemaker:DescribeEndpoint", "ThrottlingException", matching=matching)
    )
    codes = []
    for name in "abb":
        with pytest.raises(ClientError) as caught:
            sagemaker.describe_endpoint(EndpointName=name)
        codes.append(caught.value.response["Error"]["Code"])
    assert codes == ["ValidationException", "ThrottlingException", "ValidationException"]


# Templates that cannot be deployed

QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {}}
ZONE = {"Zone": {"Type": "String", "Default": "UTC", "AllowedPattern": "^[A-Z]{3}$"}}


def refers_to(other: str) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": f"${{{other}}}"}}}


@pytest.mark.parametrize(
    ("resources", "given", "says"),
    [
        ({"Q": QUEUE}, {"Zome": "UTC"}, "parameter Zome: unknown; there are Zone"),
        ({"Q": QUEUE}, {"Zone": "utc"}, r"parameter Zone: 'utc' does not match \^\[A-Z\]"),
        (
            {"S": {"Type": "AWS::Kinesis::Stream", "Properties": {}}},
            {},
            "cannot make AWS::Kinesis::Stream",
        ),
        ({"A": refers_to("B"), "B": refers_to("A"), "Q": QUEUE}, {}, "in a circle: A, B$"),
        (
            {"Role": ROLE, "F": function("gone.main")},
            {},
            r"F \(AWS::Lambda::Function\): .* has no gone\.py",
        ),
        (
            {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Nobody"}}}},
            {},
            r"Q \(AWS::SQS::Queue\): Nobody is neither a parameter nor a resource",
        ),
    ],
    ids=["parameter", "pattern", "type", "circle", "handler", "reference"],
)
def test_what_is_wrong_with_a_template_is_named(
    account: Account, tmp_path: Path, resources: Any, given: Any, says: str
) -> None:
    path = template(tmp_path, resources, Parameters=ZONE)
    with pytest.raises(TemplateError, match=says):
        account.deploy(path, f"wrong-{uuid.uuid4().hex[:8]}", given)


def test_a_good_template_gives_its_outputs(account: Account, tmp_path: Path) -> None:
    outputs = {"Url": {"Value": {"Ref": "Q"}}, "Zone": {"Value": {"Ref": "Zone"}}}
    path = template(tmp_path, {"Q": QUEUE}, Parameters=ZONE, Outputs=outputs)
    found = account.deploy(path, "good", {"Zone": "CET"})
    assert found["Zone"] == "CET"
    assert found["Url"] in account.boto("sqs").list_queues(QueueNamePrefix="good")["QueueUrls"]


# Orders over HTTP


@pytest.mark.parametrize(
    ("what", "body", "says"),
    [
        ("faults", b'{"nonsense": 1}', "nonsense: unknown; a fault has operation, error_code"),
        ("faults", b'{"operation": "sqs:ListQueues"}', "error_code: is needed"),
        ("faults", b'{"operation": "ListQueues", "error_code": "X"}', "operation: 'ListQueues' is"),
        (
            "faults",
            b'{"operation": "sqs:ListQueues", "error_code": "X", "times": "2"}',
            "times: '2' is not a whole number from 1",
        ),
        (
            "faults",
            b'{"operation": "sqs:ListQueues", "error_code": "X", "times": 0}',
            "times: 0 is not a whole number from 1",
        ),
        (
            "faults",
            b'{"operation": "sqs:ListQueues", "error_code": "X", "status": 200}',
            "status: 200 is not a whole number from 400 to 599",
        ),
        ("faults", b"[1]", "the body is to be an object, not [1]"),
        ("faults", b"{", "the body is not JSON"),
        ("clock", b'{"speed": 0}', "speed: speed 0.0 must be above 0"),
        ("clock", b'{"jump_seconds": "soon"}', "jump_seconds: could not convert"),
    ],
)
def test_an_order_that_is_none_is_refused_with_its_reason(
    account: Account, what: str, body: bytes, says: str
) -> None:
    request = urllib.request.Request(
        f"{account.endpoint_url}/_embedded/{what}", data=body, method="POST"
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 400
    assert refused.value.read().decode().startswith(f"/_embedded/{what}: {says}")
    assert not account.front.faults.armed


def test_a_fault_is_ordered_over_http(account: Account) -> None:
    body = b'{"operation": "sqs:ListQueues", "error_code": "ServiceUnavailable", "status": 503}'
    request = urllib.request.Request(f"{account.endpoint_url}/_embedded/faults", data=body)
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert reply.status == 200
    with pytest.raises(ClientError, match="ServiceUnavailable"):
        account.boto("sqs").list_queues()
    assert account.front.fired[-1][1].operation == "sqs:ListQueues"
