"""The passport: proof that staged weights are pinned, whole and safe. Written last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .. import __version__
from .content_index import remember
from .errors import (
    IntegrityError,
    ObjectMissingError,
    PassportError,
    PassportInvalidError,
    PassportMissingError,
    StoreUnavailableError,
)
from .gates import check_files
from .large import CHECKPOINTS
from .plan import (
    Commit,
    ModelId,
    PlannedFile,
    Sha256,
    StagingPlan,
    passport_key,
    weights_prefix,
)
from .proof import prove
from .remote_code import CodeEntry
from .store import SMALL_BYTES, WeightStore


class PassportFile(BaseModel):
    """One proven file."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")

    path: str
    size_bytes: Annotated[int, Field(gt=0)]
    sha256: Sha256
    # Of a file that S3 keeps no SHA-256 of: S3's own checksum when it was sealed.
    crc64nvme: str | None = None


class Passport(BaseModel):
    """What lies under `prefix`, exactly. `digest` is the SHA-256 of everything else in it."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")

    model_id: ModelId
    revision: str
    commit: Commit
    trust_remote_code: bool
    files: Annotated[tuple[PassportFile, ...], Field(min_length=1)]
    total_bytes: int
    formats: tuple[str, ...]
    licence: str | None
    gated: bool
    code: tuple[CodeEntry, ...] = ()  # what a trusted repository says to run
    scanned_by: str | None = None  # the user's own scanner, if there is one
    created_at: datetime
    tool_version: str
    digest: Sha256

    @property
    def prefix(self) -> str:
        return weights_prefix(self.model_id, self.commit, self.trust_remote_code)

    @property
    def key(self) -> str:
        return passport_key(self.model_id, self.commit, self.trust_remote_code)


def seal(
    plan: StagingPlan,
    store: WeightStore,
    now: datetime | None = None,
    scanned_by: str | None = None,
) -> Passport:
    """Proves every planned file in the store, and that nothing else is there; then writes.

    Raises IntegrityError otherwise. Sealing again gives the same proof with a new time.
    """
    check_files(plan.files, plan.trust_remote_code)
    sizes = {file.path: file.size_bytes for file in plan.files}
    check_listing(plan.prefix, sizes, store)
    sealed = _sealed_before(plan, store)
    files = [_proven(plan.prefix, file, store, sealed.get(file.path)) for file in plan.files]
    passport = _passport(plan, files, now or datetime.now(UTC), scanned_by)
    store.put_bytes(passport.key, passport.model_dump_json(indent=2).encode())
    for file in plan.files:
        remember(store, file, plan.prefix + file.path)
    with suppress(StoreUnavailableError):  # the bucket's own rule ends them after two days
        store.uploads.abort_all(plan.prefix)
    return passport


def _sealed_before(plan: StagingPlan, store: WeightStore) -> dict[str, PassportFile]:
    try:
        passport = read_passport(store, plan.passport_key)
    except PassportError:
        return {}
    return {file.path: file for file in passport.files}


def _proven(
    prefix: str, file: PlannedFile, store: WeightStore, before: PassportFile | None
) -> PassportFile:
    """What the passport says of a file; raises IntegrityError unless it is the planned one.

    The SHA-256 of a large file is what staging wrote beside it: bytes that were exchanged since
    an earlier seal show in S3's own checksum.
    """
    key = prefix + file.path
    sha256 = prove(file, key, store)
    stored = store.head(key)
    if sha256 is None or stored is None:
        raise IntegrityError(f"{key} is not what the Hub lists")
    if before and before.crc64nvme and before.crc64nvme != stored.crc64nvme:
        raise IntegrityError(f"{key} is not what was sealed before: S3 has another checksum of it")
    return PassportFile(
        path=file.path, size_bytes=file.size_bytes, sha256=sha256, crc64nvme=stored.crc64nvme
    )


def read_passport(store: WeightStore, key: str) -> Passport:
    """Raises PassportMissingError, or PassportInvalidError when it contradicts itself."""
    try:
        content = store.get(key, SMALL_BYTES)
    except ObjectMissingError as missing:
        raise PassportMissingError(
            f"there is no passport at {key}: the weights were never staged completely"
        ) from missing
    try:
        passport = Passport.model_validate_json(content)
    except ValidationError as wrong:
        raise PassportInvalidError(f"{key} is not a passport: {wrong}") from wrong
    # Over the document as it was written: a later version may know of more fields.
    unsigned = {name: said for name, said in json.loads(content).items() if name != "digest"}
    if passport.digest != _digest(unsigned) or passport.key != key:
        raise PassportInvalidError(f"{key} was changed after it was sealed")
    return passport


def standing_passport(
    store: WeightStore,
    model_id: str,
    commit: str,
    trust_remote_code: bool = False,
    scanner: str = "",
) -> Passport | None:
    """The passport if its files still lie there by name and size; None: stage (again).

    With a `scanner` only one that names it counts: what was sealed elsewhere, or before there
    was a scanner, has yet to be shown to it. Checksums are not looked up: one list call a
    thousand files keeps a wake cheap.
    """
    try:
        passport = read_passport(store, passport_key(model_id, commit, trust_remote_code))
        require_scan(passport, scanner)
        check_listing(passport.prefix, {f.path: f.size_bytes for f in passport.files}, store)
    except (PassportMissingError, PassportInvalidError, IntegrityError):
        return None
    return passport


def require_scan(passport: Passport, scanner: str) -> None:
    """Raises PassportInvalidError when there is a scanner and it did not see these weights."""
    if scanner and passport.scanned_by != scanner:
        raise PassportInvalidError(f"{passport.key} was sealed without asking {scanner}")


def discard(plan: StagingPlan, store: WeightStore, scanner: str = "") -> int:
    """After a refusal: removes what was staged of the plan. Returns how many objects.

    Weights that have a passport stay: they were proven by an earlier staging. With a `scanner`
    only if it is the one that released them.
    """
    if standing_passport(store, plan.model_id, plan.commit, plan.trust_remote_code, scanner):
        return 0
    store.delete(plan.passport_key)
    store.uploads.abort_all(plan.prefix)
    keys = [stored.key for stored in store.list(plan.prefix)]
    for key in (*keys, *(stored.key for stored in store.list(CHECKPOINTS + plan.prefix))):
        store.delete(key)
    return len(keys)


def digest_of(passport: Passport) -> str:
    """SHA-256 over the canonical JSON (sorted keys, no spaces) of all but the digest."""
    return _digest(passport.model_dump(mode="json", exclude={"digest"}))


def _digest(document: dict[str, Any]) -> str:
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _passport(
    plan: StagingPlan, files: Iterable[PassportFile], now: datetime, scanned_by: str | None
) -> Passport:
    proven = tuple(sorted(files, key=lambda file: file.path))
    unsigned = Passport(
        model_id=plan.model_id,
        revision=plan.revision,
        commit=plan.commit,
        trust_remote_code=plan.trust_remote_code,
        files=proven,
        total_bytes=sum(file.size_bytes for file in proven),
        formats=tuple(sorted({PurePosixPath(file.path).suffix for file in proven})),
        code=plan.code,
        licence=plan.licence,
        gated=plan.gated,
        scanned_by=scanned_by,
        created_at=now,
        tool_version=__version__,
        digest="0" * 64,
    )
    return unsigned.model_copy(update={"digest": digest_of(unsigned)})


def check_listing(prefix: str, sizes: dict[str, int], store: WeightStore) -> None:
    """Raises IntegrityError unless exactly these files lie there, by name and size."""
    found = {stored.key.removeprefix(prefix): stored.size_bytes for stored in store.list(prefix)}
    for path, size_bytes in sizes.items():
        if path not in found:
            raise IntegrityError(f"{prefix}{path} is missing")
        if found[path] != size_bytes:
            raise IntegrityError(f"{prefix}{path} has {found[path]} bytes, not {size_bytes}")
    strangers = sorted(set(found) - set(sizes))
    if strangers:
        raise IntegrityError(f"{prefix}{strangers[0]} is not part of the model")
