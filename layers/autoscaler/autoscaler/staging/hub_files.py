"""What the Hub says of a repository's files, parsed and checked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import HubReplyError, IntegrityError

COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Revision:
    """A branch or tag, pinned."""

    model_id: str
    commit: str
    gated: bool
    licence: str | None


@dataclass(frozen=True)
class HubFile:
    """A file of the tree. `sha256` is None for a file that is not in LFS."""

    path: str
    size_bytes: int
    git_oid: str
    sha256: str | None


def licence_of(found: Mapping[str, Any]) -> str | None:
    card = found.get("cardData")
    licence = card.get("license") if isinstance(card, dict) else None
    if isinstance(licence, list):
        return ", ".join(str(one) for one in licence)
    return str(licence) if licence else None


def is_folder(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.get("type") == "directory"


def parse_file(entry: Any) -> HubFile:
    """Raises HubReplyError for anything that is not a file's path, size and checksums."""
    try:
        lfs = entry.get("lfs")
        file = HubFile(
            path=entry["path"],
            size_bytes=lfs["size"] if lfs else entry["size"],
            git_oid=str(entry["oid"]),
            sha256=str(lfs["oid"]).removeprefix("sha256:") if lfs else None,
        )
    except (AttributeError, KeyError, TypeError) as wrong:
        raise HubReplyError(_senseless(entry)) from wrong
    checksum_is_hex = file.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", file.sha256)
    size_is_one = type(file.size_bytes) is int and file.size_bytes >= 0
    path_is_text = isinstance(file.path, str)
    if not (checksum_is_hex and size_is_one and path_is_text and COMMIT.fullmatch(file.git_oid)):
        raise HubReplyError(_senseless(entry))
    return file


def _senseless(entry: Any) -> str:
    return f"an entry of the Hub's file list makes no sense: {ascii(entry)[:300]}"


def verify_small(file: HubFile, content: bytes) -> str:
    """Returns the SHA-256 (hex) of content that is what the tree lists; raises IntegrityError."""
    sha256 = hashlib.sha256(content).hexdigest()
    if file.sha256 is not None:
        expected, found = file.sha256, sha256
    else:
        expected, found = file.git_oid, git_blob_oid(content)
    if len(content) != file.size_bytes or expected != found:
        raise IntegrityError(f"{file.path}: checksum {found}, but the Hub lists {expected}")
    return sha256


def git_blob_oid(content: bytes) -> str:
    """What git calls a blob: SHA-1 over its length and content."""
    head = b"blob %d\0" % len(content)
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()
