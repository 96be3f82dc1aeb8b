"""The bill of materials (CycloneDX 1.6, JSON) and the list of licences.

The same locks give the same bytes: no times, no random numbers.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tools.supply.exceptions import CHECKED
from tools.supply.packages import LAYERS, ROOT, Package, packages

SBOM = ROOT / "layers" / "sbom.cdx.json"
LICENCES = ROOT / "docs" / "licences.md"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:llm-endpoint-autoscaler:layers")


def sbom() -> str:
    """Every package of both layers, with the hashes of the files that the locks accept."""
    layers = {layer: packages(layer) for layer in LAYERS}
    components = {one.purl: one for found in layers.values() for one in found}
    listed = [_component(one) for _, one in sorted(components.items())]
    document: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, json.dumps(listed, sort_keys=True))}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "llm-endpoint-autoscaler",
                "name": "llm-endpoint-autoscaler",
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": listed,
        "dependencies": [
            {"ref": "llm-endpoint-autoscaler", "dependsOn": sorted(components)},
        ],
    }
    return json.dumps(document, indent=1) + "\n"


def _component(one: Package) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": one.purl,
        "name": one.name,
        "version": one.version,
        "purl": one.purl,
        "licenses": [{"expression": one.licence}],
        # A component's own hash would be of one file; a lock accepts a file for each platform.
        "properties": [{"name": "pip:hash:sha256", "value": value} for value in one.hashes],
    }


_HEAD = """\
# Licences

What the two layers carry of others, by their hash-pinned requirements. `make sbom` makes
this list from the packages' own metadata, and refuses a licence that is unknown or not permissive,
and fields that contradict each other. Of several classifiers without an SPDX expression each
counts (`AND`). As CycloneDX: [layers/sbom.cdx.json](../layers/sbom.cdx.json).
"""


def licences() -> str:
    """The document: a table for each layer, and the exceptions."""
    parts = [_HEAD, *(_of_layer(layer) for layer in LAYERS)]
    if CHECKED:
        rows = [(name, one.licence, one.reason) for name, one in sorted(CHECKED.items())]
        parts.append("## Looked up by hand\n\n" + _table(("package", "licence", "why"), rows))
    return "\n".join(parts)


def _of_layer(layer: str) -> str:
    rows = [(one.name, one.version, one.licence) for one in packages(layer)]
    return f"## `layers/{layer}`\n\n" + _table(("package", "version", "licence"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:], ""])


def written() -> dict[Path, str]:
    """Each file and what it must hold."""
    return {SBOM: sbom(), LICENCES: licences()}
