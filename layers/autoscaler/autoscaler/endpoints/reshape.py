"""The requests that give an endpoint another config and its component another specification. Pure.

SageMaker's configs and models cannot be changed: another one is made beside it and put in its
place. `statemachines/reshape_capacity.asl.yaml` sends these and waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .machines import FEWEST_ROLLED, at_a_time
from .names import ResourceNames
from .requests import Deployment

_LONGEST_ROLL_SECONDS = 28_800  # the most that SageMaker takes


def reshape_requests(
    made: Deployment, names: ResourceNames, alarms: list[str], copies: int = 0
) -> dict[str, Any]:
    """`model`, `endpoint_config`, `update_endpoint`, `update_component`. `copies`: that there are.

    Copies are replaced when the new ones are up. An update of copies that serve is rolled back when
    one of the alarms fires; what has none, and what is put back, is given none. Nor is one copy,
    of which nothing can be rolled: SageMaker puts the new one beside it. Where copies are
    instances, it puts new ones beside the old and goes back by itself if they fail.
    """
    return {
        "kind": made.kind.value,
        "model": made.model,
        "endpoint_config": made.endpoint_config,
        "update_endpoint": {
            "EndpointName": names.endpoint,
            "EndpointConfigName": names.config,
            "RetainAllVariantProperties": True,  # or the instance count is reset
        },
        "update_component": _update_component(made.component, names, alarms, copies),
    }


def _update_component(
    component: Mapping[str, Any] | None, names: ResourceNames, alarms: list[str], copies: int
) -> dict[str, Any] | None:
    if component is None:
        return None
    return {
        "InferenceComponentName": names.component,
        "Specification": component["Specification"],
        **({"DeploymentConfig": _rolling(alarms, copies)} if copies >= FEWEST_ROLLED else {}),
    }


def _rolling(alarms: list[str], copies: int) -> dict[str, Any]:
    size = {"Type": "COPY_COUNT", "Value": at_a_time(copies)}
    rolling: dict[str, Any] = {
        "RollingUpdatePolicy": {
            "MaximumBatchSize": size,
            "WaitIntervalInSeconds": 0,
            "MaximumExecutionTimeoutInSeconds": _LONGEST_ROLL_SECONDS,
            "RollbackMaximumBatchSize": size,
        }
    }
    if alarms:
        watched = [{"AlarmName": name} for name in alarms]
        rolling["AutoRollbackConfiguration"] = {"Alarms": watched}
    return rolling


def same_config(one: Deployment, other: Deployment) -> bool:
    """Whether both make the same endpoint config, but for names and tags. One that names a model
    stands and falls with it."""
    named = one.component is None or other.component is None
    if named and not same_copies(one, other):
        return False
    return _nameless(one.endpoint_config) == _nameless(other.endpoint_config)


def same_copies(one: Deployment, other: Deployment) -> bool:
    """Whether both make the same copies: model and specification, but for names and tags."""
    return all(
        _nameless(mine) == _nameless(theirs)
        for mine, theirs in (
            (one.model, other.model),
            (_specification(one), _specification(other)),
        )
    )


def _specification(made: Deployment) -> Mapping[str, Any]:
    return made.component["Specification"] if made.component else {}


def _nameless(request: Mapping[str, Any]) -> dict[str, Any]:
    named = ("ModelName", "EndpointConfigName", "Tags")
    bare = {key: value for key, value in request.items() if key not in named}
    if "ProductionVariants" in bare:
        bare["ProductionVariants"] = [_nameless(one) for one in bare["ProductionVariants"]]
    return bare
