"""Dead letters that somebody puts back, when what they failed on is mended. SQS gives them another
id, and nothing tells their senders of it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import boto3
from moto import mock_aws

from autoscaler.aws.requests import QueueRequests
from autoscaler.control.messages import Message, messages_of
from autoscaler.ports import Answer
from tests.desk import NAME, TestDesk, dispatch, memory_desk, message
from tests.memory import NOON
from tests.samples import awake, put

ASKED = {"messages": [{"role": "user", "content": "why?"}]}


def desk_of() -> TestDesk:
    made = memory_desk()
    put(made.world, awake(NAME))
    return made


def moment(milliseconds: int) -> datetime:
    return NOON + timedelta(milliseconds=milliseconds)


def put_back(message_id: str, body: str, attributes: dict[str, Any]) -> Message:
    """As Lambda hands it over."""
    record = {
        "messageId": message_id, "receiptHandle": "h", "body": body,
        "attributes": {"SentTimestamp": "0"},
        "messageAttributes": attributes,
    }  # fmt: skip
    (one,) = messages_of([record], moment)
    return one


def dead_letter(refused: Message) -> tuple[str, dict[str, Any]]:
    """Its body and its attributes, as SQS keeps them."""
    with mock_aws():
        sqs = boto3.client("sqs", region_name="us-east-1")
        url = sqs.create_queue(QueueName=f"autoscaler-{NAME}-dlq")["QueueUrl"]
        QueueRequests("autoscaler", sqs).refuse(NAME, refused.own_id, refused.body, "gave up")
        (found,) = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    told = found["MessageAttributes"]
    return found["Body"], {n: {"stringValue": one["StringValue"]} for n, one in told.items()}


def test_its_answer_is_where_its_sender_looks() -> None:
    desk, first = desk_of(), message(1, ASKED)
    desk.results.put(NAME, "m-1", {"id": "m-1", "error": "gave up after 8 tries"})
    again = put_back("given-by-sqs", *dead_letter(first))
    twice = put_back("and-once-more", *dead_letter(again))
    for one in (again, twice):
        assert one.first_id == "m-1"
    desk.models.answers = [Answer({"choices": []}, 1, 1)]
    dispatch(desk, NAME, [again])
    assert "answer" in desk.results.stored[f"{NAME}/m-1"]
    assert f"{NAME}/given-by-sqs" not in desk.results.stored


def test_an_id_of_its_own_comes_first() -> None:
    desk = desk_of()
    again = put_back("given-by-sqs", *dead_letter(message(1, {**ASKED, "id": "order-42"})))
    desk.models.answers = [Answer({"choices": []}, 1, 1)]
    dispatch(desk, NAME, [again])
    assert list(desk.results.stored) == [f"{NAME}/order-42"]


def test_what_a_sender_makes_up_takes_nobodys_answer() -> None:
    desk = desk_of()
    desk.models.answers = [Answer({"choices": [], "secret": True}, 1, 1)]
    dispatch(desk, NAME, [message(1, ASKED)])
    for number, body in enumerate(("no json", json.dumps({"prompt": "other"}))):
        made_up = {"autoscaler_id": {"stringValue": "m-1"}}
        dispatch(desk, NAME, [put_back(f"x-{number}", body, made_up)])
        assert desk.results.stored[f"{NAME}/m-1"]["answer"]["secret"]
        assert desk.results.stored[f"{NAME}/x-{number}"]["code"] == "bad_request"
    for bad in ("../other", "", "a b", "x" * 129):
        assert put_back("m-9", "{}", {"autoscaler_id": {"stringValue": bad}}).own_id == "m-9"
    others = {"message_id": {"stringValue": "a-name-of-the-senders-own"}}
    assert put_back("m-9", "{}", others).own_id == "m-9"
