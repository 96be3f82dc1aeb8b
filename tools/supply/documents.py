"""The bill of materials (CycloneDX 1.6, JSON) and the list of licences.

The same locks give the same bytes: no times, no random numbers.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from tools.supply.exceptions import CHECKED
from tools.supply.lambda_layers import TEMPLATE, LambdaLayer, lambda_layers
from tools.supply.packages import LAYERS, ROOT, Package, packages

SBOM = ROOT / "layers" / "sbom.cdx.json"
LICENCES = ROOT / "docs" / "licences.md"
_PINNED = (
    "Pinned by the layer's version and by no hash: a template has no place for one, and a version "
    "that is published cannot be changed."
)
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:llm-endpoint-autoscaler:layers")


def sbom() -> str:
    """Every package of both layers, with the hashes of the files that the locks accept, and every
    Lambda layer of others that the template runs."""
    components = {one.purl: _package(one) for layer in LAYERS for one in packages(layer)}
    components |= {one.purl: _lambda_layer(one) for one in _lambda_layers()}
    listed = [one for _, one in sorted(components.items())]
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


def _package(one: Package) -> dict[str, Any]:
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


def _lambda_layers() -> list[LambdaLayer]:
    return lambda_layers(TEMPLATE.read_text())


def _lambda_layer(one: LambdaLayer) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": one.purl,
        "name": one.name,
        "version": one.version,
        "description": f"{one.origin.title}, as a Lambda layer. {_PINNED}",
        "purl": one.purl,
        "licenses": [{"expression": one.origin.licence}],
        "externalReferences": [{"type": "vcs", "url": one.origin.repository}],
        "properties": [{"name": "lambda:layer:arn", "value": one.arn}],
    }


_HEAD = """\
# Licences

What the two layers carry of others, by their hash-pinned requirements, and the Lambda layers of
others that the template runs beside them. `make sbom` makes this list from the packages' own
metadata and from the template, and refuses a licence that is unknown or not permissive, and fields
that contradict each other. Of several classifiers without an SPDX expression each counts (`AND`).
As CycloneDX: [layers/sbom.cdx.json](../layers/sbom.cdx.json).
"""


_OF_OTHERS = (
    f"{_PINNED} Its number counts what the account has published, and is not the software's. "
    "The licence is its repository's, looked up by hand: a layer has no metadata."
)


def licences() -> str:
    """The document: a table for each layer, and the exceptions."""
    parts = [_HEAD, *(_of_layer(layer) for layer in LAYERS), _of_others()]
    if CHECKED:
        rows = [(name, one.licence, one.reason) for name, one in sorted(CHECKED.items())]
        parts.append(
            "## Packages looked up by hand\n\n" + _table(("package", "licence", "why"), rows)
        )
    return "\n".join(parts)


def _of_layer(layer: str) -> str:
    rows = [(one.name, one.version, one.licence) for one in packages(layer)]
    return f"## `layers/{layer}`\n\n" + _table(("package", "version", "licence"), rows)


def _of_others() -> str:
    rows = [
        (f"`{one.name}`", one.account, one.version, one.origin.licence,
         f"[{one.origin.title}]({one.origin.repository})")
        for one in _lambda_layers()
    ]  # fmt: skip
    head = ("layer", "account", "version", "licence", "what it is")
    return f"## Lambda layers of others\n\n{fill(_OF_OTHERS, 100)}\n\n{_table(head, rows)}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:], ""])


def written() -> dict[Path, str]:
    """Each file and what it must hold."""
    return {SBOM: sbom(), LICENCES: licences()}
