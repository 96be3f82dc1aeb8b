"""The items of the endpoint store, and the way back from them.

| pk               | sk                    | what                                        |
|------------------|-----------------------|---------------------------------------------|
| FLEET            | <name>#SPEC           | the spec                                    |
| FLEET            | <name>#STATUS         | the status; what conditions and machines need, beside |
| FLEET            | <name>#PATTERN        | what was learned of its idle times and wakes |
| FLEET            | <name>#LATER          | when the first of its deferrable requests is due |
| FLEET            | #PRICES               | the Region's price list as it was read last |
| FLEET            | #STACK                | the kill switch and the stack's budget      |
| FORGOTTEN        | <name>                | the last generation of a retired one (expires) |
| HISTORY#<name>   | <time>#<generation>#<version>-<number> | a line of history (expires) |
| USAGE#<yyyy-mm>  | <start>#<name>#<version>-<number> | a usage segment; older: #<kind>... |
|                  | <start>#<name>#early-<type>-<number> | one of more than a write takes |
| TRAFFIC#<yyyy-mm>| <day>T<hour>#<name>   | counters of a UTC hour; older: <day>#<name> |
| FAILURES#<name>  | <message id>          | failed tries of one message (expires)       |

All of a fleet's specs and statuses come with one query. Bodies are JSON, so that Decimals and dates
survive unchanged, a status in a short form (`migrations.status_body`); the numbers that conditions
and state machines need stand beside, and so does `schema`, by which an older body is brought up
(`endpoints.migrations`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from ..catalog.prices import PriceBook
from ..endpoints.learned import StoredPattern
from ..endpoints.migrations import FIRST, SCHEMA, Part, brought_up, spec_of, status_body, status_of
from ..endpoints.stack_state import StackState
from ..endpoints.status import (
    HISTORY_DAYS,
    EndpointRecord,
    EndpointStatus,
    HistoryEntry,
    Traffic,
    UsageSegment,
)
from ..spec import EndpointSpec

FLEET = "FLEET"
STACK_SK = "#STACK"  # no endpoint's name is empty, so nothing else has such a key
FORGOTTEN_DAYS = 120  # Step Functions keeps the name of an execution taken for 90 days

WAITS = "waits_"  # and the number of the bin

Item = dict[str, dict[str, Any]]


def item_key(pk: str, sk: str) -> Item:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def written(body: str) -> Item:
    """A body in the present schema."""
    return {"schema": {"N": str(SCHEMA)}, "body": {"S": body}}


def read(part: Part, item: Item) -> str:
    """The body of an item as the present schema has it. Raises NewerSchemaError."""
    return brought_up(part, int(item.get("schema", {}).get("N", FIRST)), str(item["body"]["S"]))


def status_item(status: EndpointStatus) -> Item:
    return {
        **item_key(FLEET, f"{status.name}#STATUS"),
        "version": {"N": str(status.version)},
        "generation": {"N": str(status.generation)},
        "phase": {"S": status.phase},
        "discard_requests": {"BOOL": status.discard_requests},
        **written(status_body(status)),
    }


def forgotten_item(status: EndpointStatus) -> Item:
    expires = status.phase_since + timedelta(days=FORGOTTEN_DAYS)
    return {
        **item_key("FORGOTTEN", status.name),
        "generation": {"N": str(status.generation)},
        "expires_at": {"N": str(int(expires.timestamp()))},
    }


def spec_item(spec: EndpointSpec) -> Item:
    return {**item_key(FLEET, f"{spec.name}#SPEC"), **written(spec.model_dump_json())}


def pattern_item(name: str, pattern: StoredPattern) -> Item:
    return {**item_key(FLEET, f"{name}#PATTERN"), **written(pattern.model_dump_json())}


def stack_item(state: StackState) -> Item:
    return {
        **item_key(FLEET, STACK_SK),
        "version": {"N": str(state.version)},
        **written(state.model_dump_json()),
    }


def stack_of(item: Item | None) -> StackState:
    """What is stored; of a stack that never stored any, that nothing is stopped or limited."""
    return StackState.model_validate_json(read(Part.STACK, item)) if item else StackState()


def due_item(name: str, due_at: datetime) -> Item:
    return {
        **item_key(FLEET, f"{name}#LATER"),
        "due_at": {"N": str(due_at.timestamp())},
        "body": {"S": due_at.isoformat()},
    }


def segment_item(segment: UsageSegment, version: int, number: int) -> Item:
    """Its key says which write of the status it came with, and as which: two segments may be alike
    but for what they count, where machines that were asked for one by one come together."""
    return _usage_item(segment, _write(version, number))


def early_items(segments: Sequence[UsageSegment]) -> list[Item]:
    """Of segments that are stored before the write of their status: their keys say which span of
    which type each is, whichever write closes it; several alike are counted."""
    seen: Counter[tuple[datetime, str, str]] = Counter()
    items = []
    for segment in segments:
        alike = (segment.start, segment.endpoint, segment.instance_type)
        items.append(_usage_item(segment, f"early-{segment.instance_type}-{seen[alike]}"))
        seen[alike] += 1
    return items


def _usage_item(segment: UsageSegment, which: str) -> Item:
    sk = f"{segment.start.isoformat()}#{segment.endpoint}#{which}"
    return {
        **item_key(f"USAGE#{segment.start:%Y-%m}", sk),
        **written(segment.model_dump_json()),
    }


def history_item(entry: HistoryEntry, version: int, number: int) -> Item:
    """Its key as a segment's: one tick may write two lines of a generation."""
    expires = entry.at + timedelta(days=HISTORY_DAYS)
    sk = f"{entry.at.isoformat()}#{entry.generation}#{_write(version, number)}"
    return {
        **item_key(f"HISTORY#{entry.endpoint}", sk),
        "expires_at": {"N": str(int(expires.timestamp()))},
        # What a line has not is not written: most are not of a wake.
        **written(entry.model_dump_json(exclude_none=True)),
    }


