"""How overrides that are in force look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

_SAID = {
    "hold": "held",
    "sleep_until": "put to sleep",
    "keep_warm": "kept warm",
    "pause_scale_in": "kept from scaling in",
}


def in_force_lines(one: Mapping[str, Any]) -> Iterator[str]:
    """What a person asked for of an endpoint, from what `get` tells, a sentence each."""
    hold = one.get("hold")
    found = [{**hold, "kind": "hold"}] if hold else []
    for each in (*found, *(one.get("overrides") or ())):
        what = _SAID.get(each["kind"], each["kind"])
        if each["kind"] == "hold":
            what += f" at {each['min_copies']} or more"
        elif each.get("even_for_requests"):
            what += ", even for requests,"
        until = datetime.fromisoformat(each["until"]).astimezone(UTC)
        yield f"{what} by {each['author']} until {until:%Y-%m-%d %H:%M:%S} UTC: {each['reason']}"
