"""pydantic's errors in words for the person who writes an endpoint file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LONGEST_SHOWN = 80

# By the kind of pydantic's error; {} are members of its context.
_WORDS: Mapping[str, str] = {
    "string_type": "is not a text: put it in quotes",
    "string_too_long": "is longer than {max_length} characters",
    "int_type": "is not a whole number",
    "int_parsing": "is not a whole number",
    "int_parsing_size": "is not a whole number of a size that means anything",
    "int_from_float": "is not a whole number",
    "float_type": "is not a number",
    "float_parsing": "is not a number",
    "decimal_type": "is not a number",
    "decimal_parsing": "is not a number",
    "decimal_max_places": "has more than {decimal_places} decimal places",
    "decimal_max_digits": "has more than {max_digits} digits",
    "decimal_whole_digits": "has more than {whole_digits} digits before the point",
    "finite_number": "is not a finite number",
    "greater_than": "is not above {gt}",
    "greater_than_equal": "is below {ge}",
    "less_than": "is not below {lt}",
    "less_than_equal": "is above {le}",
    "bool_type": "is neither true nor false",
    "bool_parsing": "is neither true nor false",
    "enum": "is not one of {expected}",
    "invalid_key": "is not a key: keys are texts",
    "tuple_type": "is not a list",
    "dict_type": "is not a mapping of keys to values",
    "model_type": "is not a mapping of keys to values",
    "too_short": "at least {min_length} is needed here",
    "too_long": "at most {max_length} are taken here, not {actual_length}",
}
_WITHOUT_VALUE = frozenset({"too_short", "too_long"})
# What a text of a given form shall be, by the place in the file; lists without their numbers.
FORMS: Mapping[tuple[str, ...], str] = {
    ("name",): (
        "is not a name: small letters, digits and single hyphens, the first of them a letter"
    ),
    ("fallback",): (
        "is not a name: small letters, digits and single hyphens, the first of them a letter"
    ),
    ("instances", "shared"): (
        "is not a name: small letters, digits and single hyphens, the first of them a letter"
    ),
    ("team",): (
        "is not a team's name: letters, digits, spaces, dots, hyphens and underscores, up to 64, "
        "the first of them a letter or a digit"
    ),
    ("model", "id"): "is not a repository on the Hub: write owner/name",
    ("model", "revision"): "is not a branch, a tag or a commit",
    ("instances", "types"): "is not an instance type such as ml.g6e.xlarge",
    ("network", "vpc", "subnets"): "is not a subnet's id such as subnet-0123456789abcdef0",
    ("network", "vpc", "security_groups"): (
        "is not a security group's id such as sg-0123456789abcdef0"
    ),
    ("encryption", "kms_key"): (
        "is not the ARN of a key, such as "
        "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    ),
    ("tenants", "[key]"): (
        "is not a tenant's name: letters, digits, dots, hyphens and underscores, up to 64, the "
        'first of them a letter or a digit; or "*" for all others'
    ),
    ("schedule", "holidays", "calendar"): (
        "is not a country: write its ISO 3166 code in capitals, such as DE"
    ),
    ("schedule", "holidays", "subdivision"): (
        "is not a part of a country: write its code, such as BE for Berlin"
    ),
    ("schedule", "windows", "name"): (
        "is not a window's name: small letters, digits and hyphens, up to 32, the first of them a "
        "letter"
    ),
}


def sentence(
    kind: str, place: tuple[str, ...], value: Any, context: Mapping[str, Any], otherwise: str
) -> str:
    """What is wrong with a value, without its path; `place` is the path without numbers.

    `otherwise` is pydantic's own message, for a kind that has no words here.
    """
    if value is None:
        return "is empty: give it a value or leave the key out"
    form = (*place[:1], *place[-1:]) if place[-1:] == ("[key]",) else place
    words = FORMS.get(form) if kind == "string_pattern_mismatch" else _WORDS.get(kind)
    if words is None:
        return f"{_shown(value)}: {otherwise[:1].lower()}{otherwise[1:]}"
    said = words.format(**context)
    return said if kind in _WITHOUT_VALUE else f"{_shown(value)} {said}"


def cut(text: str) -> str:
    """Its beginning, by which whoever wrote it knows it."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _shown(value: Any) -> str:
    return cut(repr(value))
