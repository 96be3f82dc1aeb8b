"""SQS event source mappings: batches, partial failures, visibility, redrive, concurrency."""

from __future__ import annotations

import json
import threading
import time
from itertools import pairwise
from statistics import median

import pytest
from botocore.exceptions import ClientError

from tests.embedded.test_pump_world import World, eventually, world


def mapping(at: World, arn: str, function: str = "work", **more: object) -> str:
    made = at.boto("lambda").create_event_source_mapping(
        EventSourceArn=arn, FunctionName=function, **more
    )
    return made["UUID"]


def ids(event: dict) -> list[str]:
    return [r["messageId"] for r in event["Records"]]


def waiting(at: World, url: str) -> tuple[int, int]:
    """Visible and hidden messages."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = at.boto("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(found[names[0]]), int(found[names[1]])


def test_a_message_reaches_its_function_in_the_shape_that_lambda_gives_it():
    with world() as at:
        at.function("work")
        url, arn = at.queue("jobs")
        mapping(at, arn)
        sent = at.boto("sqs").send_message(
            QueueUrl=url,
            MessageBody="hello",
            MessageAttributes={
                "kind": {"DataType": "String", "StringValue": "a"},
                "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
            },
        )
        event = eventually(lambda: at.functions.events("work"))[0]
        record = event["Records"][0]
        assert record["messageId"] == sent["MessageId"]
        assert record["body"] == "hello"
        assert record["md5OfBody"] == sent["MD5OfMessageBody"]
        assert record["eventSource"] == "aws:sqs"
        assert record["eventSourceARN"] == arn
        assert record["awsRegion"] == "us-east-1"
        assert record["attributes"]["ApproximateReceiveCount"] == "1"
        sent_at = int(record["attributes"]["SentTimestamp"])
        assert abs(sent_at / 1000 - at.clock.time()) < 5  # simulated time, not the wall's
        assert int(record["attributes"]["ApproximateFirstReceiveTimestamp"]) >= sent_at
        assert record["messageAttributes"]["kind"] == {
            "stringValue": "a",
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": "String",
        }
        assert record["messageAttributes"]["raw"]["binaryValue"] == "AP8="
        eventually(lambda: waiting(at, url) == (0, 0))


ARN = "arn:aws:lambda:us-east-1:123456789012:function:work"
NAMES = ["work", "123456789012:function:work", ARN, f"{ARN}:$LATEST", "work:$LATEST"]


@pytest.mark.parametrize("made_with", NAMES)
def test_a_mapping_is_found_by_every_name_of_its_function(made_with: str) -> None:
    with world() as at:
        for name in ("work", "other"):
            at.function(name)
        _, arn = at.queue("jobs")
        uuid = mapping(at, arn, made_with)
        client = at.boto("lambda")

        def listed(name: str, source: str = arn) -> list[str]:
            found = client.list_event_source_mappings(EventSourceArn=source, FunctionName=name)
            return [one["UUID"] for one in found["EventSourceMappings"]]

        assert [listed(name) for name in NAMES] == [[uuid]] * len(NAMES)
        assert listed("other") == listed("wor") == listed("work:live") == []
        assert listed("work", arn + "-2") == []


def test_a_second_mapping_of_the_same_pair_is_refused() -> None:
    with world() as at:
        for name in ("work", "other"):
            at.function(name)
        _, arn = at.queue("jobs")
        uuid = mapping(at, arn, ARN)
        with pytest.raises(ClientError, match=f"already exists.*{uuid}") as refused:
            mapping(at, arn, "work")
        assert refused.value.response["Error"]["Code"] == "ResourceConflictException"
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409
        mapping(at, arn, "other")
        at.boto("lambda").delete_event_source_mapping(UUID=uuid)
        mapping(at, arn, "work")


def test_the_function_is_invoked_within_30_milliseconds_of_the_send():
    with world() as at:
        at.function("work")
        url, arn = at.queue("jobs")
        mapping(at, arn)
        time.sleep(0.3)
        sqs, delays = at.boto("sqs"), []
        for number in range(20):
            sqs.send_message(QueueUrl=url, MessageBody="x")
            sent = time.monotonic()  # after the answer: an invocation before it counts as zero
            eventually(lambda wanted=number + 1: len(at.functions.calls) == wanted)
            delays.append(max(0.0, at.functions.calls[-1][2] - sent))
            time.sleep(0.02)
        assert median(delays) < 0.030


def test_a_batch_holds_up_to_batch_size_messages():
    with world() as at:
        at.function("work")
        url, arn = at.queue("jobs")
        at.boto("sqs").send_message_batch(
            QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": str(n)} for n in range(7)]
        )
        mapping(at, arn, BatchSize=3)
        eventually(lambda: sum(len(e["Records"]) for e in at.functions.events("work")) == 7)
        assert max(len(e["Records"]) for e in at.functions.events("work")) == 3


def test_a_batching_window_gathers_messages():
    with world(speed=20) as at:
        at.function("work")
        url, arn = at.queue("jobs", VisibilityTimeout="300")
        mapping(at, arn, BatchSize=4, MaximumBatchingWindowInSeconds=20)
        for _ in range(3):
            at.boto("sqs").send_message(QueueUrl=url, MessageBody="x")
        eventually(lambda: at.functions.events("work"))
        assert [len(e["Records"]) for e in at.functions.events("work")] == [3]


def test_only_the_failed_messages_of_a_batch_come_back():
    def handler(event):
        failed = [r["messageId"] for r in event["Records"] if r["body"] == "bad"]
        return {"batchItemFailures": [{"itemIdentifier": i} for i in failed]}

    with world(speed=60) as at:
        at.function("work", handler)
        url, arn = at.queue("jobs", VisibilityTimeout="30")
        mapping(at, arn, FunctionResponseTypes=["ReportBatchItemFailures"])
        at.boto("sqs").send_message_batch(
            QueueUrl=url,
            Entries=[{"Id": "1", "MessageBody": "good"}, {"Id": "2", "MessageBody": "bad"}],
        )
        eventually(
            lambda: (
                len(
                    [
                        r
                        for e in at.functions.events("work")
                        for r in e["Records"]
                        if r["body"] == "bad"
                    ]
                )
                >= 3
            )
        )
        bodies = [r["body"] for e in at.functions.events("work") for r in e["Records"]]
        assert bodies.count("good") == 1
        counts = [
            r["attributes"]["ApproximateReceiveCount"]
            for e in at.functions.events("work")
            for r in e["Records"]
            if r["body"] == "bad"
        ]
        assert counts[:3] == ["1", "2", "3"]


@pytest.mark.parametrize(
    "answer",
    [
        b"not json",
        {"batchItemFailures": [{"itemIdentifier": ""}]},
        {"batchItemFailures": [{"itemIdentifier": "unknown"}]},
        {"batchItemFailures": [{}]},
        {"batchItemFailures": "no"},
        "text",
    ],
)
def test_a_malformed_answer_fails_the_whole_batch(answer):
    with world() as at:
        at.function("work", lambda event: answer)
        url, arn = at.queue("jobs")
        mapping(at, arn, FunctionResponseTypes=["ReportBatchItemFailures"])
        at.boto("sqs").send_message(QueueUrl=url, MessageBody="x")
        eventually(lambda: at.functions.events("work"))
        time.sleep(0.1)
        assert waiting(at, url) == (0, 1)


@pytest.mark.parametrize(
    "answer", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}, b""]
)
def test_an_empty_answer_is_success(answer):
    with world() as at:
        at.function("work", lambda event: answer)
        url, arn = at.queue("jobs")
        mapping(at, arn, FunctionResponseTypes=["ReportBatchItemFailures"])
        at.boto("sqs").send_message(QueueUrl=url, MessageBody="x")
        eventually(lambda: at.functions.events("work"))
        eventually(lambda: waiting(at, url) == (0, 0))


def test_a_function_error_keeps_messages_until_the_dead_letter_queue_takes_them():
    def broken(event):
        raise AssertionError("broken")

    with world(speed=100) as at:
        at.function("work", broken)
        dead_url, dead_arn = at.queue("dead")
        url, arn = at.queue(
            "jobs",
            VisibilityTimeout="20",
            RedrivePolicy=json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 3}),
        )
        mapping(at, arn)
        at.boto("sqs").send_message(QueueUrl=url, MessageBody="poison")
        assert at.received(dead_url)[0]["Body"] == "poison"
        assert len(at.functions.events("work")) == 3
        assert waiting(at, url) == (0, 0)


def test_failed_messages_stay_hidden_for_the_whole_visibility_timeout():
    with world(speed=50) as at:
        seen: list[float] = []

        def broken(event):
            seen.append(at.clock.time())
            raise AssertionError("broken")

        at.function("work", broken)
        url, arn = at.queue("jobs", VisibilityTimeout="30")
        mapping(at, arn)
        at.boto("sqs").send_message(QueueUrl=url, MessageBody="x")
        eventually(lambda: len(seen) >= 3)
        gaps = [b - a for a, b in pairwise(seen)]
        assert all(28 <= gap < 45 for gap in gaps[:2]), gaps  # seen a little after the receive


def test_a_visibility_that_the_handler_changed_is_respected():
    with world(speed=50) as at:
        seen: list[float] = []
        sqs = at.boto("sqs")
        url, arn = at.queue("jobs", VisibilityTimeout="600")

        def shortens(event):
            seen.append(at.clock.time())
            sqs.change_message_visibility(
                QueueUrl=url,
                ReceiptHandle=event["Records"][0]["receiptHandle"],
                VisibilityTimeout=40 if len(seen) == 1 else 0,
            )
            return {"batchItemFailures": [{"itemIdentifier": i} for i in ids(event)]}

        at.function("work", shortens)
        mapping(at, arn, FunctionResponseTypes=["ReportBatchItemFailures"])
        sqs.send_message(QueueUrl=url, MessageBody="x")
        eventually(lambda: len(seen) >= 3)
        assert 40 <= seen[1] - seen[0] < 60
        assert seen[2] - seen[1] < 20


def test_batches_run_in_parallel_up_to_maximum_concurrency():
    running, most, lock = [0], [0], threading.Lock()

    def slow(event):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.5)  # long enough that a busy machine starts all of them
        with lock:
            running[0] -= 1

    with world() as at:
        at.function("work", slow)
        url, arn = at.queue("jobs")
        uuid = mapping(at, arn, BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
        described = at.boto("lambda").get_event_source_mapping(UUID=uuid)
        assert described["ScalingConfig"] == {"MaximumConcurrency": 2}
        for _ in range(8):
            at.boto("sqs").send_message(QueueUrl=url, MessageBody="x")
        eventually(lambda: len(at.functions.calls) == 8)
        assert most[0] == 2
        at.boto("lambda").update_event_source_mapping(
            UUID=uuid, ScalingConfig={"MaximumConcurrency": 4}
        )
        for _ in range(8):
            at.boto("sqs").send_message(QueueUrl=url, MessageBody="x")
        eventually(lambda: len(at.functions.calls) == 16)
        assert most[0] == 4


def test_a_mapping_can_be_disabled_enabled_and_deleted():
    with world() as at:
        at.function("work")
        url, arn = at.queue("jobs")
        client = at.boto("lambda")
        uuid = mapping(at, arn, Enabled=False)
        at.boto("sqs").send_message(QueueUrl=url, MessageBody="1")
        time.sleep(0.15)
        assert at.functions.calls == []
        client.update_event_source_mapping(UUID=uuid, Enabled=True)
        eventually(lambda: len(at.functions.calls) == 1)
        client.delete_event_source_mapping(UUID=uuid)
        eventually(lambda: not [t for t in threading.enumerate() if uuid[:8] in t.name])
        at.boto("sqs").send_message(QueueUrl=url, MessageBody="2")
        time.sleep(0.15)
        assert len(at.functions.calls) == 1
        assert waiting(at, url) == (1, 0)


def test_messages_that_pass_no_filter_are_dropped():
    with world() as at:
        at.function("work")
        url, arn = at.queue("jobs")
        mapping(
            at,
            arn,
            FilterCriteria={
                "Filters": [
                    {"Pattern": json.dumps({"body": {"kind": ["chat", {"prefix": "emb"}]}})}
                ]
            },
        )
        for body in ('{"kind": "chat"}', '{"kind": "other"}', "no json", '{"kind": "embed"}'):
            at.boto("sqs").send_message(QueueUrl=url, MessageBody=body)
        eventually(lambda: waiting(at, url) == (0, 0) and len(at.functions.calls) >= 1)
        time.sleep(0.05)
        bodies = [r["body"] for e in at.functions.events("work") for r in e["Records"]]
        assert sorted(bodies) == ['{"kind": "chat"}', '{"kind": "embed"}']


def test_a_throttled_function_gets_its_messages_later():
    refusals = [3]

    def busy(event):
        if refusals[0]:
            refusals[0] -= 1
            raise RuntimeError("TooManyRequestsException")

    with world(speed=100) as at:
        at.function("work", busy)
        url, arn = at.queue("jobs", VisibilityTimeout="60")
        mapping(at, arn)
        at.boto("sqs").send_message(QueueUrl=url, MessageBody="x")
        eventually(lambda: waiting(at, url) == (0, 0) and len(at.functions.calls) == 4)
        counts = {
            e["Records"][0]["attributes"]["ApproximateReceiveCount"]
            for e in at.functions.events("work")
        }
        assert counts == {"1"}


def test_a_delayed_message_is_delivered_when_its_delay_is_over():
    with world(speed=50) as at:
        at.function("work")
        url, arn = at.queue("jobs")
        mapping(at, arn)
        sent = at.clock.time()
        at.boto("sqs").send_message(QueueUrl=url, MessageBody="x", DelaySeconds=30)
        eventually(lambda: at.functions.calls)
        assert 30 <= at.clock.time() - sent < 60


def test_no_message_is_lost_or_doubled_under_concurrent_sends():
    with world() as at:
        at.function("work", lambda event: None)
        url, arn = at.queue("jobs", VisibilityTimeout="120")
        mapping(at, arn, BatchSize=5)
        clients = [at.boto("sqs") for _ in range(4)]

        def send(client, start):
            for n in range(start, start + 50):
                client.send_message(QueueUrl=url, MessageBody=str(n))

        senders = [threading.Thread(target=send, args=(c, i * 50)) for i, c in enumerate(clients)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        eventually(lambda: waiting(at, url) == (0, 0), 20)
        bodies = [r["body"] for e in at.functions.events("work") for r in e["Records"]]
        assert sorted(map(int, bodies)) == list(range(200))


def test_a_fifo_queue_keeps_the_order_of_each_group():
    order: list[str] = []

    def slow(event):
        order.extend(r["body"] for r in event["Records"])
        time.sleep(0.02)

    with world() as at:
        at.function("work", slow)
        url, arn = at.queue("jobs.fifo", FifoQueue="true", ContentBasedDeduplication="true")
        mapping(at, arn, BatchSize=1)
        for n in range(6):
            for group in "ab":
                at.boto("sqs").send_message(
                    QueueUrl=url, MessageBody=f"{group}{n}", MessageGroupId=group
                )
        eventually(lambda: len(order) == 12)
        assert [o for o in order if o[0] == "a"] == [f"a{n}" for n in range(6)]
        assert [o for o in order if o[0] == "b"] == [f"b{n}" for n in range(6)]


def test_a_long_poll_waits_simulated_seconds():
    with world(speed=100) as at:
        url, _ = at.queue("jobs")
        began = time.monotonic()
        assert "Messages" not in at.boto("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=20)
        assert time.monotonic() - began < 0.6


def test_moto_does_not_invoke_a_mapped_function_in_the_senders_request():
    with world() as at:
        at.function("work")
        url, arn = at.queue("jobs")
        uuid = mapping(at, arn)
        at.boto("lambda").update_event_source_mapping(UUID=uuid, Enabled=False)
        at.pump.mappings.stop()
        at.boto("sqs").send_message(QueueUrl=url, MessageBody="x")
        assert waiting(at, url) == (1, 0)


def test_stop_ends_all_threads_within_a_second_and_leaves_moto_as_it_was():
    from moto.awslambda.models import LambdaBackend
    from moto.sqs import models

    before = (
        models.Queue.add_message,
        models.SQSBackend.receive_message,
        models.unix_time,
        LambdaBackend.create_event_source_mapping,
    )
    threads = set(threading.enumerate())
    with world() as at:
        at.function("work")
        _, arn = at.queue("jobs")
        mapping(at, arn)
        time.sleep(0.1)
        assert models.Queue.add_message is not before[0]
        began = time.monotonic()
    assert time.monotonic() - began < 1.0
    assert not [t for t in set(threading.enumerate()) - threads if t.is_alive()]
    after = (
        models.Queue.add_message,
        models.SQSBackend.receive_message,
        models.unix_time,
        LambdaBackend.create_event_source_mapping,
    )
    assert after == before
