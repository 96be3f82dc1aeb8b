"""Models, asked at once or late, and how they fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..spec import Kind


@dataclass(frozen=True)
class Answer:
    """A model's assembled answer."""

    body: Any  # OpenAI's completion shape; of the container's own request, whatever it said
    input_tokens: int
    output_tokens: int


class ModelError(RuntimeError):
    """The model refused the request (4xx): trying again will not help."""


class NoCapacityError(RuntimeError):
    """There is no copy to answer."""


class BusyError(RuntimeError):
    """The model or the way to it takes nothing now: throttled, not ready, not reached."""


class NotAllowedError(RuntimeError):
    """The stack's role may not ask it: that says nothing of the request, and stays so until
    whoever deploys mends it."""


class ModelInvoker(Protocol):
    """Asks the model and assembles its streamed answer."""

    def ask(self, name: str, body: Mapping[str, Any], kind: Kind, shared: str = "") -> Answer:
        """Raises ModelError, NoCapacityError, BusyError, NotAllowedError; anything else is a
        failed try."""


class ExpiredError(RuntimeError):
    """The request waited too long in SageMaker's own queue: it may be asked again."""


class UnsureError(RuntimeError):
    """SageMaker said neither yes nor no: it may have the request."""


class LateModels(Protocol):
    """Asks a model that answers later, and looks for what came of it."""

    def look(self, name: str, request_id: str) -> Answer | None:
        """The answer; None: none yet. Raises ModelError or ExpiredError when it failed."""

    def ask(self, name: str, request_id: str, body: Mapping[str, Any]) -> None:
        """Hands the request over. Raises UnsureError when SageMaker may have it; after BusyError
        and every other error it has not."""

    def was_asked(self, name: str, request_id: str) -> bool:
        """Whether SageMaker took the request, and nothing was forgotten since."""

    def forget(self, name: str, request_id: str) -> None:
        """Removes what is left of a request that is over."""
