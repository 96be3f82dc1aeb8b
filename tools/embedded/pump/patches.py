"""Replaces attributes of moto's classes and modules, and puts them back."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from tools.embedded.types import Clock

_ABSENT = object()


class Patches:
    """A stack of replaced attributes; `restore` undoes them in reverse order."""

    def __init__(self) -> None:
        self._undo: list[tuple[Any, str, Any]] = []

    def set(self, owner: Any, name: str, value: Any) -> Any:
        """Replaces an attribute and returns what it was (None when it was absent)."""
        before = vars(owner).get(name, _ABSENT)
        self._undo.append((owner, name, before))
        setattr(owner, name, value)
        return None if before is _ABSENT else before

    def restore(self) -> None:
        while self._undo:
            owner, name, before = self._undo.pop()
            if before is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, before)

    def set_time(self, module: ModuleType, clock: Clock) -> None:
        """Gives a module of moto's, whatever time functions it imported, the account's time."""
        replacements = {
            "utcnow": lambda: clock.now().replace(tzinfo=None),
            "unix_time": _present_or(clock, getattr(module, "unix_time", None), 1.0),
            "unix_time_millis": _present_or(clock, getattr(module, "unix_time_millis", None), 1e3),
        }
        for name, replacement in replacements.items():
            if hasattr(module, name):
                self.set(module, name, replacement)


def _present_or(clock: Clock, original: Any, scale: float) -> Any:
    """moto's function converts a moment when it is given one, else answers the present."""

    def unix_time(moment: Any = None) -> float:
        return clock.time() * scale if moment is None else float(original(moment))

    return unix_time
