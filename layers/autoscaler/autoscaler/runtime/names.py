"""The check_names function: whose is what has an endpoint's names in SageMaker?"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from ..aws.namesakes import Namesakes
from ..control.namesakes import foreign_kinds
from .settings import settings


class Names(BaseModel):
    """The state machines' question."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str


def answer_names(event: Any) -> dict[str, Any]:
    """`{foreign}`: the kinds of what is there and is not the stack's."""
    asked, prefix = Names.model_validate(event), settings().stack_name
    return {"foreign": foreign_kinds(prefix, Namesakes(prefix).of_sagemaker(asked.endpoint))}
