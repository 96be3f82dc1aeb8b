"""A release as it was: what `sam deploy` put into an account, kept beside the tests.

A checkout of CI may have no history, so each release that this one must be able to follow lies here
as an archive, with what it wrote (`record`). `make release-archive TAG=v0.1.0` makes both.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import subprocess
import tarfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PREVIOUS = "v0.1.0"
# What is deployed. The pinned requirements are not: hashes do not shrink, and the tests run on the
# libraries of the checkout, as the next release's layer would.
PATHS = (
    "template.yaml",
    "functions",
    "layers",
    "statemachines",
    ":(exclude)layers/*/requirements.txt",
)


def archive(tag: str = PREVIOUS) -> Path:
    return HERE / f"{tag}.tar.xz"


def of_git(tag: str) -> bytes:
    """The tar of a tag's tree. Raises CalledProcessError where git does not have it."""
    command = ["git", "archive", "--format=tar", tag, *PATHS]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout


def make(tag: str) -> Path:
    archive(tag).write_bytes(lzma.compress(of_git(tag), preset=9 | lzma.PRESET_EXTREME))
    return archive(tag)


def unpacked(folder: Path, tag: str = PREVIOUS) -> Path:
    """The release in a folder of its own; returns that folder."""
    with tarfile.open(archive(tag), "r:xz") as packed:
        packed.extractall(folder, filter="data")
    return folder


def digests(tar: bytes) -> dict[str, str]:
    """SHA-256 by path of every file."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(tar)) as packed:
        for member in packed:
            file = packed.extractfile(member)
            if file is not None:
                found[member.name] = hashlib.sha256(file.read()).hexdigest()
    return found
