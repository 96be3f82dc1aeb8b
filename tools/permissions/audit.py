"""Holds what is granted against what tests needed.

A permission is one action of one statement of one role. Each use in the ledger carries all the
permissions that allow it. Taking a permission away turns a use into a denial exactly when it is the
only one there: policies without a denial add up, so nothing has to be judged again. And a denial
turns its test red. So a permission without a use of its own would not be missed by any test. The
same is asked of each resource of a statement that has several.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.embedded.iam import catalogue
from tools.embedded.iam.ledger import Use
from tools.embedded.iam.policy import Entry, Permission
from tools.permissions.grants import STACK, Grant, Roles

Key = tuple[str, str, str]  # role, Sid, action


@dataclass(frozen=True)
class Finding:
    """What is wrong with a permission, in a sentence that says what to do."""

    role: str
    sid: str
    action: str
    problem: str

    def __str__(self) -> str:
        return f"{self.role} / {self.sid} / {self.action}: {self.problem}"


def audit(roles: Roles, uses: Iterable[Use], folder: Path) -> list[Finding]:
    """Findings about a template in a folder; uses of other templates do not count."""
    mine = [use for use in uses if use.template == str(folder)]
    used: Counter[Key] = Counter()
    alone: Counter[Key] = Counter()
    for use in mine:
        keys = [(use.role, one.sid, one.action) for one in use.by]
        used.update(keys)
        if len(keys) == 1:
            alone.update(keys)
    found = [one for grant in roles.grants for one in _of(grant, used, alone)]
    return found + _spare_resources(roles.grants, mine) + wildcards(roles)


def _of(grant: Grant, used: Counter[Key], alone: Counter[Key]) -> list[Finding]:
    found = []
    for permission in grant.permissions:
        key = (grant.role, permission.sid, permission.action)
        exempt = grant.written.exempt(permission.action)
        if problem := _problem(used[key], alone[key], exempt):
            found.append(Finding(*key, problem))
    return found


def _problem(used: int, alone: int, exempt: str | None) -> str | None:
    if exempt is not None:
        return "tests use it: take the excuse out of the template" if used else None
    if not used:
        return "no test used it; remove it, or say in the template why none can: `# unexercised: …`"
    if not alone:
        return "another statement allows all that it does; no test would miss it: remove one"
    return None


def _spare_resources(grants: Iterable[Grant], uses: Sequence[Use]) -> list[Finding]:
    """The resources of statements with several that no use of an action needed.

    Those of another kind than the action takes are left out: they allow nothing. So are actions
    that no test used at all, which are found already, and those that the template excuses.
    """
    needed = {(use.role, use.entries[0]) for use in uses if len(use.entries) == 1}
    used = {(use.role, one) for use in uses for one in use.by}
    return [
        Finding(
            grant.role,
            entry.sid,
            entry.action,
            f"no test needed it on {resource}; remove that resource, or test what needs it",
        )
        for grant in grants
        for permission in grant.permissions
        if (grant.role, permission) in used and len(grant.statement.resources) > 1
        for entry, resource in _entries(grant, permission)
        if (grant.role, entry) not in needed
    ]


def _entries(grant: Grant, permission: Permission) -> Iterator[tuple[Entry, str]]:
    known = catalogue.actions().get(permission.action)
    for number, resource in enumerate(grant.statement.resources):
        samples = [resource.replace("*", text) for text in ("x", "x:x")]
        if known is None or any(catalogue.fits(known, one) for one in samples):
            yield Entry(permission.sid, permission.action, number), resource


def wildcards(roles: Roles) -> list[Finding]:
    """What takes in a whole kind of things and comes without a reason; and what allows by a pattern
    of actions or by what it leaves out, for which no reason is good enough: AWS adds actions, and
    nobody would read of what is allowed."""
    granting = [grant for grant in roles.grants if grant.statement.allows]
    return [one for grant in granting for one in (*_unnamed(grant), *_unreasoned(grant))]


def _unnamed(grant: Grant) -> Iterator[Finding]:
    one = grant.statement
    for action in one.actions:
        if set(action) & set("*?"):
            problem = "a pattern allows what nobody named; name each action"
            yield Finding(grant.role, one.sid, action, problem)
    for key, named in (("NotAction", one.not_actions), ("NotResource", one.not_resources)):
        if named:
            problem = "it allows whatever is not named; name what is allowed"
            yield Finding(grant.role, one.sid, key, problem)


def _unreasoned(grant: Grant) -> Iterator[Finding]:
    if not grant.written.why and any(_is_wide(one, grant) for one in grant.statement.resources):
        problem = "it takes in all there are; put the reason behind its Sid as a comment"
        for permission in grant.permissions:
            yield Finding(grant.role, permission.sid, permission.action, problem)


def _is_wide(resource: str, grant: Grant) -> bool:
    """All of a kind, a whole table or a whole bucket; or all that is called by the stack's name,
    if no condition says which of it."""
    keys = [key for keys in grant.statement.conditions.values() for key in keys]
    if ":table/" in resource:
        return "dynamodb:LeadingKeys" not in keys
    start, star, _ = resource.partition("*")
    if ":s3:::" in resource:
        return bool(star) and not start.partition("/")[2]
    return bool(star) and (STACK not in start or (start.endswith(f"{STACK}-") and not keys))
