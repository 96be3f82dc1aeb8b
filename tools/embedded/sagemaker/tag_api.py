"""Tags: AddTags, ListTags, DeleteTags, on whatever has an ARN here."""

from __future__ import annotations

from tools.embedded.sagemaker.listing import page
from tools.embedded.sagemaker.things import Members
from tools.embedded.sagemaker.world import World
from tools.embedded.shapes import invalid

_MOST_TAGS = 50
_PAGE = 50


def keep_tags(world: World, arn: str, given: Members) -> None:
    """Those of a creation; raises ServiceError for a key that is there twice."""
    tags = {tag["Key"]: tag["Value"] for tag in given.get("Tags", ())}
    if len(tags) < len(given.get("Tags", ())):
        raise invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    world.tags[arn] = tags


class TagApi:
    """The ARN must be that of something which exists."""

    def __init__(self, world: World) -> None:
        self._world = world

    def add_tags(self, given: Members) -> Members:
        tags = self._tags(given["ResourceArn"])
        more = {tag["Key"]: tag["Value"] for tag in given["Tags"]}
        if len({**tags, **more}) > _MOST_TAGS:
            raise invalid(f"A resource can have at most {_MOST_TAGS} tags.")
        tags.update(more)
        return {"Tags": _rows(tags)}

    def list_tags(self, given: Members) -> Members:
        rows = _rows(self._tags(given["ResourceArn"]))
        shown, token = page(rows, given.get("NextToken"), given.get("MaxResults", _PAGE))
        return {"Tags": shown, "NextToken": token}

    def delete_tags(self, given: Members) -> None:
        tags = self._tags(given["ResourceArn"])
        for key in given["TagKeys"]:
            tags.pop(key, None)

    def _tags(self, arn: str) -> dict[str, str]:
        world = self._world
        kind = arn.rpartition(":")[2].partition("/")[0]
        if all(world.arn(kind, name) != arn for name in world.all_of(kind)):
            raise invalid(f'Could not find resource "{arn}".')
        return world.tags.setdefault(arn, {})


def _rows(tags: dict[str, str]) -> list[Members]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
