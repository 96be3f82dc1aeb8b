"""Whatever an endpoint file holds, what is wrong with it is said in words for people."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from autoscaler.spec import SpecError, parse_spec
from autoscaler.spec.endpoint import EndpointSpec
from autoscaler.spec.schedule import Window
from autoscaler.spec.sentences import FORMS

JARGON = re.compile(r"\b(should|valid|tuple|pattern|dictionary|parse|Decimal|input|keyword)\b")
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.text("abc§ -", max_size=60),
    lambda some: (
        st.lists(some, max_size=7)
        | st.dictionaries(st.text("ab", max_size=3) | st.integers(), some, max_size=3)
    ),
    max_leaves=8,
)


def fields(model: type[BaseModel], *way: str) -> list[tuple[str, ...]]:
    """The places of a file, without the numbers of lists."""
    found: list[tuple[str, ...]] = []
    for name, field in model.model_fields.items():
        found.append((*way, name))
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found += fields(field.annotation, *way, name)
    return found


WINDOW = [("schedule", "windows", name) for name in Window.model_fields]
PLACES = [*fields(EndpointSpec), *WINDOW]


def refusal(way: tuple[str, ...], value: Any) -> SpecError | None:
    """What is said of a file that is good but for one place."""
    window = {"name": "peak", "days": ["mon"], "start": "08:00", "end": "18:00"}
    document: dict[str, Any] = {
        "name": "llama",
        "model": {"id": "acme/llama"},
        "instances": {"types": ["ml.g6e.xlarge"]},
        "schedule": {"windows": [window]},
    }
    if way in WINDOW:
        window[way[-1]] = value
    else:
        *outer, last = way
        here = document
        for step in outer:
            here = here.setdefault(step, {})
        here[last] = value
    try:
        parse_spec(document)
    except SpecError as refused:
        return refused
    return None


@given(st.sampled_from(PLACES), ANYTHING)
def test_no_word_of_the_library_is_shown(way: tuple[str, ...], value: Any) -> None:
    refused = refusal(way, value)
    for problem in refused.problems if refused else ():
        place, _, said = problem.partition(": ")
        assert place
        assert not JARGON.search(QUOTED.sub("", said)), problem


@pytest.mark.parametrize("way", PLACES, ids=".".join)
def test_a_text_of_a_given_form_has_words_for_it(way: tuple[str, ...]) -> None:
    refused = refusal(way, ["§"] if way[-1] == "types" else "§")
    cause = refused.__cause__ if refused else None
    kinds = [e["type"] for e in cause.errors()] if isinstance(cause, ValidationError) else []
    assert ("string_pattern_mismatch" in kinds) == (way in FORMS)