def _write(version: int, number: int) -> str:
    """Which write of a status, and the how manieth of its items; in their order as text too."""
    return f"{version:09d}-{number}"


def traffic_key(traffic: Traffic) -> Item:
    if traffic.hours != 1:
        raise ValueError("traffic is counted by the hour; days are only read")
    start = traffic.start
    return item_key(f"TRAFFIC#{start:%Y-%m}", f"{start:%Y-%m-%dT%H}#{traffic.endpoint}")


def traffic_of(item: Item) -> Traffic:
    counters = {name: field["N"] for name, field in item.items() if "N" in field}
    if "traffic_day" in item:  # counted before there were hours
        span = {"start": f"{item['traffic_day']['S']}T00:00:00Z", "hours": 24}
    else:
        span = {"start": item["traffic_hour"]["S"]}
    waits = {
        int(name.removeprefix(WAITS)): int(counters.pop(name))
        for name in list(counters)
        if name.startswith(WAITS)
    }
    fields = {"endpoint": item["endpoint"]["S"], **span, **counters, "waits": waits}
    return Traffic.model_validate(fields)


def segment_of(item: Item) -> UsageSegment:
    return UsageSegment.model_validate_json(read(Part.USAGE, item))


def entry_of(item: Item) -> HistoryEntry:
    return HistoryEntry.model_validate_json(read(Part.HISTORY, item))


def records_of(items: Iterable[Item], prices: PriceBook, stack: StackState) -> list[EndpointRecord]:
    """Raises NewerSchemaError or UnreadableError for the whole fleet: an endpoint that was left out
    would be taken for none, and what it has for orphans."""
    found: dict[str, dict[str, Item]] = {}
    for item in items:
        name, _, part = item["sk"]["S"].rpartition("#")
        found.setdefault(name, {})[part] = item
    return [
        EndpointRecord(
            spec=spec_of(read(Part.SPEC, parts["SPEC"])),
            status=status_of(read(Part.STATUS, parts["STATUS"])),
            pattern=_pattern(parts.get("PATTERN")),
            deferrable_due_at=_due(parts.get("LATER")),
            prices=prices,
            stack=stack,
        )
        for parts in found.values()
        if parts.keys() >= {"SPEC", "STATUS"}
    ]


def _pattern(item: Item | None) -> StoredPattern:
    return StoredPattern.model_validate_json(read(Part.PATTERN, item) if item else "{}")


def _due(item: Item | None) -> datetime | None:
    return datetime.fromisoformat(item["body"]["S"]) if item else None
