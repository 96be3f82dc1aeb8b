"""When the table fails `notify`: an alert stays in its queue, and somebody hears that it does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from autoscaler.alerts.events.base import Severity
from autoscaler.runtime import notify as notifying
from tests.alerts_events import ONE_OF_EACH
from tests.alerts_office import MemoryOffice

LOUD = next(event for event in ONE_OF_EACH if event.severity is Severity.CRITICAL)
DENIED = PermissionError("not authorized to perform this on the table")
HELD = next(event for event in ONE_OF_EACH if event.detail_type == "EndpointAwoke")


@dataclass
class Counted:
    """What the alarm on alerts that nobody got would see."""

    refused: int = 0

    def alert_refused(self) -> None:
        self.refused += 1

    def event(self, _event: Any) -> None:
        """What happened counts elsewhere."""


def denied(*_: Any, **__: Any) -> Any:
    raise DENIED


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> MemoryOffice:
    found = MemoryOffice()
    monkeypatch.setattr(notifying, "_office", lambda: found.office)
    return found


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    found = Counted()
    monkeypatch.setattr(notifying, "_measures", lambda: found)
    return found


def delivery(event: Any, times: int) -> dict[str, Any]:
    body = {
        "source": "autoscaler",
        "detail-type": event.detail_type,
        "detail": json.loads(event.model_dump_json()),
    }
    record = {
        "messageId": "m",
        "receiptHandle": "r",
        "body": json.dumps(body),
        "attributes": {"ApproximateReceiveCount": str(times)},
    }
    return {"Records": [record]}


def test_what_the_table_keeps_from_being_told_stays_and_counts_from_the_third_try_on(
    office: MemoryOffice, counted: Counted
) -> None:
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(office.seen, "first_time", denied)
        for times in range(1, 6):
            reply = notifying.handle(delivery(LOUD, times))
            assert reply == {"batchItemFailures": [{"itemIdentifier": "m"}]}
            seen.append(counted.refused)
    assert seen == [0, 0, 1, 2, 3]
    assert office.sink().sent == []
    assert notifying.handle(delivery(LOUD, 6)) == {"batchItemFailures": []}
    assert len(office.sink().sent) == 1


def test_a_minutes_look_that_cannot_remove_what_it_told_fails(
    office: MemoryOffice, counted: Counted
) -> None:
    """So that the alarm on the function's errors sees it."""
    assert notifying.handle(delivery(HELD, 1)) == {"batchItemFailures": []}
    office.forward(seconds=61)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(office.held, "drop", denied)
        with pytest.raises(PermissionError):
            notifying.handle({"flush": "held"}, "one")
    office.forward(minutes=5)
    assert notifying.handle({"flush": "held"}, "two")["messages"] == 0, "it is told no more"
    assert len(office.sink().sent) == 1


@pytest.mark.parametrize("trouble", [[], [ConnectionError("no")]], ids=["done", "in vain"])
def test_a_minutes_look_leaves_the_way_free_for_the_next(
    office: MemoryOffice, counted: Counted, trouble: list[Exception]
) -> None:
    """Who died in it keeps the others away for five minutes, and nobody else does."""
    notifying.handle(delivery(HELD, 1))
    office.forward(seconds=61)
    office.sink().errors = [*trouble]
    if trouble:
        with pytest.raises(ConnectionError):
            notifying.handle({"flush": "held"}, "one")
    else:
        assert notifying.handle({"flush": "held"}, "one")["messages"] == 1
        notifying.handle(delivery(HELD.model_copy(update={"endpoint": "mistral"}), 1))
    office.forward(seconds=61)
    assert notifying.handle({"flush": "held"}, "two") == {"messages": 1, "waiting": 0}
    assert len(office.sink().sent) == (1 if trouble else 2)
