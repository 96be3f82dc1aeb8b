"""Whether the stack acts, or only says what it would do: its parameter `Mode`."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """`observe`: everything is decided, told and priced, and no capacity is changed."""

    ACT = "act"
    OBSERVE = "observe"
