"""What the layer tells each engine is what the simulated container goes by: one for both sides."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from autoscaler.endpoints.serving import environment
from autoscaler.spec import Engine
from tests.embedded.sagemaker_lab import STILL, Served, Sink, Stage
from tests.samples import spec
from tools.embedded.kernel.clock import AccountClock
from tools.embedded.sagemaker import SageMakerService
from tools.embedded.sagemaker.container import RefusedError, understand


def told(engine: Engine) -> dict[str, str]:
    serving = {"engine": engine.value, "context_tokens": 1024, "concurrency_per_copy": 7}
    return environment(spec(serving=serving), 1)


@pytest.mark.parametrize("engine", Engine)
def test_the_context_of_the_spec_is_the_containers(engine: Engine) -> None:
    def asked(tokens: int) -> bytes:
        return json.dumps({"prompt": "x" * 40, "max_tokens": tokens}).encode()

    assert understand(asked(1014), told(engine)).output_tokens == 1014
    with pytest.raises(RefusedError, match="maximum context length is 1024"):
        understand(asked(1015), told(engine))


@pytest.mark.parametrize(
    ("engine", "name"),
    [
        (Engine.VLLM, "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"),
        (Engine.SGLANG, "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"),
        (Engine.TGI, "/opt/ml/model"),
    ],
)
def test_a_container_answers_by_the_name_that_it_serves(engine: Engine, name: str) -> None:
    assert understand(b'{"prompt": "x"}', told(engine)).model == name


@pytest.mark.parametrize("engine", Engine)
def test_the_concurrency_of_the_spec_is_the_copys(tmp_path: Path, engine: Engine) -> None:
    clock = AccountClock(tmp_path / "clock", datetime(2026, 3, 2, tzinfo=UTC), STILL)
    service = SageMakerService(clock, Sink(), Sink())
    served = Served(service)
    try:
        stage = Stage(served)
        stage.model(Environment=told(engine))
        stage.config()
        stage.endpoint()
        clock.jump(121)
        stage.component()
        (copy,) = service.world.components["ic"].copies
        assert copy.load.slots == 7
    finally:
        served.close()
