"""Proves staged weights again, long after they were sealed."""

from __future__ import annotations

from .errors import IntegrityError
from .passport import Passport, check_listing, read_passport
from .plan import passport_key_of
from .store import WeightStore


def verify(store: WeightStore, prefix: str, *, deep: bool = False) -> Passport:
    """Returns the passport if everything under the prefix is what it says, and nothing else is.

    By the checksums that S3 keeps; with `deep` every byte is read and hashed again, as is a large
    file of which the passport knows no checksum that S3 computes itself. Raises
    PassportMissingError, PassportInvalidError, IntegrityError.
    """
    passport = read_passport(store, passport_key_of(prefix))
    check_listing(passport.prefix, {f.path: f.size_bytes for f in passport.files}, store)
    for file in passport.files:
        key = passport.prefix + file.path
        stored = store.head(key)
        if file.crc64nvme and (stored is None or stored.crc64nvme != file.crc64nvme):
            raise IntegrityError(f"{key} is not what was sealed: S3 has another checksum of it")
        by_s3 = stored is not None and (stored.crc64nvme is None or file.crc64nvme is not None)
        kept = stored.sha256 if stored and by_s3 else None
        found = store.sha256_of(key) if deep or kept is None else kept
        if found != file.sha256:
            raise IntegrityError(f"{key} has the SHA-256 {found}, but was sealed as {file.sha256}")
    return passport
