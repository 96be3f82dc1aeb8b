"""SNS subscriptions: functions, queues, e-mails, filters."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from tests.embedded.test_pump_world import World, eventually, world


def topic(at: World, protocol: str, endpoint: str, **attributes: str) -> str:
    sns = at.boto("sns")
    arn = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=arn, Protocol=protocol, Endpoint=endpoint, Attributes=attributes)
    return arn


def test_a_function_is_sent_a_true_event():
    with world() as at:
        arn = topic(at, "lambda", at.function("hear"))
        sent = at.boto("sns").publish(
            TopicArn=arn,
            Message="hello",
            Subject="s",
            MessageAttributes={"kind": {"DataType": "String", "StringValue": "a"}},
        )
        record = eventually(lambda: at.functions.events("hear"))[0]["Records"][0]
        assert record["EventSource"] == "aws:sns"
        assert record["EventSubscriptionArn"].startswith(arn)
        message = record["Sns"]
        assert message["MessageId"] == sent["MessageId"]
        assert (message["Message"], message["Subject"], message["TopicArn"]) == ("hello", "s", arn)
        assert message["MessageAttributes"] == {"kind": {"Type": "String", "Value": "a"}}
        assert message["Timestamp"].startswith("2026-03-02T12:0")
        assert "SigningCertUrl" in message and "UnsubscribeUrl" in message
        time.sleep(0.05)
        assert len(at.functions.events("hear")) == 1


def test_a_queue_gets_each_message_once_wrapped_or_raw():
    with world() as at:
        url, queue = at.queue("q")
        raw_url, raw_queue = at.queue("raw")
        arn = topic(at, "sqs", queue)
        at.boto("sns").subscribe(
            TopicArn=arn,
            Protocol="sqs",
            Endpoint=raw_queue,
            Attributes={"RawMessageDelivery": "true"},
        )
        at.boto("sns").publish(TopicArn=arn, Message="hello")
        assert json.loads(at.received(url)[0]["Body"])["Message"] == "hello"
        assert at.received(raw_url)[0]["Body"] == "hello"
        assert at.received(url, 1, 0.2) == []


def test_filter_policies_hold_back():
    with world() as at:
        arn = topic(
            at,
            "lambda",
            at.function("hear"),
            FilterPolicy=json.dumps({"kind": ["a", {"prefix": "b"}]}),
        )
        for kind in ("a", "c", "b2"):
            at.boto("sns").publish(
                TopicArn=arn,
                Message=kind,
                MessageAttributes={"kind": {"DataType": "String", "StringValue": kind}},
            )
        eventually(lambda: len(at.functions.events("hear")) == 2)
        time.sleep(0.05)
        got = {e["Records"][0]["Sns"]["Message"] for e in at.functions.events("hear")}
        assert got == {"a", "b2"}


def test_e_mails_are_kept_in_the_outbox():
    with world() as at:
        arn = topic(at, "email", "ops@example.com")
        at.boto("sns").publish(TopicArn=arn, Message="wake failed", Subject="Alarm")
        email = at.pump.outbox[0]
        assert (email.address, email.subject, email.message) == (
            "ops@example.com",
            "Alarm",
            "wake failed",
        )


def test_a_dead_subscription_uses_its_dead_letter_queue():
    with world() as at:
        url, dead = at.queue("dead")
        arn = topic(
            at,
            "lambda",
            "arn:aws:lambda:us-east-1:1:function:none",
            RedrivePolicy=json.dumps({"deadLetterTargetArn": dead}),
        )
        at.boto("sns").publish(TopicArn=arn, Message="hello")
        body = json.loads(at.received(url)[0]["Body"])
        assert body["Records"][0]["Sns"]["Message"] == "hello"


def test_publishing_costs_little():
    with world() as at:
        _, queue = at.queue("q")
        arn = topic(at, "sqs", queue)
        began = time.monotonic()
        for _ in range(10):
            at.boto("sns").publish(TopicArn=arn, Message="x")
        assert time.monotonic() - began < 2.0  # moto's own signing takes up to 0.3 s for a key


def test_envelopes_are_those_of_the_service():
    with world() as at:
        url, queue = at.queue("q")
        arn = topic(at, "sqs", queue)
        at.boto("sns").publish(
            TopicArn=arn,
            MessageStructure="json",
            Message=json.dumps({"default": "d", "sqs": "for queues"}),
        )
        body = json.loads(at.received(url)[0]["Body"])
        assert body["Message"] == "for queues"
        assert set(body) == {
            "Type",
            "MessageId",
            "TopicArn",
            "Message",
            "Timestamp",
            "SignatureVersion",
            "Signature",
            "SigningCertURL",
            "UnsubscribeURL",
        }


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_web_hook_is_posted_to():
    server = HTTPServer(("127.0.0.1", 0), _Hook)
    server.bodies = []
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        with world() as at:
            from moto.core.models import responses_mock

            responses_mock.add_passthru(address)
            arn = topic(at, "http", address)
            at.boto("sns").publish(TopicArn=arn, Message="hello")
            eventually(lambda: server.bodies)
            assert json.loads(server.bodies[0])["Message"] == "hello"
    finally:
        server.shutdown()
        server.server_close()
