"""Machines that several endpoints share: one SageMaker endpoint, an inference component for each.

The first that is created makes it, the last that is removed takes it away. What is built into its
config must be the same for all, so the config's name has a digest of it: another one cannot be
taken for it. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ..catalog.images import image
from ..spec import EndpointSpec
from .names import ResourceNames
from .status import Shape
from .tags import DELETABLE, SHARED, STACK

_DIGEST_LENGTH = 8


def hosting(spec: EndpointSpec, region: str) -> dict[str, Any]:
    """What all endpoints on the same shared machines must agree in, by field of the spec.

    Raises UnknownRegionError.
    """
    container = image(spec.serving.engine, region, spec.serving.image)
    return {
        "instances.types": list(spec.instances.types),
        "instances.max_instances": spec.instances.max_instances,
        "network": spec.network.model_dump(mode="json"),
        "encryption.kms_key": spec.encryption.kms_key,
        "serving.routing": spec.serving.routing.value,
        "serving.engine (the machine image that it needs)": container.ami,
    }


def differences(
    mine: Mapping[str, Any], theirs: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """(field, mine, theirs) of each field that is not the same."""
    return ((field, mine[field], theirs[field]) for field in mine if mine[field] != theirs[field])


def digest(hosted: Mapping[str, Any]) -> str:
    text = json.dumps(hosted, sort_keys=True).encode()
    return hashlib.sha256(text).hexdigest()[:_DIGEST_LENGTH]


def names_for(
    prefix: str, spec: EndpointSpec, region: str, shape: Shape | None = None
) -> ResourceNames:
    """What an endpoint's resources are called, on machines of its own or on shared ones.

    Raises UnknownRegionError, or ValueError when a name is too long.
    """
    shared = spec.instances.shared
    built = (shape or Shape()).model_dump()
    if shared is None:
        return ResourceNames(prefix, spec.name, **built)
    hosted = digest(hosting(spec, region))
    return ResourceNames(prefix, spec.name, **built, shared=shared, hosted=hosted)


def shared_labels(stack: str, shared: str) -> dict[str, str]:
    """Of the endpoint and the config that belong to all who share them: nobody's team or tags."""
    return {STACK: stack, SHARED: shared, DELETABLE: "true"}
