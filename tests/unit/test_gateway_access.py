"""The gateway is never open."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from autoscaler.gateway import renewing, serve
from autoscaler.gateway.access import (
    UNUSABLE_SECONDS,
    ByKey,
    Caller,
    KeysError,
    KeysGoneError,
    Renewed,
    digest,
    keys_of,
    new_key,
)
from autoscaler.gateway.errors import GatewayError
from autoscaler.gateway.renewing import RENEW_SECONDS, Renewing
from autoscaler.gateway.serve import access_by, gateway_settings
from autoscaler.runtime.settings import SettingsError
from tests.unit.adapter_calls import Broken, refused


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


def test_a_key_has_256_random_bits() -> None:
    found = [new_key().removeprefix("ask-") for _ in range(100)]
    assert {len(base64.urlsafe_b64decode(f"{key}=")) for key in found} == {32}
    places = zip(*found, strict=True)
    assert all(len(set(place)) > 10 for place in list(places)[:-1]), "no part of it is fixed"


def test_a_key_is_compared_with_all_and_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever it is, or none: the time says nothing of how many there are before it."""
    keys = [new_key() for _ in range(3)]
    by_key, compared = ByKey(keys_of(secret(*keys))), []
    real = hmac.compare_digest

    def counted(one: str, other: str) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", counted)
    for given in (*keys, new_key()):
        compared.clear()
        with contextlib.suppress(GatewayError):
            by_key.check(f"Bearer {given}")
        assert compared == [(digest(key), digest(given)) for key in keys]


def test_a_digest_is_no_key() -> None:
    key = new_key()
    with pytest.raises(GatewayError):
        ByKey(keys_of(secret(key))).check(f"Bearer {digest(key)}")


NO_TENANTS = [
    json.dumps({"keys": [{"sha256": digest("a"), "tenant": one}]})
    for one in (5, 0, False, ["search"], {"name": "search"})
]


def test_a_tenant_that_is_null_is_none() -> None:
    text = json.dumps({"keys": [{"sha256": digest("a"), "tenant": None}]})
    assert ByKey(keys_of(text)).check("Bearer a") == Caller("")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("unset", "is not"),
        ("[]", "is not"),
        ('{"keys": [{"tenant": "a"}]}', "is not"),
        *((one, "is not") for one in NO_TENANTS),
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


class Kept:
    """A secret that its owner edits, and the time that passes."""

    def __init__(self, text: str) -> None:
        self.text: str | Exception = text
        self.now = 0.0
        self.keys = Renewed(self._read, lambda: self.now)

    def _read(self) -> str:
        if isinstance(self.text, Exception):
            raise self.text
        return self.text

    def becomes(self, text: str | Exception, after: float = 300) -> None:
        """The next look finds it so."""
        self.text, self.now = text, self.now + after
        with contextlib.suppress(KeysError, ConnectionError):
            self.keys.renew()

    def knows(self, key: str) -> bool:
        try:
            self.keys.check(f"Bearer {key}")
        except GatewayError as refused:
            assert refused.status == 401
            return False
        return True


NONE_LEFT = '{"keys": []}'
MEANINGLESS = ["revoked", "", "{}", '{"keys": {}}', "[" * 60_000, '{"keys": [{"sha256": "short"}]}']


def test_a_key_that_was_taken_back_is_refused_from_the_next_look_on() -> None:
    old, new = new_key(), new_key()
    kept = Kept(secret(old))
    kept.becomes(secret(new))
    assert kept.knows(new) and not kept.knows(old)


def test_when_the_last_entry_is_removed_every_key_is_taken_back_and_may_come_again() -> None:
    key = new_key()
    kept = Kept(secret(key))
    kept.becomes(NONE_LEFT)
    assert not kept.knows(key) and kept.keys.lets_nobody_in
    kept.becomes(secret(key))
    assert kept.knows(key) and not kept.keys.lets_nobody_in


def test_a_secret_that_is_gone_takes_its_keys_along() -> None:
    key = new_key()
    kept = Kept(secret(key))
    kept.becomes(KeysGoneError("not there"))
    assert not kept.knows(key)


@pytest.mark.parametrize("text", [*MEANINGLESS, *NO_TENANTS, KeysError("it may not be read")])
def test_a_secret_that_cannot_be_used_keeps_its_keys_for_ten_minutes(text: str | Exception) -> None:
    key = new_key()
    kept = Kept(secret(key))
    kept.becomes(text)
    kept.becomes(text, after=UNUSABLE_SECONDS - 1)
    assert kept.knows(key), "who made a mistake has the time to mend it"
    kept.becomes(text, after=1)
    assert not kept.knows(key)
    kept.becomes(text)
    assert not kept.knows(key)
    kept.becomes(secret(key))
    assert kept.knows(key)


