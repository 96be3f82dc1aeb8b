"""Models: CreateModel, DescribeModel, ListModels, DeleteModel."""

from __future__ import annotations

from tools.embedded.sagemaker import words
from tools.embedded.sagemaker.listing import listed
from tools.embedded.sagemaker.tag_api import keep_tags
from tools.embedded.sagemaker.things import Members
from tools.embedded.sagemaker.world import World
from tools.embedded.shapes import invalid

_LARGEST_ENVIRONMENT_BYTES = 32 * 1024


class ModelApi:
    """Deleting refuses while a config or component names the model, if settings.strict_deletes."""

    def __init__(self, world: World) -> None:
        self._world = world

    def create_model(self, given: Members) -> Members:
        world, name = self._world, given["ModelName"]
        arn = world.arn("model", name)
        words.refuse_existing(world.models, name, "model", arn)
        containers = given.get("Containers") or []
        if ("PrimaryContainer" in given) == bool(containers):
            raise invalid("Give exactly one of PrimaryContainer and Containers.")
        for container in containers or [given["PrimaryContainer"]]:
            _check_container(container)
        world.models[name] = {**given, "CreationTime": world.now}
        keep_tags(world, arn, given)
        return {"ModelArn": arn}

    def describe_model(self, given: Members) -> Members:
        found = self._find(given["ModelName"])
        shown = {key: value for key, value in found.items() if key != "Tags"}
        arn = self._world.arn("model", given["ModelName"])
        return {"EnableNetworkIsolation": False, **shown, "ModelArn": arn}

    def list_models(self, given: Members) -> Members:
        rows = [
            {
                "ModelName": name,
                "ModelArn": self._world.arn("model", name),
                "CreationTime": model["CreationTime"],
            }
            for name, model in self._world.models.items()
        ]
        page, token = listed(rows, given, "ModelName")
        return {"Models": page, "NextToken": token}

    def delete_model(self, given: Members) -> None:
        world, name = self._world, given["ModelName"]
        self._find(name)
        user = self._user(name) if world.settings.strict_deletes else None
        arn = world.arn("model", name)
        if user is not None:
            raise invalid(f'Cannot delete model "{arn}" while {user} uses it.')
        del world.models[name]
        world.tags.pop(arn, None)

    def _find(self, name: str) -> Members:
        if name not in self._world.models:
            raise words.not_found("model", self._world.arn("model", name))
        return self._world.models[name]

    def _user(self, name: str) -> str | None:
        for config_name, config in self._world.configs.items():
            if any(one.get("ModelName") == name for one in config["ProductionVariants"]):
                return f'endpoint configuration "{config_name}"'
        for component in self._world.components.values():
            if any(one.get("ModelName") == name for one in component.specifications):
                return f'inference component "{component.name}"'
        return None


def _check_container(container: Members) -> None:
    if "Image" not in container and "ModelPackageName" not in container:
        raise invalid("A container needs an Image or a ModelPackageName.")
    if "ModelDataUrl" in container and "ModelDataSource" in container:
        raise invalid("Both ModelDataUrl and ModelDataSource cannot be given.")
    source = container.get("ModelDataSource", {}).get("S3DataSource")
    if source and source["S3DataType"] == "S3Prefix" and not source["S3Uri"].endswith("/"):
        raise invalid(
            f"S3Uri {source['S3Uri']} must end with a forward slash when S3DataType is S3Prefix."
        )
    environment = container.get("Environment", {})
    size = sum(len(key.encode()) + len(value.encode()) for key, value in environment.items())
    if size > _LARGEST_ENVIRONMENT_BYTES:
        raise invalid(
            f"The environment of {size} bytes is above the limit of {_LARGEST_ENVIRONMENT_BYTES}."
        )
