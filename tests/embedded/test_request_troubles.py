"""What can be let loose on requests: deliveries that come twice, processes that die, models that
fail, and two writes of one object at the same moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from urllib3.exceptions import ProtocolError

from tests.embedded.kernel_lab import FUNCTIONS, START, invoke, template
from tests.embedded.test_pump_mappings import mapping, waiting
from tests.embedded.test_pump_world import eventually, world
from tests.embedded.test_sagemaker_answers import Lab
from tools.embedded.kernel.account import Account
from tools.embedded.kernel.crashes import Crashes
from tools.embedded.pump.leftovers import Leftovers
from tools.embedded.sagemaker.trouble import Failure, ModelTrouble

MESSAGES = 40


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    folder = tmp_path_factory.mktemp("account")
    with Account(folder, start=START, speed=600) as running:
        running.deploy(template(folder, FUNCTIONS), "functions")
        yield running
        running.runtime.crashes = None


def test_a_message_that_leaves_a_copy_is_delivered_again_until_each_was_deleted() -> None:
    with world(speed=600) as at:
        at.function("work")
        url, arn = at.queue("jobs", VisibilityTimeout="3600")
        left = at.pump.queues.leftovers = Leftovers(0.3, seed=1, prefix="jobs")
        mapping(at, arn)
        for number in range(MESSAGES):
            at.boto("sqs").send_message(QueueUrl=url, MessageBody=str(number))
        eventually(lambda: waiting(at, url) == (0, 0) and left.receives >= MESSAGES, 10)
        records = [one for event in at.functions.events("work") for one in event["Records"]]
        came = Counter(one["messageId"] for one in records)
        assert len(came) == MESSAGES
        assert left.fired > 5
        assert came.total() == MESSAGES + left.fired
        assert len({one["receiptHandle"] for one in records}) == came.total()


def test_which_receives_leave_a_copy_follows_from_the_seed_and_other_queues_are_spared() -> None:
    with world() as at:
        url, _ = at.queue("others")
        left = at.pump.queues.leftovers = Leftovers(0.9, seed=1, prefix="jobs")
        at.boto("sqs").send_message(QueueUrl=url, MessageBody="x")
        assert len(at.received(url)) == 1
        assert left.receives == 0
    with pytest.raises(ValueError, match="rate: 1 is not a share"):
        Leftovers(1, seed=1)


def test_a_process_that_is_killed_at_its_work_fails_that_invocation_alone(account: Account) -> None:
    crashes = account.runtime.crashes = Crashes("napper", 0.5, seed=3)
    nap = {"mib": 1, "seconds": 0.3}
    fates = [invoke(account, "napper", nap) for _ in range(12)]
    died = [answer["errorType"] for answer, error in fates if error]
    assert 0 < crashes.fired == len(died) <= crashes.struck < crashes.invocations == len(fates)
    assert set(died) == {"Runtime.ExitError"}
    assert invoke(account, "one", {})[1] is None, "another function is let alone"
    assert crashes.invocations == len(fates)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.served.close()


def fate(lab: Lab, number: int) -> str:
    """What a caller sees of one stream."""
    try:
        text = b"".join(lab.stream(prompt=f"say {number}", max_tokens=40, stream=True))
    except ClientError as error:
        status = error.response.get("OriginalStatusCode")
        return f"{error.response['Error']['Code']} {status or ''}".strip()
    except ProtocolError as error:
        return type(error).__name__
    return "whole" if text.endswith(b"[DONE]\n\n") else "cut"


def test_a_model_fails_in_every_way_and_a_stream_that_breaks_is_never_whole(lab: Lab) -> None:
    trouble = lab.service.trouble = ModelTrouble(0.5, seed=2)
    fates = Counter(fate(lab, number) for number in range(60))
    assert trouble.calls == 60
    assert set(trouble.failed) == set(Failure)
    assert fates["whole"] == 60 - trouble.failed.total()
    seen = {
        Failure.THROTTLED: "ThrottlingException",
        Failure.UNAVAILABLE: "ServiceUnavailable",
        Failure.INTERNAL: "InternalFailure",
        Failure.OVERLOADED: "ModelError 429",
        Failure.CRASHED: "ModelError 500",
        Failure.BROKEN: "ModelStreamError",
        Failure.SEVERED: "ProtocolError",
    }
    assert {kind: fates[code] for kind, code in seen.items()} == {
        kind: trouble.failed[kind] for kind in seen
    }


def test_of_two_writes_on_the_same_condition_one_is_carried_out(account: Account) -> None:
    s3 = account.boto("s3")
    s3.create_bucket(Bucket="results")

    def write(number: int) -> Any:
        try:
            s3.put_object(
                Bucket="results", Key=f"k{number // 4}", Body=str(number), IfNoneMatch="*"
            )
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "written"

    with ThreadPoolExecutor(4) as pool:
        fates = Counter(pool.map(write, range(200)))
    assert fates == {"written": 50, "PreconditionFailed": 150}
