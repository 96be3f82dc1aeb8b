"""A stack's parameters as CloudFormation reads them."""

from __future__ import annotations

import pytest

from tools.embedded.kernel.intrinsics import TemplateError
from tools.embedded.kernel.stack import checked_parameters

TEMPLATE = {
    "Parameters": {
        "Hosts": {"Type": "CommaDelimitedList", "Default": "", "AllowedPattern": "^[a-z.]*$"},
        "Name": {"Type": "String", "Default": "a,b"},
    }
}


def test_a_list_is_split_and_a_text_is_not() -> None:
    found = checked_parameters(TEMPLATE, {"Hosts": "a.com, b.com"})
    assert found == {"Hosts": ["a.com", "b.com"], "Name": "a,b"}


def test_an_empty_list_has_one_empty_member_as_in_aws() -> None:
    assert checked_parameters(TEMPLATE, {})["Hosts"] == [""]


def test_each_member_must_match_the_pattern() -> None:
    with pytest.raises(TemplateError, match="'B' does not match"):
        checked_parameters(TEMPLATE, {"Hosts": "a,B"})
