"""The order in which the resources of a template are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.embedded.kernel.intrinsics import TemplateError, references


def in_order(resources: Mapping[str, Any]) -> list[str]:
    """Logical ids so that each comes after what it refers to; TemplateError for a circle."""
    known = set(resources)
    needs: dict[str, set[str]] = {}
    for logical, resource in resources.items():
        explicit = resource.get("DependsOn", [])
        explicit = {explicit} if isinstance(explicit, str) else set(explicit)
        said = [resource.get("Properties", {}), resource.get("Metadata", {})]
        needs[logical] = (references(said, known) | explicit) & known
        needs[logical].discard(logical)
    ordered: list[str] = []
    while len(ordered) < len(needs):
        ready = [name for name in needs if name not in ordered and needs[name] <= set(ordered)]
        if not ready:
            circle = ", ".join(sorted(set(needs) - set(ordered)))
            raise TemplateError(f"these resources refer to one another in a circle: {circle}")
        ordered += ready
    return ordered
