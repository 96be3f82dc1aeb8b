"""Who asked for a wake or a sleep, as people are told: tenants or a person, on one line, bounded.
Never more of a request than its tenant's name."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 100  # characters; a tenant's name has 64 at most, an author's may have 200


def named(names: Iterable[str | None]) -> str | None:
    """`acme`, `acme and 2 others` (the first by name); None: nobody is known."""
    found = sorted({" ".join(name.split()) for name in names if name} - {""})
    if not found:
        return None
    first = found[0] if len(found[0]) <= LONGEST else f"{found[0][: LONGEST - 1]}…"
    others = len(found) - 1
    return f"{first} and {others} other{'s' if others > 1 else ''}" if others else first
