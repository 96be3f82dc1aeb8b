"""The check_names function: whose is what has an endpoint's names in SageMaker?"""

from __future__ import annotations

from typing import Any, Literal

from ..aws.namesakes import Namesakes
from ..aws.troubles import by_class
from ..control.namesakes import foreign_of
from ..control.sweep import Kind
from .boundary import Boundary, EndpointName, SageMakerName
from .settings import settings


class Names(Boundary):
    """The state machines' question."""

    endpoint: EndpointName
    configs: list[SageMakerName] = []  # empty: the one that has the endpoint's name
    models: list[SageMakerName] = []
    # The SageMaker endpoint that it is on; empty: the one that has its name.
    hosted: SageMakerName | Literal[""] = ""


@by_class
def answer_names(event: Any) -> dict[str, Any]:
    """`{foreign, configs, models}`: the kinds of what is there and is not the stack's, and of the
    configs and models those that are its own, or not there."""
    asked, prefix = Names.model_validate(event), settings().stack_name
    found = Namesakes(prefix).of_sagemaker(
        asked.endpoint, asked.configs, asked.models, asked.hosted
    )
    foreign = [(one.kind, one.name) for one in foreign_of(prefix, found)]
    return {
        "foreign": [kind for kind, _ in foreign],
        "configs": [name for name in asked.configs if (Kind.CONFIG, name) not in foreign],
        "models": [name for name in asked.models if (Kind.MODEL, name) not in foreign],
    }
