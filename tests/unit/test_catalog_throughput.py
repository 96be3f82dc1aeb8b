"""The estimate of tokens a second, held against published measurements; and what it decides."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from autoscaler.catalog.facts import ModelFacts
from autoscaler.catalog.instances import instance, instances
from autoscaler.catalog.models import known_models
from autoscaler.catalog.options import cheapest_per_hour, cheapest_per_token, options_for
from autoscaler.catalog.prices import usd_per_hour
from autoscaler.catalog.throughput import accelerator_of, accelerators, throughput
from autoscaler.spec import Serving

R1 = known_models()["deepseek-ai/DeepSeek-R1"]
LLAMA_8B = known_models()["deepseek-ai/DeepSeek-R1-Distill-Llama-8B"]
LLAMA_70B = known_models()["deepseek-ai/DeepSeek-R1-Distill-Llama-70B"]
FP8_70B = replace(LLAMA_70B, weight_bytes=74_800_000_000, weight_bits=8)
NEMOTRON_49B = ModelFacts("49B", 50_000_000_000, 200_000, 64, 8, 131072, 49_900_000_000,
                          weight_bits=8)  # fmt: skip

# Published: what, on what, accelerators a copy, requests at once, tokens each holds, measured
# milliseconds from token to token, and how far the estimate may be below (it is never slower).
# docs/costs.md names the sources.
MEASURED = [
    (LLAMA_8B, "ml.p4d.24xlarge", 1, 1, 1088, 1000 / 75, 0.10),
    (LLAMA_8B, "ml.p4d.24xlarge", 1, 8, 1088, 8000 / 495, 0.10),
    (LLAMA_8B, "ml.p5.4xlarge", 1, 1, 400, 6.48, 0.10),
    (LLAMA_8B, "ml.p5.4xlarge", 1, 4, 400, 6.59, 0.10),
    (LLAMA_8B, "ml.p5.4xlarge", 1, 16, 400, 10.94, 0.40),
    (FP8_70B, "ml.p5.48xlarge", 2, 1, 1500, 18.91, 0.12),
    (FP8_70B, "ml.p5.48xlarge", 2, 5, 5250, 21.83, 0.12),
    (FP8_70B, "ml.p5.48xlarge", 2, 25, 5250, 38.75, 0.25),
    (NEMOTRON_49B, "ml.p6-b200.48xlarge", 1, 1, 2300, 1000 / 73, 0.40),
    (NEMOTRON_49B, "ml.p6-b200.48xlarge", 1, 8, 2300, 8000 / 570, 0.40),
]


@pytest.mark.parametrize(
    ("facts", "kind", "degree", "batch", "held", "measured_ms", "below"), MEASURED
)
def test_the_estimate_is_near_what_others_measured(
    facts: ModelFacts, kind: str, degree: int, batch: int, held: int, measured_ms: float,
    below: float,
) -> None:  # fmt: skip
    accelerator = accelerator_of(instance(kind))
    assert accelerator is not None
    serving = Serving(context_tokens=4 * held, concurrency_per_copy=batch)

    step = 1000 * batch / throughput(facts, accelerator, serving, degree).tokens_per_second

    assert measured_ms * (1 - below) <= step <= measured_ms * 1.13


def test_every_accelerator_but_one_has_figures_with_a_source() -> None:
    unknown = {kind.accelerator for kind in instances().values() if accelerator_of(kind) is None}

    assert unknown == {"RTX PRO 4500"}
    assert all(one.source and one.bytes_per_second > 1e11 for one in accelerators())
    names = [(one.name, one.memory_bytes) for one in accelerators()]
    assert len(set(names)) == len(names)


def test_one_request_of_a_mixture_reads_its_own_experts_and_many_read_all() -> None:
    accelerator = accelerator_of(instance("ml.p5en.48xlarge"))
    assert accelerator is not None

    def step(batch: int) -> float:
        serving = Serving(context_tokens=256, concurrency_per_copy=batch)
        return batch / throughput(R1, accelerator, serving, 8).tokens_per_second

    whole = R1.weight_bytes / (8 * accelerator.bytes_per_second * 0.55)
    assert step(1) == pytest.approx(whole * 37.5 / 671, rel=0.05)
    assert step(256) == pytest.approx(whole, rel=0.05)


def test_a_large_batch_of_a_small_model_is_bound_by_multiplication() -> None:
    accelerator = accelerator_of(instance("ml.g6.xlarge"))
    assert accelerator is not None
    tiny = replace(LLAMA_8B, kv_bytes_per_token=64)

    found = throughput(tiny, accelerator, Serving(context_tokens=256, concurrency_per_copy=512), 1)

    assert found.bound_by == "compute"
    step = 512 / found.tokens_per_second
    assert step == pytest.approx(2 * LLAMA_8B.params * 512 / (121e12 * 0.5))


def test_dollars_a_token_pay_for_the_whole_instance() -> None:
    serving = Serving(context_tokens=8192, concurrency_per_copy=16)
    (option,) = options_for(LLAMA_8B, serving, usd_per_hour, [instance("ml.g6e.48xlarge")])

    rate = option.throughput
    assert rate is not None
    assert rate.copies == option.fit.copies_per_instance == 8
    an_hour = Decimal(rate.tokens_per_second) * 3600
    assert option.usd_per_million_tokens == Decimal("37.66") * 1_000_000 / an_hour
    assert option.usd_per_million_tokens_when_full == pytest.approx(
        option.usd_per_million_tokens / 8
    )


def test_what_fits_comes_first_and_unknown_prices_are_not_the_cheapest() -> None:
    serving = Serving(context_tokens=8192, concurrency_per_copy=16)
    found = options_for(R1, serving, usd_per_hour)

    fits = [option.fit.fits for option in found]
    assert fits == sorted(fits, reverse=True)
    rated = [o.usd_per_million_tokens for o in found if o.usd_per_million_tokens is not None]
    assert rated == sorted(rated)
    cheapest, hourly = cheapest_per_token(found), cheapest_per_hour(found)
    assert cheapest is not None
    assert hourly is not None
    assert (cheapest.name, hourly.name) == ("ml.p5en.48xlarge", "ml.g7e.48xlarge")
    assert cheapest_per_token(options_for(R1, serving, lambda _: None)) is None
