"""A model that stays on the Hub: pinned, measured from its files, refused as staging would."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.catalog.models import UnknownArchitectureError, known_models
from autoscaler.runtime.staging import PlanRequest, pin
from autoscaler.staging.errors import RefusedError
from tests.embedded.staging_lab import client
from tools.hub import HubServer, make_repository
from tools.hub.repository import Repository

R1_8B = "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"
WHOLE = make_repository("acme/tiny-llama", shards=2, shard_bytes=1 << 20)


def having(model_id: str, **changes: bytes | None) -> Repository:
    """The whole one with other files; None takes one away. `__` in a name stands for a dot."""
    contents: dict[str, Any] = {path: file.content for path, file in WHOLE.files.items()}
    for name, content in changes.items():
        path = name.replace("__", ".")
        contents.pop(path, None)
        if content is not None:
            contents[path] = content
    return Repository.of(model_id, contents)


def pinned(repository: Repository, trust: bool = False) -> dict[str, Any]:
    with HubServer([repository]) as server:
        hub = client(server)
        step = PlanRequest(model_id=repository.model_id, trust_remote_code=trust, pin=True)
        return pin(hub, hub.resolve(repository.model_id, "main"), step)


def test_an_unknown_model_is_measured_by_its_own_files() -> None:
    told = pinned(WHOLE)
    sizes = [f.size_bytes for path, f in WHOLE.files.items() if path.endswith(".safetensors")]
    assert told["commit"] == WHOLE.commit
    assert told["weights_uri"] == f"hf://acme/tiny-llama@{WHOLE.commit}"
    assert told["facts"]["weight_bytes"] == sum(sizes) > 1 << 20
    assert told["facts"]["attention_heads"] == 8


def test_a_known_model_is_measured_by_the_catalogue() -> None:
    told = pinned(make_repository(R1_8B, shard_bytes=1 << 20))
    assert told["facts"]["weight_bytes"] == known_models()[R1_8B].weight_bytes


def test_what_staging_would_refuse_is_refused() -> None:
    code = b'{"auto_map": {"AutoConfig": "configuration_x.X"}}'
    with pytest.raises(RefusedError, match="has an auto_map"):
        pinned(having("acme/code", generation_config__json=code))
    assert pinned(having("acme/code", generation_config__json=code), trust=True)["commit"]
    only = {"config.json": WHOLE.files["config.json"].content, "pytorch_model.bin": b"x" * 64}
    with pytest.raises(RefusedError, match=r"has weights only as pytorch_model\.bin"):
        pinned(Repository.of("acme/pickles", only))


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(UnknownArchitectureError, match=r"acme/bare has no config\.json"):
        pinned(having("acme/bare", config__json=None))
    gguf = {"config.json": WHOLE.files["config.json"].content, "m.gguf": b"GGUF" + b"\0" * 60}
    with pytest.raises(UnknownArchitectureError, match=r"acme/gguf has no \.safetensors weights"):
        pinned(Repository.of("acme/gguf", gguf))
