"""The requests that give an endpoint another config and its component another specification. Pure.

SageMaker's configs and models cannot be changed: another one is made beside it and put in its
place. `statemachines/reshape_capacity.asl.yaml` sends these and waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .names import ResourceNames
from .requests import Deployment

# A copy is replaced when the new one is up; one more at a time is paid for meanwhile.
_AT_A_TIME = {"Type": "COPY_COUNT", "Value": 1}
_LONGEST_ROLL_SECONDS = 28_800  # the most that SageMaker takes


def reshape_requests(made: Deployment, names: ResourceNames, alarms: list[str]) -> dict[str, Any]:
    """`model`, `endpoint_config`, `update_endpoint`, `update_component`.

    An update of copies that serve is rolled back when one of the alarms fires; what has none, and
    what is put back, is given none.
    """
    rolling: dict[str, Any] = {
        "RollingUpdatePolicy": {
            "MaximumBatchSize": _AT_A_TIME,
            "WaitIntervalInSeconds": 0,
            "MaximumExecutionTimeoutInSeconds": _LONGEST_ROLL_SECONDS,
            "RollbackMaximumBatchSize": _AT_A_TIME,
        }
    }
    if alarms:
        watched = [{"AlarmName": name} for name in alarms]
        rolling["AutoRollbackConfiguration"] = {"Alarms": watched}
    return {
        "model": made.model,
        "endpoint_config": made.endpoint_config,
        "update_endpoint": {
            "EndpointName": names.endpoint,
            "EndpointConfigName": names.config,
            "RetainAllVariantProperties": True,  # or the instance count is reset
        },
        "update_component": {
            "InferenceComponentName": names.component,
            "Specification": made.component["Specification"],
            "DeploymentConfig": rolling,
        },
    }


def same_config(one: Deployment, other: Deployment) -> bool:
    """Whether both make the same endpoint config, but for names and tags."""
    return _nameless(one.endpoint_config) == _nameless(other.endpoint_config)


def same_copies(one: Deployment, other: Deployment) -> bool:
    """Whether both make the same copies: model and specification, but for names and tags."""
    return all(
        _nameless(mine) == _nameless(theirs)
        for mine, theirs in (
            (one.model, other.model),
            (one.component["Specification"], other.component["Specification"]),
        )
    )


def _nameless(request: Mapping[str, Any]) -> dict[str, Any]:
    named = ("ModelName", "EndpointConfigName", "Tags")
    return {key: value for key, value in request.items() if key not in named}
