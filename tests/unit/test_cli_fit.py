"""`autoscaler fit`: from the catalogue, from a stand-in of the Hub, and from a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from autoscaler.catalog.models import known_models
from tests.unit.test_catalog_architecture import LLAMA, R1
from tools.cli.app import app
from tools.hub import Fault, HubServer, Repository, make_repository

TINY = "acme/tiny-llama"
GATED = "acme/gated-llama"
LLAMA_8B = "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"


@pytest.fixture(autouse=True)
def _no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    repositories = [
        make_repository(TINY, shards=3, shard_bytes=300_000),
        make_repository(GATED, shards=1, shard_bytes=100_000, gated=True),
    ]
    with HubServer(repositories) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server


def fit(*args: str) -> Result:
    return CliRunner().invoke(app, ["fit", *args])


def found(*args: str) -> dict[str, Any]:
    done = fit(*args, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def tensors(**shapes: tuple[str, list[int], int]) -> bytes:
    """A safetensors file of zeros."""
    header, at = {}, 0
    for name, (dtype, shape, size) in shapes.items():
        header[name.replace("__", ".")] = {
            "dtype": dtype, "shape": shape, "data_offsets": [at, at + size],
        }  # fmt: skip
        at += size
    head = json.dumps(header).encode()
    return len(head).to_bytes(8, "little") + head + bytes(at)


def test_a_model_of_the_catalogue_with_the_parts_of_the_sum() -> None:
    page = fit(LLAMA_8B, "--context", "16384").stdout
    assert "8.03 billion parameters; weights 16.06 GB (BF16 16.06 GB); from the catalogue" in page
    assert "grouped-query attention, 32 heads: 131,072 bytes of KV cache a token" in page
    assert "weights 15.0 + cache 8.0 + overhead 2.3 + runtime 2.0 = 27.3 GiB" in page
    assert "Cheapest a token is ml.p5.4xlarge: with 16 requests at once it writes about" in page
    assert "an estimate: each step is bound by memory bandwidth" in page
    assert "Cheapest an hour is ml.g6e.xlarge, $2.61" in page
    assert "Their prices are not known, so they were not compared: ml.g7." in page


@pytest.mark.parametrize("model", known_models())
def test_every_model_of_the_family_has_a_type_whose_tokens_are_cheapest(model: str) -> None:
    told = found(model)
    rated = [t for t in told["types"] if t["estimated_usd_per_million_tokens"]]
    assert told["cheapest_per_token"] == rated[0]["type"]
    assert sum(told["memory"].values()) == 2 * told["memory"]["total"]
    assert all(t["price_source"] for t in rated)


def test_a_repository_is_read_by_its_index_and_headers_alone(hub: HubServer) -> None:
    told = found(TINY)
    repository = make_repository(TINY, shards=3, shard_bytes=300_000)
    shards = [f for path, f in repository.files.items() if path.endswith(".safetensors")]
    model = told["model"]
    assert model["weight_bytes"] == sum(f.size_bytes for f in shards)
    assert model["bytes_by_dtype"] == {"BF16": 2 * model["params"]}
    assert model["source"] == f"the Hub, commit {repository.commit[:12]}"
    assert (model["attention"], model["kv_heads"]) == ("grouped-query", 2)


def test_only_what_the_index_names_counts(hub: HubServer) -> None:
    one = make_repository(TINY, shards=2, shard_bytes=100_000)
    contents = {path: file.content for path, file in one.files.items()}
    hub.add(Repository.of("acme/twice", {**contents, "consolidated.safetensors": tensors()}))
    shards = [f for path, f in one.files.items() if path.endswith(".safetensors")]
    assert found("acme/twice")["model"]["weight_bytes"] == sum(f.size_bytes for f in shards)


def test_packed_weights_are_counted_as_what_they_unpack_to(hub: HubServer) -> None:
    config = LLAMA | {"quantization_config": {"quant_method": "gptq", "bits": 4}}
    weights = tensors(
        a__qweight=("I32", [64, 512], 131072), a__scales=("F16", [4, 512], 4096),
        b__weight=("F16", [512], 1024),
    )  # fmt: skip
    files = {"config.json": json.dumps(config).encode(), "model.safetensors": weights}
    hub.add(Repository.of("acme/gptq", files))
    model = found("acme/gptq")["model"]
    assert model["params"] == 512 * 512 + 512
    assert model["bytes_by_dtype"] == {"I32": 131072, "F16": 5120}


def test_a_file_and_a_size_do_without_the_hub(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(R1))
    told = found("--config", str(path), "--weights-bytes", "688586727753", "acme/mine")
    assert told["model"]["id"] == "acme/mine"
    assert (told["model"]["attention"], told["model"]["kv_bytes_per_token"]) == ("latent", 70272)
    assert told["cheapest_per_token"] == "ml.p5en.48xlarge"


def test_listed_types_are_compared_and_what_does_not_fit_says_why() -> None:
    told = found(LLAMA_8B, "--types", "ml.g5.xlarge,ml.g6e.xlarge", "--types", "ml.inf2.xlarge",
                 "--context", "16384")  # fmt: skip
    assert [(t["type"], t["fits"]) for t in told["types"]] == [
        ("ml.g6e.xlarge", True), ("ml.inf2.xlarge", False), ("ml.g5.xlarge", False),
    ]  # fmt: skip
    assert "needs 27.3 GiB" in told["types"][2]["explanation"]
    nothing = fit(LLAMA_8B, "--types", "ml.g5.xlarge", "--context", "16384")
    assert "fits none of these types" in nothing.stdout
    assert "smaller --context or --concurrency" in nothing.stdout


def test_another_region_is_told_that_the_prices_are_not_its_own() -> None:
    done = CliRunner().invoke(app, ["--region", "eu-west-1", "fit", LLAMA_8B])
    assert "eu-west-1's own is not known" in done.stdout
    done = CliRunner().invoke(app, ["--region", "us-east-1", "fit", LLAMA_8B])
    assert "Prices are the bundled table's (us-east-1 on demand, as of 2026-" in done.stdout


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([], "MODEL: name a repository of the Hub (OWNER/NAME), or give --config"),
        (["nonsense"], "MODEL: 'nonsense' is not a repository"),
        (["a/b", "--revision", "..x"], "--revision: '..x' is not a branch"),
        ([LLAMA_8B, "--context", "200000"], "--context: 200000 is more than the 131072 tokens"),
        ([LLAMA_8B, "--types", "ml.g6e.huge"], "--types: 'ml.g6e.huge' is not an instance type"),
        (["--weights-bytes", "5"], "--weights-bytes: the shapes are needed too: give --config"),
        (["--config", "none.json", "--weights-bytes", "5"], "--config: none.json: No such file"),
        (["--config", "none.json"], "--config: the size of the weights is needed too"),
    ],
)
def test_a_wrong_argument_is_named_with_the_way_out(args: list[str], says: str) -> None:
    done = fit(*args)
    assert done.exit_code == 2
    assert says in done.stderr


def test_what_the_hub_refuses_or_lacks_is_told(hub: HubServer) -> None:
    hybrid = LLAMA | {"layer_types": ["linear_attention"] * 32}
    hub.add(Repository.of("acme/hybrid", {
        "config.json": json.dumps(hybrid).encode(), "model.safetensors": tensors(),
    }))  # fmt: skip
    hub.add(Repository.of("acme/bare", {"config.json": json.dumps(LLAMA).encode()}))
    odd = {"config.json": json.dumps(LLAMA).encode()}
    index = {"model.safetensors.index.json": b'{"weight_map": ["x"]}'}
    damaged = b"\x0a" + bytes(7) + b'{"a": 1}  '
    hub.add(Repository.of("acme/index", odd | index))
    hub.add(Repository.of("acme/damaged", odd | {"model.safetensors": damaged}))
    for model, says in {
        "acme/index": "it has no safetensors",
        "acme/damaged": "a safetensors header is damaged",
        "acme/none": "there is no such model on the Hub",
        GATED: "gated",
        "acme/hybrid": "has layer_types 'linear_attention'",
        "acme/bare": "it has no safetensors; give --config FILE and --weights-bytes N",
    }.items():
        done = fit(model)
        assert done.exit_code != 0
        assert done.stderr.startswith("MODEL: "), done.stderr
        assert says in done.stderr


def test_trouble_at_the_hub_passes(hub: HubServer) -> None:
    hub.inject(Fault.SERVER_ERROR, "model-00001-of-00003.safetensors")
    assert found(TINY)["model"]["params"]
    assert len(hub.faults.fired) == 1


def test_a_config_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / "config.json"
    deep.write_text("[" * 100_000 + "]" * 100_000)
    done = fit("--config", str(deep), "--weights-bytes", "5")
    assert done.exit_code == 2
    assert f"--config: {deep} is not JSON" in " ".join(done.stderr.split("\n"))
