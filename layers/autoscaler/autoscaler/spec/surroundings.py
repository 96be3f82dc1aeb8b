"""What an endpoint is put into: network, encryption, tags."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Subnet = Annotated[str, Field(pattern=r"^subnet-[0-9a-f]{8,17}$")]
SecurityGroup = Annotated[str, Field(pattern=r"^sg-[0-9a-f]{8,17}$")]
KeyArn = Annotated[
    str, Field(pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]{1,64}$")
]

# SageMaker takes 50 on a resource; three are ours: autoscaler:stack, autoscaler:endpoint, team.
MOST_TAGS = 47
# SageMaker's \p{Z}, but for the two that break lines; Python's \s takes tabs, \n and \x1c too.
_SPACES = " \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_TAG_TEXT = re.compile(rf"[\w{_SPACES}.:/=+\-@]*")
_LONGEST_KEY, _LONGEST_VALUE = 128, 256
_RESERVED = ("aws:", "autoscaler:")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")


class Vpc(_Part):
    """Where the containers' network interfaces are; as many as SageMaker takes."""

    subnets: Annotated[tuple[Subnet, ...], Field(min_length=1, max_length=16)]
    security_groups: Annotated[tuple[SecurityGroup, ...], Field(min_length=1, max_length=5)]


class Network(_Part):
    """None: SageMaker's own network. Isolated: containers reach nothing, not even AWS."""

    vpc: Vpc | None = None
    isolation: bool = False


class Encryption(_Part):
    """None: AWS's own key. The storage volume of each instance, not its local disks."""

    kms_key: KeyArn | None = None


def _allowed(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > MOST_TAGS:
        raise ValueError(
            f"{len(tags)} tags; {MOST_TAGS} at most, as SageMaker takes 50 and three are ours"
        )
    for key, value in tags.items():
        _check(key, value)
    return tags


def _check(key: str, value: str) -> None:
    if key.lower().startswith(_RESERVED):
        raise ValueError(
            f"{key:.80}: keys that begin with {' or '.join(_RESERVED)} are taken; choose another"
        )
    if key == "team":
        raise ValueError("team is a tag already: it comes from `team:`")
    if not 1 <= len(key) <= _LONGEST_KEY or len(value) > _LONGEST_VALUE:
        raise ValueError(
            f"{key:.80}: a key has 1 to {_LONGEST_KEY} characters, a value {_LONGEST_VALUE} at most"
        )
    if not (_TAG_TEXT.fullmatch(key) and _TAG_TEXT.fullmatch(value)):
        shown = key if key.isprintable() else repr(key)
        raise ValueError(
            f"{shown:.80}: letters, digits, spaces and _ . : / = + - @ only, in key and value"
        )


Tags = Annotated[dict[str, str], AfterValidator(_allowed)]
