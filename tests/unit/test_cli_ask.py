"""`ask` and `result` against queues and buckets of a stand-in; its one function is a stub."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.awslambda.models import LambdaBackend
from typer.testing import CliRunner, Result

from tests.cli_account import talks_to
from tools.cli import waiting
from tools.cli.app import app
from tools.cli.client import StackClient
from tools.cli.mailbox import MOST_INLINE_BYTES, Mailbox

BUCKET, QUEUE, LATER = "results", "autoscaler-llama", "autoscaler-llama-later"
TEMPLATE = {
    "Resources": {"Results": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": BUCKET}}},
    "Outputs": {
        "CommandFunctionName": {"Value": "accept-command"},
        "ResultsBucketName": {"Value": BUCKET},
    },
}
ENDPOINT = {
    "name": "llama", "phase": "WAKING", "lead_time_seconds": 400.0, "backlog": 1,
    "wished_at": "2026-11-24T06:00:00Z", "retry_at": None, "failure": None, "ladder": None,
}  # fmt: skip
CHAT = {"choices": [{"message": {"content": "because"}, "finish_reason": "stop"}]}


@dataclass
class Stub:
    """What `get` answers, and what happens when it is asked."""

    phases: list[str] = field(default_factory=lambda: ["WAKING"])
    known: bool = True
    then: Callable[[], Any] | None = None
    asked: int = 0

    def answer(self) -> dict[str, Any]:
        self.asked += 1
        if not self.known:
            problem = "there is no endpoint 'llama'; endpoints here: small"
            return {"ok": False, "error": "UnknownEndpointError", "problems": [problem]}
        is_last = len(self.phases) == 1
        phase = self.phases[0] if is_last else self.phases.pop(0)
        if self.then and is_last:
            self.then()
        return {"ok": True, "result": {"endpoints": [{**ENDPOINT, "phase": phase}]}}

    def run(self, *args: str, stdin: str = "") -> Result:
        return CliRunner().invoke(app, list(args), input=stdin)


@pytest.fixture
def stack(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    talks_to(server, monkeypatch)
    stub = Stub()
    monkeypatch.setattr(LambdaBackend, "invoke", lambda *_: json.dumps(stub.answer()).encode())
    monkeypatch.setattr(waiting, "_PHASE_SOONEST", 0.0)
    boto3.client("cloudformation").create_stack(
        StackName="autoscaler", TemplateBody=json.dumps(TEMPLATE)
    )
    url = boto3.client("sqs").create_queue(QueueName=QUEUE)["QueueUrl"]
    yield stub
    boto3.resource("s3").Bucket(BUCKET).objects.all().delete()
    boto3.client("sqs").delete_queue(QueueUrl=url)
    boto3.client("cloudformation").delete_stack(StackName="autoscaler")


def put(request_id: str, **result: Any) -> None:
    boto3.client("s3").put_object(
        Bucket=BUCKET,
        Key=f"results/llama/{request_id}.json",
        Body=json.dumps({"id": request_id, **result}).encode(),
    )


def sent(queue: str = QUEUE) -> list[dict[str, Any]]:
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in found]


def answers(stub: Stub, **result: Any) -> None:
    """The result comes when the endpoint is looked at last."""

    def come() -> None:
        (message,) = sent()
        put(message["id"], **result)
        stub.then = None

    stub.then = come


def test_the_answer_alone_is_on_stdout(stack: Stub) -> None:
    answers(stack, answer=CHAT)
    ran = stack.run("ask", "llama", "why?", "--system", "be short", "--max-tokens", "9")
    assert (ran.exit_code, ran.stdout) == (0, "because\n"), ran.output
    first, *_ = ran.stderr.splitlines()
    assert first.startswith("request ask-")


@pytest.fixture
def later() -> Iterator[None]:
    url = boto3.client("sqs").create_queue(QueueName=LATER)["QueueUrl"]
    yield
    boto3.client("sqs").delete_queue(QueueUrl=url)


def test_what_may_wait_goes_straight_where_it_waits(stack: Stub, later: None) -> None:
    for more in (["--deferrable"], []):
        assert stack.run("ask", "llama", "why?", "--no-wait", *more).exit_code == 0
    (waits,) = sent(LATER)
    assert waits["autoscaler"] == {"deferrable": True}
    (urgent,) = sent()
    assert "autoscaler" not in urgent


def test_what_may_wait_and_is_due_soon_goes_where_it_is_read_at_once(
    stack: Stub, later: None
) -> None:
    soon = ["--deferrable", "--deadline", "20m"]
    assert stack.run("ask", "llama", "why?", "--no-wait", *soon).exit_code == 0
    assert sent(LATER) == []
    (message,) = sent()
    assert message["autoscaler"]["deferrable"]


def test_an_endpoint_without_a_queue_for_what_may_wait_gets_it_in_its_own(stack: Stub) -> None:
    assert stack.run("ask", "llama", "why?", "--no-wait", "--deferrable").exit_code == 0
    (message,) = sent()
    assert message["autoscaler"] == {"deferrable": True}


def test_what_is_sent_is_a_chat_with_the_id_that_was_told(stack: Stub) -> None:
    ran = stack.run(
        "ask", "llama", "why?", "--no-wait", "--system", "be short",
        "--max-tokens", "9", "--temperature", "0",
    )  # fmt: skip
    assert ran.exit_code == 0
    (message,) = sent()
    assert message == {
        "id": ran.stdout.strip(),
        "messages": [
            {"role": "system", "content": "be short"},
            {"role": "user", "content": "why?"},
        ],
        "max_tokens": 9,
        "temperature": 0.0,
    }
    assert stack.asked == 0, "who only sends needs no other right"


def test_it_says_what_it_waits_for_once_a_phase(stack: Stub) -> None:
    stack.phases = ["ASLEEP", "ASLEEP", "WAKING", "AWAKE"]
    answers(stack, answer=CHAT)
    ran = stack.run("ask", "llama", "why?")
    assert ran.exit_code == 0
    told = ran.stderr.splitlines()[1:]
    assert [line.split(",")[0] for line in told] == [
        "llama is ASLEEP",
        "llama is WAKING",
        "llama is AWAKE",
    ]
    assert "a wake takes about 6m40s" in told[0]


def test_a_refusal_is_exit_status_1_with_its_reason(stack: Stub) -> None:
    answers(stack, error="max_tokens is too large")
    ran = stack.run("ask", "llama", "why?")
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr.splitlines()[-1] == "refused: max_tokens is too large"


def test_a_refused_id_that_is_sent_again_waits_for_its_own_outcome(
    stack: Stub, tmp_path: Path
) -> None:
    put("mine", error="busy")
    file = tmp_path / "body.json"
    file.write_text('{"id": "mine", "prompt": "x"}')
    answers(stack, answer={"choices": [{"text": "now"}]})
    ran = stack.run("ask", "llama", "--file", str(file))
    assert (ran.exit_code, ran.stdout) == (0, "now\n"), ran.stderr


def test_an_answered_id_that_is_sent_again_has_its_answer(stack: Stub) -> None:
    put("mine", answer=CHAT)
    body = '{"autoscaler": {"id": "mine", "priority": 9}, "prompt": "x"}'
    ran = stack.run("ask", "llama", "--file", "-", "--json", stdin=body)
    assert json.loads(ran.stdout) == {"id": "mine", "answer": CHAT}
    assert sent()[0]["autoscaler"] == {"id": "mine", "priority": 9}


def test_a_large_body_goes_by_way_of_s3(stack: Stub) -> None:
    body = {"id": "big", "prompt": "x" * MOST_INLINE_BYTES, "autoscaler": {"tenant": "search"}}
    ran = stack.run("ask", "llama", "--file", "-", "--no-wait", stdin=json.dumps(body))
    assert ran.exit_code == 0, ran.stderr
    uri = f"s3://{BUCKET}/requests/llama/big.json"
    assert sent() == [{"id": "big", "autoscaler": {"tenant": "search", "body": uri}}]
    stored = boto3.client("s3").get_object(Bucket=BUCKET, Key="requests/llama/big.json")
    assert json.loads(stored["Body"].read()) == {"prompt": body["prompt"]}


def test_what_a_request_says_besides_goes_under_the_reserved_key(stack: Stub) -> None:
    ran = stack.run("ask", "llama", "x", "--no-wait", "--deferrable", "--deadline", "2h", "--json")
    (message,) = sent()
    assert json.loads(ran.stdout) == {"endpoint": "llama", "id": message["id"]}
    assert message["autoscaler"]["deferrable"] is True
    assert message["autoscaler"]["deadline"].endswith("+00:00")


@pytest.mark.parametrize(
    ("args", "stdin", "words"),
    [
        ([], "", "give a prompt or --file, not both or neither"),
        (["x", "--file", "-"], "{}", "give a prompt or --file, not both or neither"),
        ([" "], "", "the prompt is empty"),
        (["--file", "-", "--system", "s"], "{}", "--system goes with a prompt"),
        (["--file", "/no/such"], "", "/no/such: there is no such file"),
        (["--file", "-"], "{", "standard input: is not JSON"),
        (["--file", "-"], "[]", "standard input: is no JSON object"),
        (["--file", "-"], '{"input": 1}', "it has none of messages, prompt, inputs"),
        (["--file", "-"], '{"id": "../x", "prompt": "x"}', "id '../x' cannot name a result"),
        (
            ["--file", "-"],
            '{"prompt": "x", "autoscaler": {"prio": 1}}',
            "standard input: autoscaler.prio: unknown key; did you mean `priority`?",
        ),
        (
            ["--file", "-"],
            '{"id": "a", "prompt": "x", "autoscaler": {"id": "b"}}',
            "id 'a' and autoscaler.id 'b' differ",
        ),
        (
            ["--file", "-"],
            '{"prompt": "x", "autoscaler": {"body": "s3://b/requests/e/i.json"}}',
            "autoscaler.body: what is asked stands in the file itself",
        ),
        (["--file", "-"], '{"prompt": "x", "autoscaler": 7}', "autoscaler: is not a mapping"),
        (["--file", "-"], '{"prompt": "x", "autoscaler": []}', "autoscaler: is not a mapping"),
        (["--file", "-"], '{"prompt": "x", "autoscaler": ""}', "autoscaler: is not a mapping"),
        (["--file", "-"], '{"prompt": "x", "top_p": NaN}', "is not JSON: NaN is no number in JSON"),
        (["--file", "-"], '{"prompt": "x", "top_p": 1e999}', "standard input: is not JSON: "),
        (["--file", "-"], '{"prompt": "x", "prompt": "y"}', "a key stands twice in an object"),
        (["--file", "-"], '{"prompt": "\\ud800"}', "half of a surrogate pair is no character"),
        (["\udce9"], "", "the prompt: is not UTF-8"),
        (["x", "--system", "\udce9"], "", "--system: is not UTF-8"),
        (["x", "--temperature", "inf"], "", "--temperature: inf is not finite: write 0.7"),
        (["x", "--deadline", "2020-01-01"], "", "--deadline: '2020-01-01' is over already"),
        (["x", "--deadline", "soon"], "", "--deadline: 'soon' is not a time"),
    ],
)
def test_a_wrong_question_is_not_sent(stack: Stub, args, stdin, words) -> None:
    ran = stack.run("ask", "llama", *args, stdin=stdin)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert words in ran.stderr and len(ran.stderr.splitlines()) == 1
    assert sent() == []


def test_a_reserved_key_that_is_null_counts_as_none(stack: Stub) -> None:
    body = '{"prompt": "x", "autoscaler": null}'
    ran = stack.run("ask", "llama", "--file", "-", "--no-wait", stdin=body)
    assert ran.exit_code == 0, ran.output
    assert sent() == [{"id": ran.stdout.strip(), "prompt": "x"}]


def test_an_unknown_endpoint_names_those_there_are(stack: Stub) -> None:
    stack.known = False
    for command in (["ask", "lama", "x"], ["result", "lama", "id"]):
        ran = stack.run(*command)
        assert (ran.exit_code, ran.stdout) == (2, "")
        assert ran.stderr == "there is no endpoint 'llama'; endpoints here: small\n"


def test_one_that_has_no_queue_yet_says_when(stack: Stub) -> None:
    stack.phases = ["STAGING"]
    ran = stack.run("ask", "other", "x")
    assert ran.exit_code == 1
    assert ran.stderr.startswith("other is STAGING and has no queue yet: ask when it is CREATING")


def test_an_endpoint_that_is_removed_meanwhile_ends_the_wait(stack: Stub) -> None:
    stack.known = False
    ran = stack.run("ask", "llama", "x")
    assert ran.exit_code == 1
    assert "llama was removed, and its queue with it" in ran.stderr
    assert len(sent()) == 1


def test_what_it_may_not_see_keeps_nobody_from_the_answer(
    stack: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(stack, answer=CHAT)
    plain = stack.answer

    def fails() -> Any:
        plain()
        return {"errorType": "KeyError"}

    monkeypatch.setattr(stack, "answer", fails)
    monkeypatch.setattr(
        StackClient, "command", lambda self, *_, **__: _denied(plain, "lambda:InvokeFunction")
    )
    ran = stack.run("ask", "llama", "x")
    assert (ran.exit_code, ran.stdout) == (0, "because\n")
    assert "how llama does cannot be seen: AWS denies" in ran.stderr


def _denied(plain: Callable[[], Any], action: str) -> Any:
    from tools.cli.client import CliError

    plain()
    raise CliError(f"AWS denies Invoke: not authorized to perform {action}")


@pytest.mark.parametrize(
    ("service", "operation", "words"),
    [
        ("sqs", "SendMessage", "this takes sqs:SendMessage on the endpoint's queue"),
        ("sqs", "GetQueueUrl", "this takes sqs:GetQueueUrl on the endpoint's queue"),
        ("s3", "GetObject", "s3:GetObject on results/* and s3:ListBucket on the results bucket"),
        ("s3", "PutObject", "this takes s3:PutObject on requests/*"),
    ],
)
def test_a_missing_right_is_named(
    stack: Stub, monkeypatch: pytest.MonkeyPatch, service, operation, words
) -> None:
    made, fired = StackClient.boto, []

    def boto(self: StackClient, name: str) -> Any:
        client = made(self, name)

        def deny(**_: Any) -> None:
            fired.append(operation)
            said = {"Error": {"Code": "AccessDenied", "Message": "no"}}
            raise ClientError(said, operation)

        if name == service:
            client.meta.events.register(f"before-call.{service}.{operation}", deny)
        return client

    monkeypatch.setattr(StackClient, "boto", boto)
    body = json.dumps({"prompt": "x" * (MOST_INLINE_BYTES if operation == "PutObject" else 1)})
    ran = stack.run("ask", "llama", "--file", "-", stdin=body)
    assert (ran.exit_code, ran.stdout, fired) == (1, "", [operation])
    last = ran.stderr.splitlines()[-1]
    assert last.startswith(f"AWS denies {operation}: no; ") and words in last


def test_a_result_is_fetched_waited_for_or_said_to_be_missing(stack: Stub) -> None:
    missing = stack.run("result", "llama", "one")
    assert missing.exit_code == 3
    assert missing.stderr.startswith("there is no result of one yet: ")
    stack.then = lambda: put("one", answer=CHAT)
    assert stack.run("result", "llama", "one", "--wait").stdout == "because\n"
    assert stack.run("result", "llama", "one").stdout == "because\n"
    assert json.loads(stack.run("result", "llama", "one", "--json").stdout)["answer"] == CHAT
    put("two", error="no")
    refused = stack.run("result", "llama", "two", "--json")
    assert (refused.exit_code, json.loads(refused.stdout)["error"]) == (1, "no")
    assert stack.run("result", "llama", "../x").exit_code == 2


def test_what_is_interrupted_says_how_to_go_on(
    stack: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Mailbox, "look", interrupted)
    ran = stack.run("ask", "llama", "x")
    assert (ran.exit_code, ran.stdout) == (130, "")
    assert "autoscaler result llama ask-" in ran.stderr.splitlines()[-1]


def test_who_waits_for_a_closed_window_is_told_its_name_and_its_end() -> None:
    closed = {"window": "night", "until": "2026-11-24T14:00:00+00:00"}
    asleep = {**ENDPOINT, "phase": "ASLEEP", "closed": closed}
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert waiting.expectation(asleep, now) == (
        "llama is ASLEEP, closed by window night until 2026-11-24 14:00 UTC"
    )
    assert "a wake takes about 6m40s" in waiting.expectation({**asleep, "closed": None}, now)
