"""The words in which `needs` says what a call needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tools.embedded.iam import catalogue
from tools.embedded.iam.conditions import Context


@dataclass(frozen=True)
class Need:
    """One action on one resource; all needs of a call must be allowed."""

    action: str
    resource: str
    context: Context = field(default_factory=dict, hash=False)


class Surroundings(Protocol):
    """What the account knows and a request does not say."""

    account_id: str
    region: str

    def hash_key(self, table: str) -> str | None:
        """The name of a table's partition key; None: there is no such table."""

    def secret_arn(self, secret_id: str) -> str | None: ...

    def has_object(self, bucket: str, key: str) -> bool: ...

    def mapping_function(self, mapping_id: str) -> str | None:
        """The ARN of the function that an event source mapping feeds."""

    def has_scaling_role(self) -> bool:
        """Whether Application Auto Scaling's own role for SageMaker exists."""

    def tags(self, arn: str) -> Mapping[str, str]: ...


class Maker:
    """Makes needs in one account; a rule gets it with the members of its request."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around

    def arn(self, service: str, rest: str) -> str:
        return f"arn:aws:{service}:{self.around.region}:{self.around.account_id}:{rest}"

    def need(
        self,
        action: str,
        resource: str = "*",
        more: Context | None = None,
        **context: str | Iterable[str],
    ) -> Need:
        """Keys are given with `__` for a colon and `_` for a dash, or as they are in `more`.

        Actions that AWS asks for on no resource are asked for on "*", whatever the request names.
        Raises KeyError for an action that actions.json does not have, ValueError for a resource
        that it cannot have.
        """
        known = catalogue.actions()[action]
        if not known.kinds:
            resource = "*"
        elif resource != "*" and not catalogue.fits(known, resource):
            raise ValueError(f"{action} takes {' or '.join(known.kinds)}, not {resource}")
        values = {_key(key): _values(one) for key, one in context.items()}
        return Need(action, resource, {**(more or {}), **values})

    def tagging(
        self, action: str, resource: str, tags: Context, **context: str | Iterable[str]
    ) -> list[Need]:
        """What making something with tags needs besides; without tags nothing."""
        return [self.need(action, resource, tags, **context)] if tags else []

    def passing(self, role: Any, service: str) -> list[Need]:
        """What giving a role to a service needs; without a role nothing."""
        return [self.need("iam:PassRole", role, iam__passedtoservice=service)] if role else []


def _key(given: str) -> str:
    return given.replace("__", ":").replace("_", "-").lower()


def _values(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def name_of(arn_or_name: str, divider: str = "/") -> str:
    return arn_or_name.rpartition(divider)[2]


def requested(tags: Any) -> Context:
    """The condition keys of tags in a request: a list of pairs, or a map."""
    pairs = dict(tags) if isinstance(tags, Mapping) else {t["Key"]: t["Value"] for t in tags or ()}
    if not pairs:
        return {}
    each = {f"aws:requesttag/{key}".lower(): (str(value),) for key, value in pairs.items()}
    return {"aws:tagkeys": tuple(pairs), **each}
