"""The gateway is never open."""

from __future__ import annotations

import json

import pytest

from autoscaler.gateway.access import ByKey, Caller, KeysError, Renewed, digest, keys_of, new_key
from autoscaler.gateway.errors import GatewayError
from autoscaler.gateway.serve import access_by, gateway_settings
from autoscaler.runtime.settings import SettingsError


def secret(*keys: str, tenant: str = "search") -> str:
    return json.dumps({"keys": [{"sha256": digest(key), "tenant": tenant} for key in keys]})


def test_a_key_is_known_by_its_digest_with_its_tenant() -> None:
    first, second = new_key(), new_key()
    access = ByKey(keys_of(secret(first, second)))
    assert access.check(f"Bearer {first}") == Caller("search")
    assert access.check(f"bearer {second}") == Caller("search")


@pytest.mark.parametrize("given", ["", "Basic eDp5", "Bearer ", "Bearer ask-of-somebody"])
def test_whoever_has_no_key_is_refused_without_a_word_of_what_was_given(given: str) -> None:
    with pytest.raises(GatewayError) as caught:
        ByKey(keys_of(secret(new_key()))).check(given)
    assert caught.value.status == 401
    assert caught.value.headers == {"www-authenticate": "Bearer"}
    assert "somebody" not in caught.value.message


def test_a_digest_is_no_key() -> None:
    key = new_key()
    with pytest.raises(GatewayError):
        ByKey(keys_of(secret(key))).check(f"Bearer {digest(key)}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("unset", "is not"),
        ("[]", "is not"),
        ('{"keys": [{"tenant": "a"}]}', "is not"),
        ('{"keys": [{"sha256": "ask-plain-key"}]}', "keys[0].sha256 is not 64 hexadecimal"),
        (secret("a", tenant="with blank"), "keys[0].tenant is not 1 to 64"),
        ('{"keys": []}', "the gateway has no key"),
    ],
)
def test_without_a_usable_key_it_does_not_start(text: str, words: str) -> None:
    with pytest.raises(KeysError) as caught:
        Renewed(lambda: text)
    assert words in str(caught.value)
    assert "plain" not in str(caught.value)


def test_a_key_that_was_taken_back_is_refused_and_a_broken_secret_is_not_taken() -> None:
    old, new = new_key(), new_key()
    texts = [secret(old), secret(new), "broken"]
    access = Renewed(lambda: texts.pop(0))
    access.renew()
    with pytest.raises(GatewayError):
        access.check(f"Bearer {old}")
    with pytest.raises(KeysError):
        access.renew()
    assert access.check(f"Bearer {new}")


def test_keys_without_a_secret_are_refused_and_so_is_no_access_at_all() -> None:
    with pytest.raises(KeysError):
        access_by(gateway_settings({"GATEWAY_ACCESS": "keys"}))
    for given in ({}, {"GATEWAY_ACCESS": "none"}, {"GATEWAY_ACCESS": "open"}):
        with pytest.raises(SettingsError, match="GATEWAY_ACCESS"):
            gateway_settings(given)
