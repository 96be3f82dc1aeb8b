"""Endpoint configs: CreateEndpointConfig, DescribeEndpointConfig, ListEndpointConfigs, Delete."""

from __future__ import annotations

from tools.embedded.sagemaker import words
from tools.embedded.sagemaker.listing import listed
from tools.embedded.sagemaker.tag_api import keep_tags
from tools.embedded.sagemaker.things import Members
from tools.embedded.sagemaker.world import World
from tools.embedded.shapes import invalid

_KIND = "endpoint configuration"
_CHANGING = ("Creating", "Updating", "RollingBack")


class ConfigApi:
    """A config may be deleted while its endpoint is InService, but not while that changes."""

    def __init__(self, world: World) -> None:
        self._world = world

    def create_endpoint_config(self, given: Members) -> Members:
        world, name = self._world, given["EndpointConfigName"]
        arn = world.arn("endpoint-config", name)
        words.refuse_existing(world.configs, name, _KIND, arn)
        names = [variant["VariantName"] for variant in given["ProductionVariants"]]
        if len(set(names)) < len(names):
            raise invalid("Production variant names must be unique within an endpoint config.")
        for variant in given["ProductionVariants"]:
            self._check_variant(variant, given)
        world.configs[name] = {**given, "CreationTime": world.now}
        keep_tags(world, arn, given)
        return {"EndpointConfigArn": arn}

    def describe_endpoint_config(self, given: Members) -> Members:
        found = self.find(given["EndpointConfigName"])
        shown = {key: value for key, value in found.items() if key != "Tags"}
        arn = self._world.arn("endpoint-config", given["EndpointConfigName"])
        return {**shown, "EndpointConfigArn": arn}

    def list_endpoint_configs(self, given: Members) -> Members:
        rows = [
            {
                "EndpointConfigName": name,
                "EndpointConfigArn": self._world.arn("endpoint-config", name),
                "CreationTime": config["CreationTime"],
            }
            for name, config in self._world.configs.items()
        ]
        page, token = listed(rows, given, "EndpointConfigName")
        return {"EndpointConfigs": page, "NextToken": token}

    def delete_endpoint_config(self, given: Members) -> None:
        world, name = self._world, given["EndpointConfigName"]
        self.find(name)
        arn = world.arn("endpoint-config", name)
        for endpoint in world.endpoints.values():
            uses = endpoint.config["EndpointConfigName"] == name
            if uses and endpoint.status in _CHANGING:
                raise invalid(
                    f'Cannot delete {_KIND} "{arn}" while endpoint "{endpoint.name}" is in status '
                    f"{endpoint.status}."
                )
        del world.configs[name]
        world.tags.pop(arn, None)

    def find(self, name: str) -> Members:
        if name not in self._world.configs:
            raise words.not_found(_KIND, self._world.arn("endpoint-config", name))
        return self._world.configs[name]

    def _check_variant(self, variant: Members, given: Members) -> None:
        name = variant["VariantName"]
        if "ServerlessConfig" in variant:
            raise invalid(f"Variant {name}: serverless inference is not simulated.")
        if ("InstancePools" in variant) == ("InstanceType" in variant):
            raise invalid(f"Variant {name}: give exactly one of InstanceType and InstancePools.")
        if "InitialInstanceCount" not in variant:
            raise invalid(f"Variant {name}: InitialInstanceCount is required.")
        _check_pools(name, variant.get("InstancePools", ()))
        if "ModelName" in variant:
            self._check_models(variant)
        elif "ExecutionRoleArn" not in given:
            raise invalid(f"Variant {name} names no model: ExecutionRoleArn is required.")
        elif "AsyncInferenceConfig" in given:
            raise invalid(f"Variant {name}: asynchronous inference needs a model in the variant.")
        self._check_scaling(name, variant)

    def _check_models(self, variant: Members) -> None:
        pools = variant.get("InstancePools", ())
        names = [variant["ModelName"], *(one.get("ModelNameOverride") for one in pools)]
        for name in filter(None, names):
            if name not in self._world.models:
                raise words.not_found("model", self._world.arn("model", name))

    def _check_scaling(self, name: str, variant: Members) -> None:
        scaling = variant.get("ManagedInstanceScaling", {})
        least, most = scaling.get("MinInstanceCount"), scaling.get("MaxInstanceCount")
        if least == 0 and not self._world.settings.zero_instances_allowed:
            raise invalid(
                f"Variant {name}: Value '0' at 'managedInstanceScaling.minInstanceCount' failed to "
                "satisfy constraint: Member must have value greater than or equal to 1"
            )
        if least is not None and most is not None and least > most:
            raise invalid(f"Variant {name}: MinInstanceCount {least} is above {most}.")
        initial = variant["InitialInstanceCount"]
        if most is not None and initial > most:
            raise invalid(f"Variant {name}: InitialInstanceCount {initial} is above {most}.")


def _check_pools(name: str, pools: list[Members] | tuple[()]) -> None:
    for member in ("InstanceType", "Priority"):
        values = [pool[member] for pool in pools]
        if len(set(values)) < len(values):
            raise invalid(f"Variant {name}: {member} must be unique among the instance pools.")
