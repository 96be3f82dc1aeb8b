"""Errors that a test orders, answered in place of an operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.embedded.armed import ArmedFaults
from tools.embedded.shapes import ServiceError
from tools.embedded.types import Fault


class Faults(ArmedFaults):
    """Those of a simulated service, which knows the members of a call."""

    def check(self, operation: str, members: Mapping[str, Any]) -> None:
        """Raises the error that waits for this call; `operation` is like sagemaker:CreateModel."""
        fault = self.take(operation, lambda one: _matches(one, members))
        if fault is not None:
            raise ServiceError(fault.error_code, fault.message, fault.status)


class TakesFaults:
    """A simulated service of which a test may order errors."""

    faults: Faults

    @property
    def fired(self) -> list[tuple[float, Fault]]:
        return self.faults.fired

    def inject(self, fault: Fault) -> None:
        """That operation fails as ordered, so many times."""
        self.faults.inject(fault)


def _matches(fault: Fault, members: Mapping[str, Any]) -> bool:
    return all(str(members.get(name)) == value for name, value in fault.matching.items())
