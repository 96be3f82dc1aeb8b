"""Whose request comes next.

* Every request goes, once; of one tenant and priority in the order in which they came.
* A higher priority goes before a lower one, whatever the shares.
* While all tenants have work, each has its share of any beginning of the order, to within one.
* No tenant with work waits for more of the others' requests than its share asks for.
* Who has requests at work already waits until the others have caught up.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import ceil

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.control.fairness import Claim, fair_order

TENANTS = "abcde"
SHARES = st.fixed_dictionaries(
    dict.fromkeys(TENANTS, st.sampled_from([0.1, 0.25, 1.0, 2.0, 3.0, 7.5, 40.0]))
)
CLAIMS = st.lists(
    st.tuples(st.sampled_from(TENANTS), st.integers(min_value=0, max_value=9)), max_size=40
)


def claims_of(pairs: list[tuple[str, int]]) -> list[Claim]:
    return [Claim(tenant, priority, place) for place, (tenant, priority) in enumerate(pairs)]


@settings(deadline=None)
@given(CLAIMS, SHARES, st.dictionaries(st.sampled_from(TENANTS), st.integers(0, 30)))
def test_all_go_once_by_priority_and_of_one_tenant_in_turn(pairs, shares, running) -> None:
    claims = claims_of(pairs)
    order = fair_order(claims, shares, running)
    assert sorted(order, key=lambda one: one.place) == claims
    assert all(before.priority >= after.priority for before, after in pairwise(order))
    for tenant in TENANTS:
        for priority in range(10):
            mine = [c.place for c in order if (c.tenant, c.priority) == (tenant, priority)]
            assert mine == sorted(mine)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from(TENANTS), min_size=1, max_size=5, unique=True), SHARES)
def test_shares_hold_to_within_one_request_over_a_long_run(tenants, shares) -> None:
    length = 120
    claims = claims_of([(tenant, 5) for _ in range(length) for tenant in tenants])
    order = fair_order(claims, shares)
    weights = {tenant: Fraction(shares[tenant]) for tenant in tenants}
    whole, had = sum(weights.values()), dict.fromkeys(tenants, 0)
    for number, claim in enumerate(order[:length], start=1):
        had[claim.tenant] += 1
        for tenant in tenants:
            assert abs(had[tenant] - number * weights[tenant] / whole) <= 1


@settings(deadline=None)
@given(SHARES, st.sampled_from(TENANTS))
def test_nobody_with_work_starves(shares, tenant) -> None:
    claims = claims_of([(other, 5) for _ in range(60) for other in TENANTS])
    order = fair_order(claims, shares)
    weights = {one: Fraction(shares[one]) for one in TENANTS}
    longest = ceil(sum(weights.values()) / weights[tenant]) + len(TENANTS)
    if longest <= 60:
        assert tenant in {claim.tenant for claim in order[:longest]}


@given(st.integers(min_value=1, max_value=20))
def test_who_has_much_at_work_waits_for_the_others(ahead) -> None:
    claims = claims_of([("a", 5)] * 30 + [("b", 5)] * 30)
    order = fair_order(claims, {}, {"a": ahead})
    assert [claim.tenant for claim in order[:ahead]] == ["b"] * ahead
    assert {claim.tenant for claim in order[ahead : ahead + 2]} == {"a", "b"}
