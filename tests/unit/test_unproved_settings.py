"""Settings that lead around the passport are refused by name, unless the spec vouches for them."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.catalog.parameters import vocabulary
from autoscaler.endpoints.dialects import WEIGHTS
from autoscaler.endpoints.serving import ServingError, environment
from autoscaler.endpoints.unproved import (
    _CODE,
    _CODE_INSIDE,
    _DYNAMIC,
    _INSIDE,
    _OF_REQUESTS,
    _PLACES,
    _QUALIFIED,
    STAGED,
)
from autoscaler.spec import Engine, parse_spec
from tests.samples import document

DRAFT = '{"model": "evil-org/draft", "num_speculative_tokens": 4}'
CONNECTOR = '{"kv_connector": "C", "kv_connector_module_path": "evil.connector"}'
LORA = '[{"name": "a", "path": "evil-org/adapter"}]'


def taken(engine: str, key: str, value: Any, **model: Any) -> dict[str, str]:
    known = document("llama", serving={"engine": engine, "parameters": {key: value}})
    known["model"] |= model
    return dict(environment(parse_spec(known), 1))


REFUSED = [
    ("vllm", "tokenizer", "evil-org/tok"),
    ("vllm", "tokenizer", "https://evil.example/tok"),
    ("vllm", "tokenizer", f"{STAGED}/../../etc"),
    ("vllm", "tokenizer", f"{STAGED}-other"),
    ("vllm", "speculative_config", DRAFT),
    ("vllm", "speculative-config", DRAFT),
    ("vllm", "speculative_config", "evil-org/draft"),
    ("vllm", "lora_modules", LORA),
    ("vllm", "lora_modules", '{"a": "evil-org/adapter"}'),
    ("vllm", "lora_modules", "a=evil-org/adapter"),
    ("vllm", "middleware", "evil.mod.M"),
    ("vllm", "worker_cls", "evil.Worker"),
    ("vllm", "tool_parser_plugin", "/opt/ml/model/x.py"),
    ("vllm", "load_format", "pt"),
    ("vllm", "hf_config_path", "evil-org/config"),
    ("lmi", "speculative_draft_model", "evil-org/draft"),
    ("tgi", "lora_adapters", f"{STAGED}/a,evil-org/adapter"),
    ("tgi", "tokenizer_config_path", "evil-org/x"),
    ("sglang", "speculative_draft_model_path", "evil-org/draft"),
    ("sglang", "lora_paths", "a=evil-org/adapter"),
    ("sglang", "custom_weight_loader", "evil.load"),
    ("vllm", "log_config_file", f"{STAGED}/logging.json"),
    ("vllm", "distributed_executor_backend", "evil.Executor"),
    ("vllm", "kv_transfer_config", CONNECTOR),
    ("vllm", "kv_transfer_config", f'{{"kv_connector_extra_config": {{"all": [{CONNECTOR}]}}}}'),
    ("lmi", "ec_transfer_config", '{"ec_connector_module_path": "evil.connector"}'),
    ("vllm", "structured_outputs_config", '{"reasoning_parser_plugin": "/opt/ml/model/x.py"}'),
    ("vllm", "compilation_config", '{"backend": "evil.backend"}'),
    ("vllm", "compilation_config", '{"inductor_passes": {"post_grad": "evil.pass"}}'),
    ("vllm", "model_loader_extra_config", '{"tensorizer_uri": "s3://evil/model.tensors"}'),
    ("sglang", "hicache_storage_backend", "dynamic"),
    ("sglang", "speculative_token_map", "evil-org/map/freq.pt"),
    ("sglang", "remote_instance_weight_loader_seed_instance_ip", "192.0.2.7"),
    ("sglang", "enable_custom_logit_processor", "true"),
]


@pytest.mark.parametrize(("engine", "key", "value"), REFUSED)
def test_what_leads_around_the_passport_is_refused_with_the_way_out(
    engine: str, key: str, value: str
) -> None:
    with pytest.raises(ServingError) as wrong:
        taken(engine, key, value)
    assert str(wrong.value).startswith(f"serving.parameters.{key}: ")
    assert "trust_remote_code" in str(wrong.value) or "safetensors" in str(wrong.value)
    assert value in taken(engine, key, value, trust_remote_code=True).values()


@pytest.mark.parametrize(
    ("engine", "key", "value"),
    [
        ("vllm", "tokenizer", STAGED),
        ("vllm", "tokenizer", f"{STAGED}/tokenizer"),
        ("vllm", "speculative_config", '{"method": "ngram", "num_speculative_tokens": 4}'),
        ("vllm", "speculative_config", '{"method": "mtp", "num_speculative_tokens": 1}'),
        ("vllm", "lora_modules", f'{{"name": "a", "path": "{STAGED}/a"}}'),
        ("tgi", "lora_adapters", f"a={STAGED}/a"),
        ("vllm", "load_format", "safetensors"),
        ("vllm", "load_format", "runai_streamer"),
        ("vllm", "enable_lora", True),
        ("vllm", "tokenizer_mode", "slow"),
        ("vllm", "distributed_executor_backend", "mp"),
        ("vllm", "kv_transfer_config", '{"kv_connector": "LMCacheConnectorV1"}'),
        ("vllm", "compilation_config", '{"backend": "inductor", "mode": 3}'),
        ("vllm", "compilation_config", 3),
        ("vllm", "structured_outputs_config", '{"backend": "xgrammar", "x.y": 1}'),
        ("vllm", "model_loader_extra_config", '{"concurrency": 16}'),
        ("sglang", "hicache_storage_backend", "file"),
    ],
)
def test_what_stays_with_the_staged_weights_is_taken(engine: str, key: str, value: Any) -> None:
    assert taken(engine, key, value)


def test_the_staged_weights_lie_there() -> None:
    assert WEIGHTS.startswith(STAGED)


def test_every_name_is_a_setting_of_some_engine() -> None:
    """A name that is misspelt here guards nothing."""
    known = {name for engine in Engine for name in vocabulary(engine).names}
    guarded = {*_CODE, *_CODE_INSIDE, *_QUALIFIED, *_OF_REQUESTS, *_PLACES, *_INSIDE, _DYNAMIC}
    assert guarded - known == set()


@pytest.mark.parametrize("key", ["tokenızer", "\u017fpec_model", "worker_cl\u017f", "tokeniﬁer"])
def test_no_other_letter_stands_for_one_of_a_name(key: str) -> None:
    """An image of one's own may know settings that we do not: these only look as if they were."""
    known = document("llama", serving={"engine": "vllm", "parameters": {key: "evil-org/x"}})
    known["serving"]["image"] = "123456789012.dkr.ecr.us-east-1.amazonaws.com/vllm:1"
    with pytest.raises(ServingError, match="is not the name of a setting"):
        environment(parse_spec(known), 1)
