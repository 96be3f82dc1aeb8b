"""The packages of a layer, from its hash-pinned requirements and their installed metadata."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from tools.supply.exceptions import CHECKED
from tools.supply.licences import Fields, LicenceError, judged

ROOT = Path(__file__).parents[2]
LAYERS = ("autoscaler", "gateway")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(\[[a-z,]+\])?==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Package:
    """One pinned package. `hashes`: SHA-256 of every file that the lock accepts."""

    name: str
    version: str
    hashes: tuple[str, ...]

    @property
    def licence(self) -> str:
        """LicenceError if no layer may carry it."""
        return licence_of(self.name)

    @property
    def purl(self) -> str:
        return f"pkg:pypi/{self.name.lower()}@{self.version}"


def packages(layer: str) -> list[Package]:
    """By name. ValueError for a requirement that is not pinned with hashes."""
    text = (ROOT / "layers" / layer / "requirements.txt").read_text().replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pin, hashes = _PIN.match(line), tuple(sorted(_HASH.findall(line)))
        if pin is None or not hashes:
            raise ValueError(
                f"layers/{layer}/requirements.txt: {line[:60]!r} has no pin with hashes"
            )
        found.append(Package(pin[1], pin[3], hashes))
    return sorted(found, key=lambda one: one.name.lower())


def licence_of(name: str) -> str:
    """As SPDX writes it. LicenceError: why no layer may carry it, and the way out."""
    try:
        said = metadata(name)
    except PackageNotFoundError:
        raise LicenceError(
            f"{name} is not installed here, so that its licence cannot be read: run `make setup`"
        ) from None
    fields = Fields.of(
        said.get_all("License-Expression") or [],
        said.get_all("Classifier") or [],
        said.get_all("License") or [],
    )
    checked = CHECKED.get(name)
    if checked and checked.fields == fields:
        return checked.licence
    try:
        return judged(fields)
    except LicenceError as error:
        raise LicenceError(
            f"{name}: {error}. Its metadata has {fields}. If its licence files say otherwise, "
            "write an exception with the reason: CHECKED in tools/supply/exceptions.py"
        ) from error