def test_a_mistake_that_was_mended_and_made_again_has_its_ten_minutes_again() -> None:
    key = new_key()
    kept = Kept(secret(key))
    for text in ("oops", secret(key), "oops"):
        kept.becomes(text, after=UNUSABLE_SECONDS)
    assert kept.knows(key)


def test_a_secret_that_cannot_be_reached_says_nothing_of_its_keys() -> None:
    key = new_key()
    kept = Kept(secret(key))
    for _ in range(9):
        kept.becomes(ConnectionError("throttled"), after=UNUSABLE_SECONDS)
    assert kept.knows(key)
    kept.becomes(NONE_LEFT)
    kept.becomes(ConnectionError("throttled"))
    assert not kept.knows(key), "and does not bring back what was taken"


@pytest.mark.parametrize(
    ("code", "raised", "said"),
    [
        ("ResourceNotFoundException", KeysGoneError, "'gateway-keys' of the gateway's keys is not"),
        ("InvalidRequestException", KeysGoneError, "is not there"),  # it is marked for deletion
        ("AccessDeniedException", KeysError, "'gateway-keys' of the gateway's keys cannot be read"),
        ("DecryptionFailure", KeysError, "cannot be read: DecryptionFailure"),
        ("ThrottlingException", ClientError, "Throttling"),
        ("InternalServiceError", ClientError, "InternalServiceError"),
    ],
)
def test_what_secrets_manager_answers_is_told_apart(
    code: str, raised: type[Exception], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "client", lambda _service: Broken(refused(code, 400)))
    env = {"GATEWAY_ACCESS": "keys", "GATEWAY_KEYS_SECRET": "gateway-keys"}
    with pytest.raises(raised, match=said) as told:
        access_by(gateway_settings(env))
    assert type(told.value) is raised


@pytest.mark.parametrize(
    ("text", "then"), [("oops", "the old ones go on"), (NONE_LEFT, "nobody is let in")]
)
def test_the_log_says_what_a_look_that_failed_means_for_callers(
    text: str, then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    kept = Kept(secret(new_key()))
    kept.text, kept.now = text, RENEW_SECONDS
    monkeypatch.setattr(renewing.logger, "error", lambda words, extra: said.append(words))
    asyncio.run(watched(kept).renew_if_due())
    assert said[0].endswith(then)


def watched(kept: Kept) -> Renewing:
    async def blocking(look: Callable[[], None]) -> None:
        await asyncio.sleep(0)  # somebody else's turn
        look()

    states: Any = SimpleNamespace(blocking=blocking)
    return Renewing(kept.keys, states)


def test_after_a_pause_in_which_no_task_went_on_the_first_requests_wait_for_a_look() -> None:
    """A Lambda is frozen between two requests, its clock for timers too."""
    key = new_key()
    kept = Kept(secret(key))

    async def asked() -> list[bool]:
        keys = watched(kept)

        async def one() -> bool:
            await keys.renew_if_due()
            return kept.knows(key)

        return list(await asyncio.gather(one(), one(), one()))

    kept.text, kept.now = NONE_LEFT, RENEW_SECONDS - 1
    assert asyncio.run(asked()) == [True] * 3, "as long as anywhere"
    kept.now = 8 * 3600.0
    assert asyncio.run(asked()) == [False] * 3


def test_who_cannot_reach_the_secret_is_judged_by_the_keys_that_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(renewing, "_PATIENCE_SECONDS", 0.01)
    key = new_key()
    kept = Kept(secret(key))
    kept.now = 8 * 3600.0

    async def asked() -> bool:
        async def never(_look: Callable[[], None]) -> None:
            await asyncio.get_running_loop().create_future()

        states: Any = SimpleNamespace(blocking=never)
        await Renewing(kept.keys, states).renew_if_due()
        return kept.knows(key)

    assert asyncio.run(asked())


def test_keys_without_a_secret_are_refused_and_so_is_no_access_at_all() -> None:
    with pytest.raises(KeysError):
        access_by(gateway_settings({"GATEWAY_ACCESS": "keys"}))
    for given in ({}, {"GATEWAY_ACCESS": "none"}, {"GATEWAY_ACCESS": "open"}):
        with pytest.raises(SettingsError, match="GATEWAY_ACCESS"):
            gateway_settings(given)
