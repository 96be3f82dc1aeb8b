"""Proves staged weights again, long after they were sealed."""

from __future__ import annotations

from .errors import IntegrityError
from .passport import Passport, check_listing, read_passport
from .store import WeightStore


def verify(store: WeightStore, prefix: str, *, deep: bool = False) -> Passport:
    """Returns the passport if everything under the prefix is what it says, and nothing else is.

    By the checksums that S3 keeps; with `deep` every byte is read and hashed again. Raises
    PassportMissingError, PassportInvalidError, IntegrityError.
    """
    passport = read_passport(store, passport_key_of(prefix))
    check_listing(passport.prefix, {f.path: f.size_bytes for f in passport.files}, store)
    for file in passport.files:
        key = passport.prefix + file.path
        stored = store.head(key)
        kept = stored.sha256 if stored else None
        found = store.sha256_of(key) if deep or kept is None else kept
        if found != file.sha256:
            raise IntegrityError(f"{key} has the SHA-256 {found}, but was sealed as {file.sha256}")
    return passport


def passport_key_of(prefix: str) -> str:
    """Of `models/<model>/<commit>/`."""
    return f"passports/{prefix.removeprefix('models/').rstrip('/')}.json"
