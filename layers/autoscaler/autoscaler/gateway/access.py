"""Who may call. Never nobody in particular: IAM has checked already, or a key is asked for."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..spec.request import TENANT_PATTERN
from .errors import GatewayError

_DIGEST = re.compile(r"[0-9a-f]{64}")
_TENANT = re.compile(TENANT_PATTERN)
_SCHEME = "bearer "
_MARK = "ask-"  # so that scanners and people know what they found
# Time to mend an editor's slip, and no more for whoever wrote "revoked" and meant it.
UNUSABLE_SECONDS = 600.0


class KeysError(RuntimeError):
    """The gateway's keys cannot be used, and without one it does not start; says why."""


class KeysGoneError(KeysError):
    """There is no secret, or no entry in it: all keys are taken back."""


@dataclass(frozen=True)
class Caller:
    """`tenant` empty: the caller may name one in the request."""

    tenant: str = ""


class Access(Protocol):
    """Says who calls; raises GatewayError for whom it does not know."""

    def check(self, authorization: str) -> Caller: ...


class CheckedByIam:
    """The Function URL lets nobody through whom IAM does not allow."""

    def check(self, authorization: str) -> Caller:
        return Caller()


@dataclass(frozen=True)
class Key:
    digest: str  # SHA-256, hexadecimal
    tenant: str = ""


class ByKey:
    """Bearer keys, of which only digests are known. They are high in entropy, so that a plain
    digest is enough; all are compared, and in constant time. Without keys it refuses everybody."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = tuple(keys)

    def check(self, authorization: str) -> Caller:
        if not authorization.lower().startswith(_SCHEME):
            raise _unknown("give a key of this gateway as `Authorization: Bearer KEY`")
        presented = digest(authorization[len(_SCHEME) :].strip())
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, presented):
                found = key
        if found is None:
            raise _unknown("the key is none of this gateway's; ask its owner for one")
        return Caller(found.tenant)


class Renewed:
    """Keys that are read again now and then, so that they can be taken back: one, or all.

    `read` raises KeysGoneError when there is no secret, KeysError when there is one that cannot
    be used, and anything else when nobody knows what it says now. `seconds` goes on while the
    Lambda is frozen, where a monotonic clock may stand still.
    """

    def __init__(self, read: Callable[[], str], seconds: Callable[[], float] = time.time) -> None:
        self._read, self._seconds = read, seconds
        self._unusable_since: float | None = None
        self._put(self._look())

    def check(self, authorization: str) -> Caller:
        return self._current.check(authorization)

    def unread_seconds(self) -> float:
        """Since the secret was last looked at, with whatever success."""
        return abs(self._seconds() - self._looked_at)

    def renew(self) -> None:
        """Raises KeysGoneError, with which all keys go at once, KeysError for a secret that cannot
        be used, with which they go when it stays so for UNUSABLE_SECONDS, and what else the
        reading raises, which says nothing of the keys: they stay as they were."""
        try:
            self._put(self._look())
        except KeysGoneError:
            self._put([])
            raise
        except KeysError:
            now = self._seconds()
            if self._unusable_since is None:
                self._unusable_since = now
            elif now - self._unusable_since >= UNUSABLE_SECONDS:
                self._put([], since=self._unusable_since)
            raise

    def _look(self) -> list[Key]:
        self._looked_at = self._seconds()
        keys = keys_of(self._read())
        if not keys:
            raise KeysGoneError("the gateway has no key: make one with `autoscaler gateway-key`")
        return keys

    def _put(self, keys: Sequence[Key], since: float | None = None) -> None:
        self.lets_nobody_in, self._current = not keys, ByKey(keys)
        self._unusable_since = since


def new_key() -> str:
    return _MARK + secrets.token_urlsafe(32)


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def keys_of(secret: str) -> list[Key]:
    """The keys of the secret's document `{"keys": [{"sha256": ..., "tenant": ...}]}`; raises
    KeysError, which quotes nothing of it."""
    try:
        entries = json.loads(secret)["keys"]
        if not isinstance(entries, list):
            raise TypeError
        keys = [Key(entry["sha256"].lower(), _tenant(entry.get("tenant", ""))) for entry in entries]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise KeysError(
            'the secret of the gateway\'s keys is not {"keys": [{"sha256": "...", "tenant": '
            '"..."}]}: make entries with `autoscaler gateway-key`'
        ) from None
    for number, key in enumerate(keys):
        if not _DIGEST.fullmatch(key.digest):
            raise KeysError(f"keys[{number}].sha256 is not 64 hexadecimal digits")
        if key.tenant and not _TENANT.fullmatch(key.tenant):
            raise KeysError(f"keys[{number}].tenant is not 1 to 64 of letters, digits and _ . -")
    return keys


def _tenant(entry: object) -> str:
    """None at all is as good as an empty one; raises TypeError for what is no text."""
    if entry is None:
        return ""
    if not isinstance(entry, str):
        raise TypeError
    return entry


def _unknown(why: str) -> GatewayError:
    headers = {"www-authenticate": "Bearer"}
    return GatewayError(401, "invalid_api_key", why, headers=headers)
