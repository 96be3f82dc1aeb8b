"""Which model fits which instance type, as a table; and what is said when it does not."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from autoscaler.catalog.fit import (
    GIB,
    RUNTIME_BYTES,
    DoesNotFitError,
    choose,
    fit,
    memory_needed,
)
from autoscaler.catalog.instances import instance, instances
from autoscaler.catalog.models import ModelFacts, known_models
from autoscaler.spec import EndpointSpec, Serving
from tests.samples import spec

SHORT = {
    "R1": "deepseek-ai/DeepSeek-R1",
    **{
        size: f"deepseek-ai/DeepSeek-R1-Distill-{size}"
        for size in ("Qwen-1.5B", "Qwen-7B", "Qwen-14B", "Qwen-32B", "Llama-8B", "Llama-70B")
    },
}


def facts(short: str) -> ModelFacts:
    return known_models()[SHORT[short]]


def wanted(
    short: str, *types: str, accelerators: int | None = None, **serving: int
) -> EndpointSpec:
    return spec(
        model={"id": SHORT[short]},
        instances={"types": list(types), "accelerators_per_copy": accelerators},
        serving=serving,
    )


# model, instance type, context, concurrency → accelerators a copy and copies an instance; 0: no
TABLE = [
    ("Qwen-1.5B", "ml.g4dn.xlarge", 8192, 16, 1, 1),
    ("Qwen-1.5B", "ml.g6e.48xlarge", 8192, 16, 1, 8),
    ("Qwen-7B", "ml.g5.xlarge", 4096, 8, 1, 1),
    ("Qwen-7B", "ml.g4dn.xlarge", 4096, 8, 0, 0),
    ("Qwen-7B", "ml.g4dn.12xlarge", 4096, 8, 2, 2),
    ("Llama-8B", "ml.g6e.xlarge", 16384, 16, 1, 1),
    ("Llama-8B", "ml.g5.2xlarge", 16384, 16, 0, 0),
    ("Llama-8B", "ml.g5.2xlarge", 8192, 8, 1, 1),
    ("Llama-8B", "ml.g5.12xlarge", 16384, 16, 2, 2),
    ("Llama-8B", "ml.p5.4xlarge", 131072, 4, 1, 1),
    ("Qwen-14B", "ml.g6e.xlarge", 8192, 16, 1, 1),
    ("Qwen-14B", "ml.g6.12xlarge", 8192, 16, 2, 2),
    ("Qwen-32B", "ml.g6e.12xlarge", 8192, 16, 2, 2),
    ("Qwen-32B", "ml.g6e.2xlarge", 8192, 16, 0, 0),
    ("Llama-70B", "ml.g6e.12xlarge", 8192, 16, 4, 1),
    ("Llama-70B", "ml.g6e.48xlarge", 8192, 16, 4, 2),
    ("Llama-70B", "ml.g6e.xlarge", 8192, 16, 0, 0),
    ("Llama-70B", "ml.g5.48xlarge", 8192, 16, 8, 1),
    ("Llama-70B", "ml.g5.12xlarge", 8192, 16, 0, 0),
    ("R1", "ml.p5en.48xlarge", 16384, 16, 8, 1),
    ("R1", "ml.p5e.48xlarge", 16384, 16, 8, 1),
    ("R1", "ml.p6-b200.48xlarge", 16384, 16, 8, 1),
    ("R1", "ml.p6-b300.48xlarge", 16384, 16, 4, 2),
    ("R1", "ml.p5.48xlarge", 16384, 16, 0, 0),
    ("R1", "ml.g5.48xlarge", 16384, 16, 0, 0),
    ("R1", "ml.trn2.48xlarge", 16384, 16, 0, 0),
]


@pytest.mark.parametrize(("short", "kind", "context", "together", "degree", "copies"), TABLE)
def test_the_table(
    short: str, kind: str, context: int, together: int, degree: int, copies: int
) -> None:
    serving = Serving(context_tokens=context, concurrency_per_copy=together)

    found = fit(facts(short), instance(kind), serving)

    assert found.fits == bool(degree), found.explanation
    assert found.copies_per_instance == copies, found.explanation
    assert not degree or found.accelerators_per_copy == degree, found.explanation
    assert not found.fits or found.bytes_needed <= found.bytes_available


def test_memory_is_weights_cache_overhead_and_runtime() -> None:
    llama = facts("Llama-8B")
    serving = Serving(context_tokens=16384, concurrency_per_copy=16)

    tokens = 16 * 16384 // 4

    assert memory_needed(llama, serving, 1) == (
        int((llama.weight_bytes + tokens * 131072) * 1.1) + RUNTIME_BYTES
    )


def test_one_request_can_always_fill_its_context() -> None:
    llama = facts("Llama-8B")
    alone = memory_needed(llama, Serving(context_tokens=16384, concurrency_per_copy=1), 1)
    four = memory_needed(llama, Serving(context_tokens=16384, concurrency_per_copy=4), 1)

    assert alone == four


def test_more_accelerators_than_key_value_heads_keep_the_cache_twice() -> None:
    qwen, serving = facts("Qwen-1.5B"), Serving()  # two KV heads
    extra = memory_needed(qwen, serving, 4) - memory_needed(qwen, serving, 2) - 2 * RUNTIME_BYTES

    tokens = 16 * 8192 // 4

    assert extra == pytest.approx(tokens * qwen.kv_bytes_per_token * 1.1, abs=2)


def test_latent_attention_is_kept_by_every_accelerator() -> None:
    r1, serving = facts("R1"), Serving()
    cache = (memory_needed(r1, serving, 8) - 8 * RUNTIME_BYTES) / 1.1 - r1.weight_bytes

    assert cache == pytest.approx(8 * 70272 * 16 * 8192 / 4, rel=1e-6)


def test_a_degree_divides_the_attention_heads() -> None:
    serving = Serving(context_tokens=256, concurrency_per_copy=1)
    awkward = replace(facts("Llama-70B"), attention_heads=20)

    found = fit(awkward, instance("ml.g5.48xlarge"), serving)

    assert (found.fits, found.accelerators_per_copy) == (False, 4)


def test_on_24_gb_the_refusal_says_what_would_do() -> None:
    with pytest.raises(DoesNotFitError) as refused:
        choose(
            facts("Llama-8B"),
            wanted("Llama-8B", "ml.g5.2xlarge", context_tokens=16384, concurrency_per_copy=16),
        )

    assert str(refused.value) == (
        "instances.types: deepseek-ai/DeepSeek-R1-Distill-Llama-8B does not fit "
        "ml.g5.2xlarge: needs 27.3 GiB, 1 accelerator has 22.4 GiB. "
        "The cheapest that do: ml.g6e.xlarge ($2.61/h), ml.g6e.2xlarge ($2.80/h), "
        "ml.g6e.4xlarge ($3.76/h). "
        "Or keep ml.g5.2xlarge with serving.context_tokens 16384 and "
        "serving.concurrency_per_copy 7"
    )


@pytest.mark.parametrize(
    ("short", "kind", "context", "together"),
    [
        ("Llama-8B", "ml.g5.2xlarge", 16384, 16),
        ("Llama-8B", "ml.g5.xlarge", 131072, 32),
        ("Qwen-32B", "ml.g5.12xlarge", 65536, 64),
        ("Llama-70B", "ml.g6e.12xlarge", 131072, 16),
        ("R1", "ml.p5en.48xlarge", 163840, 1024),
        ("R1", "ml.g7e.48xlarge", 163840, 1024),
    ],
)
def test_what_is_suggested_does_fit(short: str, kind: str, context: int, together: int) -> None:
    too_much = wanted(short, kind, context_tokens=context, concurrency_per_copy=together)
    with pytest.raises(DoesNotFitError) as refused:
        choose(facts(short), too_much)

    smaller = re.search(
        r"context_tokens (\d+) and serving.concurrency_per_copy (\d+)", str(refused.value)
    )
    cheapest = re.search(r"The cheapest that do: (ml\.[a-z0-9.-]+)", str(refused.value))

    assert smaller, str(refused.value)
    tokens, requests = map(int, smaller.groups())
    assert choose(
        facts(short), wanted(short, kind, context_tokens=tokens, concurrency_per_copy=requests)
    )
    if cheapest:
        other = wanted(short, cheapest[1], context_tokens=context, concurrency_per_copy=together)
        assert choose(facts(short), other)


def test_the_cheapest_that_fit_are_nvidia_and_sorted_by_price() -> None:
    with pytest.raises(DoesNotFitError) as refused:
        choose(facts("R1"), wanted("R1", "ml.g5.48xlarge"))

    names = re.findall(r"(ml\.[a-z0-9.-]+) \(\$([0-9.]+)/h\)", str(refused.value))

    assert [name for name, _ in names] == [
        "ml.g7e.48xlarge", "ml.p5en.48xlarge", "ml.p6-b200.48xlarge",
    ]  # fmt: skip
    assert [float(price) for _, price in names] == sorted(float(price) for _, price in names)


def test_each_listed_type_that_lacks_room_is_named() -> None:
    with pytest.raises(DoesNotFitError) as refused:
        choose(
            facts("Llama-70B"),
            wanted("Llama-70B", "ml.g6e.12xlarge", "ml.g5.12xlarge", "ml.g5.xlarge"),
        )

    assert "ml.g5.12xlarge: needs" in str(refused.value)
    assert "ml.g5.xlarge: needs" in str(refused.value)
    assert "ml.g6e.12xlarge: needs" not in str(refused.value)


def test_neuron_types_are_refused_unless_the_image_is_ones_own() -> None:
    with pytest.raises(DoesNotFitError, match=r"ml\.inf2\.xlarge: has Inferentia2, the vllm image"):
        choose(facts("Llama-8B"), wanted("Llama-8B", "ml.inf2.xlarge"))

    own = wanted("Llama-8B", "ml.inf2.xlarge")
    own = own.model_copy(update={"serving": Serving(image="mine:neuron")})
    assert choose(facts("Llama-8B"), own).accelerators_per_copy == 1


def test_one_number_of_accelerators_for_every_listed_type() -> None:
    placed = choose(facts("Llama-70B"), wanted("Llama-70B", "ml.g6e.12xlarge", "ml.g7e.48xlarge"))

    assert placed.accelerators_per_copy == 4  # two would do on the second
    assert placed.copies_by_type == {"ml.g6e.12xlarge": 1, "ml.g7e.48xlarge": 2}
    assert placed.copies_per_instance == 1


def test_types_without_a_common_number_are_refused() -> None:
    with pytest.raises(DoesNotFitError, match=r"ml\.g6e\.xlarge 1, ml\.g5\.12xlarge 2"):
        choose(
            facts("Llama-8B"),
            wanted("Llama-8B", "ml.g6e.xlarge", "ml.g5.12xlarge", context_tokens=16384),
        )


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (3, r"instances\.accelerators_per_copy: 3 does not divide the 32 attention heads"),
        (4, r"instances\.types: .* ml\.g6e\.xlarge: a copy takes 4 accelerators, it has 1"),
    ],
)
def test_the_number_that_is_asked_for_must_be_possible(asked: int, problem: str) -> None:
    with pytest.raises(DoesNotFitError, match=problem):
        choose(facts("Llama-8B"), wanted("Llama-8B", "ml.g6e.xlarge", accelerators=asked))


def test_the_number_that_is_asked_for_is_taken() -> None:
    placed = choose(facts("Llama-8B"), wanted("Llama-8B", "ml.g6e.12xlarge", accelerators=2))

    assert (placed.accelerators_per_copy, placed.copies_per_instance) == (2, 2)


def test_a_context_that_the_model_does_not_take_is_refused() -> None:
    with pytest.raises(
        DoesNotFitError, match=r"serving\.context_tokens: 131073 is more than the 131072"
    ):
        choose(facts("Llama-8B"), wanted("Llama-8B", "ml.p5.4xlarge", context_tokens=131073))


def test_an_unknown_type_names_the_field_and_close_ones() -> None:
    with pytest.raises(DoesNotFitError, match=r"instances\.types: 'ml\.g6e\.huge'.*ml\.g6e\."):
        choose(facts("Llama-8B"), wanted("Llama-8B", "ml.g6e.huge"))


@pytest.mark.parametrize("short", SHORT)
def test_every_fit_in_the_catalogue_holds_together(short: str) -> None:
    for kind in instances().values():
        found = fit(facts(short), kind, Serving())
        assert found.fits == (found.copies_per_instance > 0)
        if found.fits:
            used = found.copies_per_instance * found.accelerators_per_copy
            assert used <= kind.accelerators
            assert facts(short).attention_heads % found.accelerators_per_copy == 0
            assert found.bytes_needed <= found.bytes_available
            assert f"{found.bytes_needed / GIB:.1f} GiB" in found.explanation
