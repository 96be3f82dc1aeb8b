"""Hosts of callbacks written so that two readers take them for two places."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from autoscaler.aws.callbacks import Callbacks, ForbiddenPlaceError, is_public
from autoscaler.spec.request import RequestError, parse_options


@pytest.mark.parametrize(
    "address",
    ["::127.0.0.1", "::ffff:0:7f00:1", "::ffff:100.64.0.1", "2002:a9fe:a9fe::1", "fe80::a9fe:a9fe"],
)
def test_an_inner_address_in_the_clothes_of_the_other_protocol_is_no_public_one(
    address: str,
) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "0",
        "localhost",
    ],
)
def test_a_number_for_a_host_is_the_address_that_it_is(host: str) -> None:
    """Even in the list, where only a mistake can have put it: the system reads it as it will."""
    with pytest.raises(ForbiddenPlaceError, match="an address inside a network"):
        Callbacks([host]).post(f"https://{host}/", b"{}")


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com@evil.example/",
        "https://evil.example/@hooks.example.com",
        "https://evil.example?@hooks.example.com/",
        "https://evil.example#@hooks.example.com/",
        "https://evil.example\\@hooks.example.com/",
        "https://hooks.example.com\\.evil.example/",
        "https://hooks.example.com%2eevil.example/",
        "https://hooks.example.com%00.evil.example/",
        "https://hооks.example.com/",
        "https:hooks.example.com/",
        "https:///hooks.example.com/",
        "//hooks.example.com/",
        "gopher://hooks.example.com/",
        "file://hooks.example.com/etc/passwd",
    ],
)
def test_a_url_that_two_readers_take_for_two_places_is_refused_before_a_look_up(url: str) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["93.184.216.34"]

    refused = Callbacks(["hooks.example.com"], resolve=resolve).problem(url) is not None
    try:
        parse_options({"reply_to": {"url": url}})
    except RequestError as wrong:
        assert "evil" not in str(wrong), "a URL is mostly a secret"
        refused = True
    assert refused
    assert asked == []


@pytest.mark.parametrize("text", ["\n", "\r\nHost: evil", "\t", " ", "\x00", "\x7f", "‮"])
def test_a_url_with_characters_that_belong_in_none_is_refused(text: str) -> None:
    with pytest.raises(RequestError):
        parse_options({"reply_to": {"url": f"https://hooks.example.com/a{text}b"}})
