"""Each condition operator: when it holds, when it does not, and what a missing key means."""

from __future__ import annotations

import pytest

from tools.embedded.iam.conditions import UnknownOperatorError, holds

ARN = "arn:aws:lambda:us-east-1:123456789012:function:a-dispatch"
OTHER = "arn:aws:lambda:us-east-1:123456789012:function:b-dispatch"


def judged(operator: str, wanted: object, *found: str) -> bool:
    context = {"k:key": found} if found else {}
    return holds({operator: {"k:Key": wanted}}, context)


@pytest.mark.parametrize(
    ("operator", "wanted", "fitting", "other"),
    [
        ("StringEquals", "a", "a", "A"),
        ("StringEquals", ["a", "b"], "b", "c"),
        ("StringNotEquals", "a", "b", "a"),
        ("StringEqualsIgnoreCase", "a", "A", "b"),
        ("StringNotEqualsIgnoreCase", "a", "b", "A"),
        ("StringLike", "SEEN#*", "SEEN#1", "HELD"),
        ("StringLike", "a?", "ab", "abc"),
        ("StringNotLike", "SEEN#*", "HELD", "SEEN#1"),
        ("ArnEquals", ARN, ARN, OTHER),
        ("ArnLike", "arn:aws:lambda:*:*:function:a-*", ARN, OTHER),
        ("ArnLike", "arn:aws:lambda:*:function:*", "arn:aws:lambda:x:function:y", ARN),
        ("ArnNotEquals", ARN, OTHER, ARN),
        ("ArnNotLike", "arn:aws:lambda:*:*:function:a-*", OTHER, ARN),
        ("Bool", "true", "true", "false"),
        ("Bool", True, "true", "false"),
        ("NumericEquals", "10", "10.0", "11"),
        ("NumericNotEquals", "10", "11", "10"),
        ("NumericLessThan", "10", "9", "10"),
        ("NumericLessThanEquals", "10", "10", "11"),
        ("NumericGreaterThan", 10, "11", "10"),
        ("NumericGreaterThanEquals", "10", "10", "9"),
    ],
)
def test_an_operator_holds_for_what_fits_alone(
    operator: str, wanted: object, fitting: str, other: str
) -> None:
    assert judged(operator, wanted, fitting)
    assert not judged(operator, wanted, other)


@pytest.mark.parametrize(
    "operator", ["StringEquals", "StringLike", "ArnEquals", "Bool", "NumericEquals"]
)
def test_a_missing_key_fits_nothing_unless_it_may_be_missing(operator: str) -> None:
    assert not judged(operator, "1")
    assert judged(f"{operator}IfExists", "1")


def test_a_missing_key_fits_what_is_negated() -> None:
    assert judged("StringNotEquals", "a")
    assert judged("StringNotLikeIfExists", "a")


def test_if_exists_still_looks_at_what_exists() -> None:
    assert judged("StringEqualsIfExists", "a", "a")
    assert not judged("StringEqualsIfExists", "a", "b")


def test_null_asks_whether_a_key_is_there() -> None:
    assert judged("Null", "true")
    assert not judged("Null", "true", "a")
    assert judged("Null", "false", "a")
    assert not judged("Null", "false")


def test_for_all_values_wants_every_value_and_is_content_with_none() -> None:
    assert judged("ForAllValues:StringEquals", ["a", "b"], "a", "b")
    assert not judged("ForAllValues:StringEquals", ["a", "b"], "a", "c")
    assert judged("ForAllValues:StringEquals", ["a"])


def test_for_any_value_wants_one_and_is_not_content_with_none() -> None:
    assert judged("ForAnyValue:StringLike", ["a*"], "b", "ab")
    assert not judged("ForAnyValue:StringLike", ["a*"], "b", "c")
    assert not judged("ForAnyValue:StringLike", ["a*"])
    assert not judged("ForAnyValue:StringNotEquals", ["a"])


def test_all_keys_of_all_operators_must_hold() -> None:
    both = {"StringEquals": {"a": "1", "b": "2"}, "Null": {"c": "true"}}
    assert holds(both, {"a": ("1",), "b": ("2",)})
    assert not holds(both, {"a": ("1",), "b": ("3",)})
    assert not holds(both, {"a": ("1",), "b": ("2",), "c": ("x",)})


def test_an_operator_that_is_not_known_is_not_taken_for_yes() -> None:
    with pytest.raises(UnknownOperatorError, match="IpAddress"):
        judged("IpAddress", "10.0.0.0/8", "10.1.1.1")
