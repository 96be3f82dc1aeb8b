"""DynamoDB's answers without a second look are, byte for byte, those with one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.core.serialize import BaseJSONSerializer, JSONSerializer
from moto.core.utils import get_service_model

from tools.embedded.kernel import plain_values

NAMES = st.text(min_size=1, max_size=6)
LONG_NUMBERS = st.decimals(allow_nan=False, allow_infinity=False).map(str)
PLAIN = st.one_of(
    st.builds(lambda text: {"S": text}, st.text(max_size=12)),
    st.builds(lambda number: {"N": number}, LONG_NUMBERS),
    st.builds(lambda yes: {"BOOL": yes}, st.booleans()),
    st.just({"NULL": True}),
    st.builds(lambda texts: {"SS": texts}, st.lists(st.text(max_size=4), min_size=1)),
    st.builds(lambda numbers: {"NS": numbers}, st.lists(LONG_NUMBERS, min_size=1)),
)
BINARY = st.one_of(
    st.builds(lambda data: {"B": data}, st.binary(max_size=12)),
    st.builds(lambda all_data: {"BS": all_data}, st.lists(st.binary(max_size=4), min_size=1)),
)


def nested(simple: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(simple, lambda inner: st.one_of(_lists(inner), _maps(inner)), max_leaves=12)


def _lists(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(lambda some: {"L": some}, st.lists(inner, max_size=4))


def _maps(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(lambda some: {"M": some}, st.dictionaries(NAMES, inner, max_size=4))


DYNAMODB = get_service_model("dynamodb")


def answer(item: dict[str, Any]) -> Any:
    """What GetItem says of it."""
    serializer = JSONSerializer(operation_model=DYNAMODB.operation_model("GetItem"))
    return serializer.serialize({"Item": item})["body"]


@pytest.fixture(scope="module")
def by_moto() -> Callable[[dict[str, Any]], Any]:
    """The same, as moto does it by itself."""
    plain_values.install()
    quick = BaseJSONSerializer._serialize_type_structure
    slow = quick.__wrapped__  # type: ignore[attr-defined]

    def asked(item: dict[str, Any]) -> Any:
        BaseJSONSerializer._serialize_type_structure = slow  # type: ignore[method-assign]
        try:
            return answer(item)
        finally:
            BaseJSONSerializer._serialize_type_structure = quick  # type: ignore[method-assign]

    return asked


@given(item=st.dictionaries(NAMES, nested(PLAIN | BINARY), max_size=4))
def test_an_item_is_answered_as_moto_would(
    by_moto: Callable[[dict[str, Any]], Any], item: dict[str, Any]
) -> None:
    assert answer(item) == by_moto(item)


@given(item=st.dictionaries(NAMES, nested(PLAIN), max_size=4))
def test_what_has_no_binary_is_not_looked_into(item: dict[str, Any]) -> None:
    def looked_into(*_value: Any) -> None:
        raise AssertionError("moto looks at what is in a value")

    plain_values.install()
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("string", "list"):
            patch.setattr(BaseJSONSerializer, f"_serialize_type_{kind}", looked_into)
        assert json.loads(answer(item))["Item"] == item


ODD = ({"N": 7}, {"S": None}, {"M": {"a": {"N": 7}}}, {"X": "?"}, {"B": "aGk="}, {})


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_what_is_not_as_it_is_sent_is_left_to_moto(
    by_moto: Callable[[dict[str, Any]], Any], odd: dict[str, Any]
) -> None:
    assert not plain_values._is_plain(odd)
    assert answer({"odd": odd}) == by_moto({"odd": odd})
