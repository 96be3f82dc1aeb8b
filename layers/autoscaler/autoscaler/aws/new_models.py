"""CreateModel by a function, with a secret in the container's environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..endpoints.redacted import without
from .clients import client, error_message

_THERE_ALREADY = "lready exist"


class ModelNotMadeError(RuntimeError):
    """SageMaker made no model; says why, without the secret."""


def make_model(request: Mapping[str, Any], variable: str, secret: str | None) -> bool:
    """Sends CreateModel, with the secret as that variable of the container if there is one.

    Returns whether the model is new: one of this name that is there is success. Whatever goes
    wrong is raised as ModelNotMadeError, since both botocore and SageMaker repeat values that
    they do not like.
    """
    container = dict(request["PrimaryContainer"])
    if secret is not None:
        container["Environment"] = {**container.get("Environment", {}), variable: secret}
    try:
        client("sagemaker").create_model(**{**request, "PrimaryContainer": container})
    except ClientError as error:
        told = error_message(error)
        if _THERE_ALREADY in told:
            return False
        problem = told
    except BotoCoreError as error:
        problem = str(error)
    else:
        return True
    raise ModelNotMadeError(without(problem, secret or ""))
