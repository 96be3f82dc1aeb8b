"""Endpoints: create, describe, list, update, weights and capacities, delete."""

from __future__ import annotations

from typing import Any

from tools.embedded.sagemaker import words
from tools.embedded.sagemaker.endpoint_life import KEPT, EndpointLife
from tools.embedded.sagemaker.listing import listed
from tools.embedded.sagemaker.tag_api import keep_tags
from tools.embedded.sagemaker.things import Endpoint, Members, Variant, types_of
from tools.embedded.sagemaker.world import World
from tools.embedded.shapes import invalid

_CHANGING = ("Creating", "Updating", "RollingBack", "Deleting")


class EndpointApi:
    """CurrentInstanceCount counts what is billed: see SimSettings.billed_from_request."""

    def __init__(self, world: World, life: EndpointLife) -> None:
        self._world, self._life = world, life

    def create_endpoint(self, given: Members) -> Members:
        world, name = self._world, given["EndpointName"]
        arn = world.arn("endpoint", name)
        words.refuse_existing(world.endpoints, name, "endpoint", arn)
        config = self._config(given["EndpointConfigName"])
        self._check_quotas(config)
        keep_tags(world, arn, given)
        self._life.begin(Endpoint(name, config, world.now, world.now))
        return {"EndpointArn": arn}

    def describe_endpoint(self, given: Members) -> Members:
        endpoint = self.find(given["EndpointName"])
        config = endpoint.config
        shown: Members = {
            **self._summary(endpoint),
            "EndpointConfigName": config["EndpointConfigName"],
            "FailureReason": endpoint.failure,
            "LastDeploymentConfig": endpoint.deployment,
            "AsyncInferenceConfig": config.get("AsyncInferenceConfig"),
            "MetricsConfig": config.get("MetricsConfig"),
        }
        if endpoint.status == "Creating":  # nothing is there yet, and all of it is pending
            shown["PendingDeploymentSummary"] = {
                "EndpointConfigName": config["EndpointConfigName"],
                "ProductionVariants": [self._pending(one) for one in endpoint.variants],
                "StartTime": endpoint.created,
            }
        elif endpoint.status != "Failed":
            shown["ProductionVariants"] = [self._variant(one) for one in endpoint.variants]
        return shown

    def list_endpoints(self, given: Members) -> Members:
        rows = [self._summary(endpoint) for endpoint in self._world.endpoints.values()]
        page, token = listed(rows, given, "EndpointName")
        return {"Endpoints": page, "NextToken": token}

    def update_endpoint(self, given: Members) -> Members:
        world, endpoint = self._world, self.find(given["EndpointName"])
        arn = world.arn("endpoint", endpoint.name)
        if endpoint.status in _CHANGING:
            raise invalid(f'Cannot update in-progress endpoint "{arn}".')
        if endpoint.status == "Failed":
            raise invalid(f'Cannot update endpoint "{arn}" in status Failed.')
        config = self._config(given["EndpointConfigName"])
        self._check_variants_stay(endpoint, config)
        self._check_scaled(endpoint, config)
        self._check_quotas(config, endpoint)
        excluded = given.get("ExcludeRetainedVariantProperties", ())
        retain = given.get("RetainAllVariantProperties", False)
        kinds = {
            {"DesiredInstanceCount": KEPT[0], "DesiredWeight": KEPT[1]}.get(
                one["VariantPropertyType"], one["VariantPropertyType"]
            )
            for one in excluded
        }
        endpoint.deployment = given.get("DeploymentConfig", endpoint.deployment)
        self._life.update(endpoint, config, [k for k in KEPT if retain and k not in kinds])
        return {"EndpointArn": arn}

    def update_endpoint_weights_and_capacities(self, given: Members) -> Members:
        endpoint = self.find(given["EndpointName"])
        arn = self._world.arn("endpoint", endpoint.name)
        if endpoint.status != "InService":
            raise invalid(f'Cannot update in-progress endpoint "{arn}".')
        named = {variant.name: variant for variant in endpoint.variants}
        asked = given["DesiredWeightsAndCapacities"]
        for one in asked:
            if one["VariantName"] not in named:
                raise invalid(f'Variant "{one["VariantName"]}" is not of endpoint "{arn}".')
            self._check_count(named[one["VariantName"]], one)
        for one in asked:
            variant = named[one["VariantName"]]
            variant.weight = one.get("DesiredWeight", variant.weight)
            if "DesiredInstanceCount" in one:
                self._life.set_instances(variant, one["DesiredInstanceCount"])
        if endpoint.status == "InService":
            self._life.touch(endpoint)
        return {"EndpointArn": arn}

    def delete_endpoint(self, given: Members) -> None:
        endpoint = self.find(given["EndpointName"])
        arn = self._world.arn("endpoint", endpoint.name)
        words.refuse_busy(endpoint.status, "delete", "endpoint", arn)
        users = [
            one.name for one in self._world.components.values() if one.variant.endpoint is endpoint
        ]
        if users:
            raise invalid(
                f'Cannot delete endpoint "{arn}" while it hosts inference components: '
                f"{', '.join(sorted(users))}."
            )
        self._life.delete(endpoint)

    def find(self, name: str) -> Endpoint:
        if name not in self._world.endpoints:
            raise words.not_found("endpoint", self._world.arn("endpoint", name))
        return self._world.endpoints[name]

    def _config(self, name: str) -> Members:
        if name not in self._world.configs:
            arn = self._world.arn("endpoint-config", name)
            raise words.not_found("endpoint configuration", arn)
        return dict(self._world.configs[name])

    def _check_quotas(self, config: Members, endpoint: Endpoint | None = None) -> None:
        """Every type of a list is checked, as if all the instances were of that one."""
        world = self._world
        for variant in config["ProductionVariants"]:
            pools = variant.get("InstancePools") or [{"InstanceType": variant.get("InstanceType")}]
            for instance_type in (pool["InstanceType"] for pool in pools):
                mine = endpoint.instances if endpoint else []
                here = sum(one.type == instance_type and one.gone is None for one in mine)
                more = max(0, variant["InitialInstanceCount"] - here)
                used, quota = world.in_use(instance_type), world.quota(instance_type)
                if used + more > quota:
                    raise words.over_quota(instance_type, quota, used, more)

    def _check_variants_stay(self, endpoint: Endpoint, config: Members) -> None:
        named = {one["VariantName"]: one for one in config["ProductionVariants"]}
        for variant in endpoint.variants:
            after = named.get(variant.name)
            if after is not None and ("ModelName" in after) != (variant.model is not None):
                raise invalid(
                    f"Variant {variant.name} cannot change between models and components."
                )
            if after is None and variant.model is None and self._world.components_of(variant):
                raise invalid(f"Variant {variant.name} still hosts inference components.")

    def _check_scaled(self, endpoint: Endpoint, config: Members) -> None:
        """As the developer guide says ("Update endpoints that use auto scaling"): another model is
        taken, other machines are not."""
        after = {one["VariantName"]: types_of(one) for one in config["ProductionVariants"]}
        held = [
            variant.name
            for variant in endpoint.variants
            if f"endpoint/{endpoint.name}/variant/{variant.name}" in self._world.scaled
            and after.get(variant.name) != variant.types
        ]
        if held:
            raise invalid(
                f'The variant(s) "{held}" must be deregistered as scalable targets with AWS '
                "Application Auto Scaling before they can be removed or have their instance type "
                "updated."
            )

    def _check_count(self, variant: Variant, asked: Members) -> None:
        count = asked.get("DesiredInstanceCount")
        if count is None:
            return
        if variant.model is None:
            raise invalid(
                f"Variant {variant.name} hosts inference components: its instances are managed."
            )
        if count == 0 and "AsyncInferenceConfig" not in variant.endpoint.config:
            raise invalid(f"Variant {variant.name}: DesiredInstanceCount must be at least 1.")

    def _summary(self, endpoint: Endpoint) -> Members:
        return {
            "EndpointName": endpoint.name,
            "EndpointArn": self._world.arn("endpoint", endpoint.name),
            "EndpointStatus": endpoint.status,
            "CreationTime": endpoint.created,
            "LastModifiedTime": endpoint.modified,
        }

    def _variant(self, variant: Variant) -> Members:
        now, from_request = self._world.now, self._world.settings.billed_from_request
        counted = [one for one in variant.alive if from_request or one.ready <= now]
        desired = variant.model.desired if variant.model else len(variant.alive)
        if variant.endpoint.status == "Creating":
            desired = variant.initial
        shown: Members = {
            "VariantName": variant.name,
            "CurrentWeight": variant.weight,
            "DesiredWeight": variant.weight,
            "CurrentInstanceCount": len(counted),
            "DesiredInstanceCount": desired,
            "RoutingConfig": variant.config.get("RoutingConfig"),
            "ManagedInstanceScaling": variant.config.get("ManagedInstanceScaling"),
        }
        if "InstancePools" in variant.config:
            shown["InstancePools"] = [_pool(one, counted) for one in variant.types]
        return shown

    def _pending(self, variant: Variant) -> Members:
        shown = {**self._variant(variant), "InstanceType": variant.config.get("InstanceType")}
        return {**shown, "VariantStatus": [{"Status": "Creating"}]}


def _pool(instance_type: str, counted: list[Any]) -> Members:
    count = sum(instance.type == instance_type for instance in counted)
    return {"InstanceType": instance_type, "CurrentInstanceCount": count}
