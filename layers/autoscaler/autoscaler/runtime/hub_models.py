"""The model of an endpoint that loads from the Hub, whose container needs the Hub's token.

What a state machine sends is kept in its history, so this request alone is sent by a function.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from ..aws.new_models import make_model
from ..aws.troubles import by_class
from ..endpoints.serving import TOKEN_VARIABLE
from .staging import stored_token


class NewModel(BaseModel):
    """CreateModel's request, without the token."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")

    endpoint: str
    generation: int
    request: dict[str, Any]


@by_class
def answer_model(event: Any) -> dict[str, Any]:
    """`{made}`: whether the model is new; raises ModelNotMadeError.

    Without a token in Secrets Manager the container asks the Hub as anybody.
    """
    step = NewModel.model_validate(event)
    return {"made": make_model(step.request, TOKEN_VARIABLE, stored_token())}
