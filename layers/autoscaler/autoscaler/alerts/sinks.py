"""What every way to people has in common: Slack by webhook or bot, an SNS topic, a plain POST."""

from __future__ import annotations

from typing import Protocol

from .message import Message


class RetryLater(RuntimeError):
    """The sink takes nothing before so many seconds have passed."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"told to try again in {seconds:g} s")


class SinkRejectedError(RuntimeError):
    """The sink did not take it, and says why without a credential.

    `lasting`: it takes nothing until a person does what the text says (a revoked webhook, a channel
    that is gone); else it is this one message that it does not like.
    """

    def __init__(self, why: str, *, lasting: bool = True) -> None:
        self.lasting = lasting
        super().__init__(why)


class Sink(Protocol):
    """Where messages go."""

    def send(self, message: Message) -> None:
        """Raises RetryLater, or SinkRejectedError when a person has to do something first."""
