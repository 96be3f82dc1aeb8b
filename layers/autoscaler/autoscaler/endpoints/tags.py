"""The tags by which the stack knows its own, and the mark that lets the sweep remove it."""

from __future__ import annotations

from collections.abc import Mapping

from ..spec import EndpointSpec

STACK = "autoscaler:stack"
ENDPOINT = "autoscaler:endpoint"
DELETABLE = "autoscaler:deletable"
SHARED = "autoscaler:shared"  # of machines that several endpoints share, instead of ENDPOINT


def labels(stack: str, endpoint: str) -> dict[str, str]:
    """What everything that the stack makes for an endpoint carries from its creation on."""
    return {STACK: stack, ENDPOINT: endpoint, DELETABLE: "true"}


def tags_of(spec: EndpointSpec, ours: Mapping[str, str]) -> dict[str, str]:
    """What every resource of the endpoint is tagged with; the spec's own cannot be ours."""
    return {**spec.tags, **ours, "team": spec.team}


def as_labels(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """As SageMaker and CloudWatch take them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def is_ours(tags: Mapping[str, str], stack: str) -> bool:
    """Only the tag says so: a name can be anybody's."""
    return tags.get(STACK) == stack


def may_be_deleted(tags: Mapping[str, str], stack: str) -> bool:
    """The stack's own, and marked by it or by a person."""
    return is_ours(tags, stack) and tags.get(DELETABLE) == "true"
