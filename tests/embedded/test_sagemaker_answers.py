"""The data plane through real clients: answers, streams, refusals, and what is counted of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError

from tests.embedded.sagemaker_lab import PATIENCE_SECONDS, STILL, Served, Sink, Stage, until
from tools.embedded.kernel.clock import AccountClock
from tools.embedded.sagemaker import SageMakerService, SimSettings
from tools.embedded.types import Fault

SPEED = 100  # simulated seconds per wall second


class Lab(Stage):
    def __init__(self, folder: Path, copies: int = 1, **options: Any) -> None:
        self.clock = AccountClock(folder / "clock", datetime(2026, 3, 2, tzinfo=UTC), SPEED)
        self.sink = Sink()
        self.service = SageMakerService(self.clock, self.sink, self.sink, **options)
        self.served = Served(self.service)
        super().__init__(self.served)
        self.model(Environment={"SM_VLLM_MAX_MODEL_LEN": "8192"})
        self.config()
        self.endpoint()
        self.clock.jump(121)
        self.component(copies=copies)
        self.clock.jump(300)

    def ask(self, **body: Any) -> dict[str, Any]:
        """The parsed answer of InvokeEndpoint."""
        answer = self.runtime.invoke_endpoint(
            EndpointName="e",
            InferenceComponentName="ic",
            ContentType="application/json",
            Body=json.dumps(body),
        )
        found: dict[str, Any] = json.loads(answer["Body"].read())
        return found

    def stream(self, **body: Any) -> Iterator[bytes]:
        answer = self.runtime.invoke_endpoint_with_response_stream(
            EndpointName="e",
            InferenceComponentName="ic",
            ContentType="application/json",
            Body=json.dumps(body),
        )
        for event in answer["Body"]:
            yield event["PayloadPart"]["Bytes"]

    def fails(self, **body: Any) -> Any:
        with pytest.raises(ClientError) as caught:
            self.ask(**body)
        return caught.value.response

    def settle(self, seconds: float = 21) -> None:
        """Lets metrics of what was done come out."""
        self.clock.jump(seconds)
        world, out = self.service.world, threading.Event()
        world.look()
        world.send(out.set)  # what is sent comes out in order
        world.flush()
        assert out.wait(PATIENCE_SECONDS)

    def outstanding(self) -> list[int]:
        """Requests by copy."""
        with self.service.world.lock:
            copies = self.service.world.components["ic"].ready
            return [copy.load.outstanding(self.clock.time()) for copy in copies]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.served.close()


def events(raw: bytes) -> list[Any]:
    lines = [line.removeprefix(b"data:").strip() for line in raw.split(b"\n\n") if line]
    return [json.loads(line) for line in lines if line != b"[DONE]"]


CHAT = {"messages": [{"role": "user", "content": "x" * 24_000}]}  # 6,000 tokens: one second


def test_a_chat_is_answered_with_usage(lab: Lab) -> None:
    found = lab.ask(messages=[{"role": "user", "content": "a" * 40}], max_tokens=7)
    assert found["object"] == "chat.completion"
    assert found["usage"] == {"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17}
    (choice,) = found["choices"]
    assert choice["finish_reason"] == "length"
    assert len(choice["message"]["content"].split()) == 7


def test_the_same_question_has_the_same_answer_and_no_limit_means_64_tokens(lab: Lab) -> None:
    first, second = lab.ask(prompt="why?"), lab.ask(prompt="why?")
    assert first["choices"] == second["choices"]
    assert first["choices"][0]["finish_reason"] == "stop"
    assert first["usage"]["completion_tokens"] == 64
    assert first["object"] == "text_completion"


def test_an_answer_takes_its_simulated_time(lab: Lab) -> None:
    before = lab.clock.time()
    lab.ask(**CHAT, max_tokens=500)
    assert lab.clock.time() - before >= 0.3 + 1 + 9
    lab.settle()
    assert lab.sink.values("ModelLatency") == [pytest.approx((0.3 + 1 + 9) * 1e6, rel=0.01)]


def test_a_stream_comes_in_pieces_and_adds_up_to_the_whole(lab: Lab) -> None:
    messages = [{"role": "user", "content": "tell"}]
    options = {"include_usage": True}
    pieces = list(
        lab.stream(messages=messages, max_tokens=300, stream=True, stream_options=options)
    )
    assert len(pieces) > 5
    assert pieces[-1].endswith(b"data: [DONE]\n\n")
    found = events(b"".join(pieces))
    text = "".join(e["choices"][0]["delta"].get("content", "") for e in found if e["choices"])
    assert text == lab.ask(messages=messages, max_tokens=300)["choices"][0]["message"]["content"]
    assert found[-1]["usage"]["completion_tokens"] == 300
    assert found[-2]["choices"][0]["finish_reason"] == "length"


def test_tgi_is_understood_too(lab: Lab) -> None:
    (found,) = lab.ask(inputs="Hello", parameters={"max_new_tokens": 5})  # type: ignore[misc]
    assert len(found["generated_text"].split()) == 5
    raw = b"".join(lab.stream(inputs="Hello", parameters={"max_new_tokens": 5}, stream=True))
    assert events(raw)[-1]["generated_text"] == found["generated_text"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"max_tokens": 3}, "One of messages, prompt and inputs"),
        ({"prompt": "x", "max_tokens": 0}, "max_tokens must be at least 1"),
        ({"messages": []}, "messages must be a list"),
        ({**CHAT, "max_tokens": 4000}, "maximum context length is 8192"),
    ],
)
def test_what_the_container_refuses_is_a_model_error(lab: Lab, body: Any, says: str) -> None:
    response = lab.fails(**body)
    assert response["Error"]["Code"] == "ModelError"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["OriginalStatusCode"] == 400
    assert says in response["OriginalMessage"]


@pytest.mark.parametrize("body", [b"{", b"[]"])
def test_a_body_that_is_no_object_is_a_model_error(lab: Lab, body: bytes) -> None:
    with pytest.raises(ClientError, match="ModelError"):
        lab.runtime.invoke_endpoint(EndpointName="e", InferenceComponentName="ic", Body=body)


def test_at_zero_copies_there_is_no_capacity_and_it_is_counted(lab: Lab) -> None:
    lab.copies(0)
    response = lab.fails(prompt="x")
    assert response["Error"]["Code"] == "ValidationError"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert "has no capacity to process this request" in response["Error"]["Message"]
    lab.settle()
    assert lab.sink.values("NoCapacityInvocationFailures") == [1.0]


def test_a_whole_answer_must_come_within_60_seconds_a_stream_need_not(lab: Lab) -> None:
    response = lab.fails(prompt="x", max_tokens=4000)
    assert response["Error"]["Code"] == "ModelError"
    assert "timed out" in response["Error"]["Message"]
    raw = b"".join(lab.stream(prompt="x", max_tokens=4000, stream=True))
    assert raw.endswith(b"data: [DONE]\n\n")


def test_a_full_queue_is_a_429(tmp_path: Path) -> None:
    lab = Lab(tmp_path, settings=SimSettings(concurrency=1, longest_queue=1))
    threads = [
        threading.Thread(target=lambda: lab.ask(prompt="x", max_tokens=1500)) for _ in range(2)
    ]
    lab.clock.set_speed(STILL)
    for thread in threads:
        thread.start()
    until(lambda: lab.outstanding() == [2])
    assert lab.fails(prompt="x")["OriginalStatusCode"] == 429
    lab.clock.set_speed(SPEED)
    for thread in threads:
        thread.join()
    lab.settle()
    first, second = sorted(lab.sink.values("ModelLatency"))
    assert second - first == pytest.approx(27.3e6, rel=0.01), "one waited for the other"
    lab.served.close()


def test_requests_go_to_the_copy_with_the_fewest(tmp_path: Path) -> None:
    lab = Lab(tmp_path, copies=2)
    threads = [
        threading.Thread(target=lambda: lab.ask(prompt="x", max_tokens=800)) for _ in range(6)
    ]
    lab.clock.set_speed(STILL)
    for thread in threads:
        thread.start()
    until(lambda: sum(lab.outstanding()) == 6)
    assert lab.outstanding() == [3, 3]
    lab.clock.set_speed(SPEED)
    for thread in threads:
        thread.join()
    lab.served.close()


def test_a_copy_that_leaves_answers_what_it_has_begun(lab: Lab) -> None:
    stream = lab.stream(prompt="x", max_tokens=1000, stream=True)  # 18 s
    lab.clock.set_speed(1)
    next(stream)
    lab.copies(0)
    lab.clock.set_speed(SPEED)
    assert b"".join(stream).endswith(b"data: [DONE]\n\n")


def test_an_instance_that_dies_breaks_its_answers(lab: Lab) -> None:
    stream = lab.stream(prompt="x", max_tokens=4000, stream=True)
    lab.clock.set_speed(1)
    next(stream)
    lab.service.lose_instance(lab.service.billed()[0][2])
    with pytest.raises(EventStreamError, match="ModelStreamError"):
        list(stream)


def test_a_fault_in_the_middle_of_a_stream(lab: Lab) -> None:
    fault = Fault("sagemaker:InvokeEndpointWithResponseStream", "InternalStreamFailure", "gone")
    lab.service.inject(fault)
    got = []
    with pytest.raises(EventStreamError, match="InternalStreamFailure"):
        for piece in lab.stream(prompt="x", max_tokens=400, stream=True):
            got.append(piece)
    assert got, "something came first"
    assert [fault for _, fault in lab.service.fired] == [fault]


def test_a_fault_instead_of_an_answer_counts_down(lab: Lab) -> None:
    lab.service.inject(Fault("sagemaker:InvokeEndpoint", "ModelError", "no", times=2))
    for _ in range(2):
        assert lab.fails(prompt="x")["Error"]["Code"] == "ModelError"
    assert lab.ask(prompt="x")["choices"]


def test_metrics_say_what_happened(lab: Lab) -> None:
    lab.ask(prompt="x", max_tokens=100)
    lab.settle()
    assert lab.sink.values("ModelLatency") == [pytest.approx(2.1e6, rel=0.01)]
    busy = sum(lab.sink.values("ConcurrentRequestsPerCopy")) * 10
    assert busy == pytest.approx(2.1, rel=0.01), "request-seconds"
    assert sum(lab.sink.values("Invocations")) == 1
    own = {one.name: one.dimensions for one in lab.sink.datapoints}
    assert own["ConcurrentRequestsPerCopy"] == {"InferenceComponentName": "ic"}
    assert own["ConcurrentRequestsPerModel"] == {"EndpointName": "e", "VariantName": "v"}


def test_a_jump_publishes_only_its_last_minutes(lab: Lab) -> None:
    lab.settle()
    before = len(lab.sink.values("ConcurrentRequestsPerCopy"))
    lab.settle(36_000)
    assert len(lab.sink.values("ConcurrentRequestsPerCopy")) - before < 120, "of 3,600"
    times = [d.time for d in lab.sink.datapoints if d.name == "ConcurrentRequestsPerCopy"]
    assert times == sorted(times)


def test_at_zero_copies_there_are_no_gauges(lab: Lab) -> None:
    lab.copies(0)
    lab.settle(30)
    before = len(lab.sink.datapoints)
    lab.settle(300)
    assert len(lab.sink.datapoints) == before


def test_a_component_must_be_named(lab: Lab) -> None:
    with pytest.raises(ClientError, match="Inference Component Name header is required"):
        lab.runtime.invoke_endpoint(EndpointName="e", Body=b"{}")
    with pytest.raises(ClientError, match="Endpoint nobody of account 123456789012 not found"):
        lab.runtime.invoke_endpoint(EndpointName="nobody", Body=b"{}")
