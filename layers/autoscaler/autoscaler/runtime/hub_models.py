"""The model of an endpoint that loads from the Hub, whose container needs the Hub's token.

What a state machine sends is kept in its history, so this request alone is sent by a function.
"""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict

from ..aws.new_models import make_model
from ..aws.troubles import by_class
from ..endpoints.serving import TOKEN_VARIABLE
from .boundary import Boundary, EndpointName, Generation, SageMakerName
from .staging import stored_token


class Container(Boundary):
    """What the token is added to; the rest of it is CreateModel's affair."""

    model_config = ConfigDict(extra="allow")

    Environment: dict[str, str] = {}


class ModelRequest(Boundary):
    """CreateModel's request; botocore looks at the rest of it."""

    model_config = ConfigDict(extra="allow")

    ModelName: SageMakerName
    PrimaryContainer: Container


class NewModel(Boundary):
    """CreateModel's request, without the token."""

    endpoint: EndpointName
    generation: Generation
    request: ModelRequest


@by_class
def answer_model(event: Any) -> dict[str, Any]:
    """`{made}`: whether the model is new; raises ModelNotMadeError.

    Without a token in Secrets Manager the container asks the Hub as anybody.
    """
    step = NewModel.model_validate(event)
    return {
        "made": make_model(
            step.request.model_dump(exclude_unset=True), TOKEN_VARIABLE, stored_token()
        )
    }
