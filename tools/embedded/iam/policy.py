"""Policies of roles as AWS evaluates them: denied, unless a statement allows and none denies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tools.embedded.iam.conditions import Context, holds, pattern, texts


@dataclass(frozen=True)
class Permission:
    """One action that one statement allows; what a mutation takes away."""

    sid: str
    action: str  # as it is written, so perhaps with wildcards


@dataclass(frozen=True)
class Entry:
    """One resource of a statement with one of its actions: the least that can be taken away."""

    sid: str
    action: str  # as in Permission
    number: int  # of the resource in its statement, from 0


@dataclass(frozen=True)
class Statement:
    """One statement of a policy. Either actions or the actions that it leaves out, and so on."""

    sid: str
    allows: bool
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    not_resources: tuple[str, ...] = ()
    conditions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)

    def matching(self, action: str) -> tuple[str, ...]:
        """The actions, as written, that take in `action`; none: it is not meant."""
        if self.not_actions:
            return () if any(_covers(one, action) for one in self.not_actions) else ("NotAction",)
        return tuple(one for one in self.actions if _covers(one, action))

    def covers(self, resource: str) -> bool:
        if self.not_resources:
            return not any(pattern(one).fullmatch(resource) for one in self.not_resources)
        return bool(self.fitting(resource))

    def fitting(self, resource: str) -> tuple[int, ...]:
        """The numbers of the resources, as written, that take in `resource`."""
        written = enumerate(self.resources)
        return tuple(number for number, one in written if pattern(one).fullmatch(resource))


@dataclass(frozen=True)
class Verdict:
    """What a role's policies say of one action on one resource."""

    by: tuple[Permission, ...] = ()  # every one that allows it
    denied_by: str | None = None  # the statement of an explicit denial
    entries: tuple[Entry, ...] = ()  # the resources by which it is allowed

    @property
    def allowed(self) -> bool:
        return bool(self.by) and self.denied_by is None


def statements(documents: Iterable[str]) -> tuple[Statement, ...]:
    """The statements of policy documents, which are JSON."""
    return tuple(one for document in documents for one in _parsed(document))


@cache
def _parsed(document: str) -> tuple[Statement, ...]:
    found = json.loads(document)["Statement"]
    return tuple(map(statement, found if isinstance(found, list) else [found]))


def statement(written: Mapping[str, Any]) -> Statement:
    return Statement(
        sid=written.get("Sid", ""),
        allows=written["Effect"] == "Allow",
        actions=texts(written.get("Action", [])),
        not_actions=texts(written.get("NotAction", [])),
        resources=texts(written.get("Resource", [])),
        not_resources=texts(written.get("NotResource", [])),
        conditions=written.get("Condition", {}),
    )


def judge(policy: Iterable[Statement], action: str, resource: str, context: Context) -> Verdict:
    """Raises UnknownOperatorError for a condition that cannot be judged."""
    by: list[Permission] = []
    entries: list[Entry] = []
    for one in policy:
        matching = one.matching(action)
        if not matching or not one.covers(resource) or not holds(one.conditions, context):
            continue
        if not one.allows:
            return Verdict(tuple(by), one.sid or "a statement without a Sid")
        by += [Permission(one.sid, text) for text in matching]
        fitting = one.fitting(resource)
        entries += [Entry(one.sid, text, number) for text in matching for number in fitting]
    return Verdict(tuple(by), entries=tuple(entries))


def _covers(written: str, action: str) -> bool:
    return pattern(written.lower()).fullmatch(action.lower()) is not None
