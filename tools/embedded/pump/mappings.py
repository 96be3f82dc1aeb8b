"""Keeps one poller for each SQS event source mapping that the account has.

A mapping is found by any name of its function, as in AWS: moto compares the text alone, so that
a mapping made by ARN was not listed by name. A second one of the same pair is refused.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from tools.embedded.pump.function_names import function_name
from tools.embedded.pump.mapping import MappingPoller
from tools.embedded.pump.patches import Patches
from tools.embedded.pump.queues import Queues
from tools.embedded.pump.signals import raising
from tools.embedded.pump.view import AccountView

CHANGES = (
    "create_event_source_mapping",
    "update_event_source_mapping",
    "delete_event_source_mapping",
)


class Mappings:
    """Starts and stops pollers as mappings appear and disappear."""

    def __init__(self, account: AccountView, queues: Queues) -> None:
        self._account = account
        self._queues = queues
        self._patches = Patches()
        self._pollers: dict[str, MappingPoller] = {}
        self._retired: list[MappingPoller] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mappings", daemon=True)

    def start(self) -> None:
        from moto.awslambda.models import LambdaBackend

        for name in CHANGES:
            original = self._patches.set(LambdaBackend, name, None)
            setattr(LambdaBackend, name, raising(self._queues.signal, original))
        create = self._patches.set(LambdaBackend, "create_event_source_mapping", None)
        LambdaBackend.create_event_source_mapping = _once(create)
        self._patches.set(LambdaBackend, "list_event_source_mappings", _listed)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._patches.restore()
        self._queues.signal.raise_()
        self._thread.join(1)
        pollers = [*self._pollers.values(), *self._retired]
        for poller in pollers:
            poller.stop()
        deadline = time.monotonic() + 0.8
        for poller in pollers:
            poller.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while not self._stop.is_set():
            seen = self._queues.signal.count
            self._adjust()
            self._queues.signal.wait(seen)

    def _adjust(self) -> None:
        present = self._present()
        for uuid, mapping in present.items():
            if uuid not in self._pollers:
                poller = self._pollers[uuid] = MappingPoller(self._account, self._queues, mapping)
                poller.start()
        for uuid in [u for u in self._pollers if u not in present]:
            poller = self._pollers.pop(uuid)
            poller.stop()
            self._retired = [*self._retired[-20:], poller]

    def _present(self) -> dict[str, Any]:
        from moto.awslambda.utils import get_backend  # the one that moto's settings choose

        backend = get_backend(self._account.account_id, self._account.region)
        mappings = dict(backend._event_source_mappings)
        return {u: m for u, m in mappings.items() if ":sqs:" in m.event_source_arn}


def _listed(backend: Any, event_source_arn: str | None, function: str | None) -> list[Any]:
    """The mappings of a source, a function, or both; by any of the function's names."""
    return [
        mapping
        for mapping in list(backend._event_source_mappings.values())
        if (not event_source_arn or mapping.event_source_arn == event_source_arn)
        and (not function or function_name(function).covers(function_name(mapping.function_name)))
    ]


def _once(original: Any) -> Any:
    """Creates a mapping, unless the same function is fed by the same source already."""

    def create(backend: Any, spec: dict[str, Any]) -> Any:
        wanted = function_name(spec.get("FunctionName") or "")
        for present in _listed(backend, spec.get("EventSourceArn"), None):
            if function_name(present.function_name) == wanted:
                raise _conflict(present.event_source_arn, wanted.qualified, present.uuid)
        # moto looks a partial ARN up as if it were a name
        return original(backend, {**spec, "FunctionName": wanted.qualified})

    return create


def _conflict(source_arn: str, function: str, uuid: str) -> Exception:
    from moto.awslambda.exceptions import LambdaClientError

    error = LambdaClientError(
        "ResourceConflictException",
        f'An event source mapping with SQS arn (" {source_arn} ") and function (" {function} ") '
        f"already exists. Please update or delete the existing mapping with UUID {uuid}",
    )
    error.code = 409
    return error
