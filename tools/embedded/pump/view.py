"""What the pump needs of the account that hosts it."""

from __future__ import annotations

from typing import Any, Protocol

from tools.embedded.types import Clock, Functions


class AccountView(Protocol):
    """The part of the account facade that the pump relies on.

    An account may also have `scaling`, with `alarm_state(alarm_arn, state, policy_arn, breach)`;
    `breach` is the metric less the alarm's threshold. And `acting` (tools.embedded.iam), which says
    what the roles of schedules and functions may not do.
    """

    @property
    def clock(self) -> Clock: ...

    @property
    def functions(self) -> Functions: ...

    @property
    def region(self) -> str: ...

    @property
    def account_id(self) -> str: ...

    def boto(self, service: str) -> Any:
        """A boto3 client with the account's own (admin) credentials."""
