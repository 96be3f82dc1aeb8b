"""The roofline never does what no machine does.

- more bandwidth, more arithmetic or more accelerators: never slower
- a longer context, heavier weights or a dearer hour: never cheaper a token
- more requests at once: never fewer tokens a second, never a faster single request
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.catalog.facts import Experts, ModelFacts, Window
from autoscaler.catalog.throughput import Accelerator, throughput
from autoscaler.spec import Serving

FACTORS = st.floats(1.0, 8.0)
SLACK = 1 + 1e-9


@st.composite
def models(draw: st.DrawFn) -> ModelFacts:
    params = draw(st.integers(10**8, 10**12))
    kv = draw(st.integers(1, 2000)) * 1024
    total = draw(st.integers(2, 512))
    experts = Experts(total, draw(st.integers(1, total)), draw(st.integers(0, params)))
    window = Window(draw(st.integers(256, 8192)), draw(st.integers(0, kv)))
    return ModelFacts(
        "m", params * 2, kv, 64, draw(st.sampled_from([1, 4, 8, 64])), 131072, params,
        experts=draw(st.sampled_from([None, experts])),
        window=draw(st.sampled_from([None, window])),
        weight_bits=draw(st.sampled_from([None, 4, 8, 16])),
    )  # fmt: skip


@st.composite
def machines(draw: st.DrawFn) -> Accelerator:
    tflops = draw(st.floats(10, 3000))
    return Accelerator(
        "a",
        2**36,
        draw(st.floats(1e11, 1e13)),
        tflops,
        draw(st.sampled_from([None, 2 * tflops])),
        "",
    )


SERVINGS = st.builds(
    Serving,
    context_tokens=st.integers(256, 65536),
    concurrency_per_copy=st.integers(1, 512),
)
DEGREES = st.sampled_from([1, 2, 4, 8])


def step_seconds(facts, machine, serving, degree) -> float:
    """From one token of a request to its next."""
    rate = throughput(facts, machine, serving, degree)
    return serving.concurrency_per_copy / rate.tokens_per_second


@given(models(), machines(), SERVINGS, DEGREES, FACTORS)
def test_a_better_machine_is_never_slower(facts, machine, serving, degree, factor) -> None:
    step = step_seconds(facts, machine, serving, degree)
    wider = replace(machine, bytes_per_second=machine.bytes_per_second * factor)
    faster = replace(
        machine,
        tflops_16=machine.tflops_16 * factor,
        tflops_8=machine.tflops_8 and machine.tflops_8 * factor,
    )
    for better in (wider, faster):
        assert step_seconds(facts, better, serving, degree) <= step * SLACK


@given(models(), machines(), SERVINGS, DEGREES)
def test_twice_the_accelerators_are_never_slower_while_heads_can_be_split(
    facts, machine, serving, degree
) -> None:
    split = replace(facts, kv_heads=64)
    one = step_seconds(split, machine, serving, degree)
    assert step_seconds(split, machine, serving, 2 * degree) <= one * SLACK


@given(models(), machines(), SERVINGS, DEGREES, st.integers(1, 65536))
def test_a_longer_context_is_never_faster(facts, machine, serving, degree, more) -> None:
    step = step_seconds(facts, machine, serving, degree)
    longer = serving.model_copy(update={"context_tokens": serving.context_tokens + more})
    assert step_seconds(facts, machine, longer, degree) * SLACK >= step


@given(models(), machines(), SERVINGS, DEGREES, st.integers(1, 512))
def test_more_at_once_are_more_tokens_in_all_and_no_faster_for_each(
    facts, machine, serving, degree, more
) -> None:
    few = throughput(facts, machine, serving, degree)
    slow = step_seconds(facts, machine, serving, degree)
    fuller = serving.model_copy(
        update={"concurrency_per_copy": serving.concurrency_per_copy + more}
    )
    many = throughput(facts, machine, fuller, degree)
    assert step_seconds(facts, machine, fuller, degree) * SLACK >= slow
    assert many.tokens_per_second * SLACK >= few.tokens_per_second


@given(models(), machines(), SERVINGS, DEGREES, FACTORS)
def test_heavier_weights_are_never_faster(facts, machine, serving, degree, factor) -> None:
    step = step_seconds(facts, machine, serving, degree)
    heavier = replace(facts, weight_bytes=int(facts.weight_bytes * factor))
    assert step_seconds(heavier, machine, serving, degree) * SLACK >= step


@given(models(), machines(), SERVINGS, DEGREES, st.decimals("0.1", "200", places=4))
def test_a_token_costs_in_proportion_to_the_hour(facts, machine, serving, degree, usd) -> None:
    rate = throughput(facts, machine, serving, degree, copies=3)
    one = rate.usd_per_million_tokens(usd)
    assert one > 0
    assert abs(rate.usd_per_million_tokens(2 * usd) / one - 2) < Decimal("1e-20")
    assert abs(one / rate.usd_per_million_tokens(usd, copies=3) - 3) < Decimal("1e-20")
