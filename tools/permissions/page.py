"""docs/permissions.md: what people wrote above the mark stays, the rest comes from the template."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

from tools.embedded.types import ACCOUNT_ID, DEFAULT_REGION
from tools.permissions.grants import STACK, Grant, Roles

PAGE = "docs/permissions.md"
MARK = "<!-- From here on: made from template.yaml by `make permissions`. -->"
_INTRODUCTION = """
Each statement of each role, as a stack called `<stack>` has it with every option taken. In ARNs,
account and Region are left out where they are the stack's own.
"""


def page(roles: Roles, before: str) -> str:
    """The whole page; the head is that of the page as it was."""
    head = before.partition(MARK)[0].rstrip()
    tables = [
        _table(role, list(grants), roles)
        for role, grants in groupby(roles.grants, key=lambda grant: grant.role)
    ]
    bare = sorted(set(roles.managed) - {grant.role for grant in roles.grants})
    others = [
        f"### {role}\n\n{roles.purposes[role]} It has no statement of its own." for role in bare
    ]
    return "\n".join([head, "", MARK, _INTRODUCTION, *tables, *others, ""])


def _table(role: str, grants: list[Grant], roles: Roles) -> str:
    rows = [
        f"| {grant.statement.sid} | {_actions(grant)} | {_resources(grant)} | {_why(grant)} |"
        for grant in grants
    ]
    names = ", ".join(f"`{arn.rpartition('/')[2]}`" for arn in roles.managed[role])
    besides = f" Besides, AWS's own {names} (by SAM)." if names else ""
    besides += " A boundary keeps it to its own logs." if role in roles.boundaries else ""
    head = [f"### {role}", "", f"{roles.purposes[role]}{besides}", ""]
    return "\n".join([*head, "| statement | may | on | why |", "|---|---|---|---|", *rows, ""])


def _actions(grant: Grant) -> str:
    actions = ", ".join(f"`{action}`" for action in grant.statement.actions)
    return actions if grant.statement.allows else f"**never** {actions}"


def _resources(grant: Grant) -> str:
    text = ", ".join(f"`{_short(one)}`" for one in grant.statement.resources)
    return f"{text}; if {_conditions(grant)}" if grant.statement.conditions else text


def _conditions(grant: Grant) -> str:
    return " and ".join(
        f"{key} {_operator(operator)} {_wanted(wanted)}"
        for operator, keys in grant.statement.conditions.items()
        for key, wanted in keys.items()
    )


def _operator(operator: str) -> str:
    plain = operator.removesuffix("IfExists")
    word = "is like" if plain.endswith("Like") else "is"
    return f"{word}, where there is one," if plain != operator else word


def _wanted(wanted: object) -> str:
    several = wanted if isinstance(wanted, list) else [wanted]
    return " or ".join(f"`{_short(str(one))}`" for one in several)


def _short(arn: str) -> str:
    """An ARN without what is the same everywhere."""
    replaced: Mapping[str, str] = {
        f":{DEFAULT_REGION}:{ACCOUNT_ID}:": "::",
        f"::{ACCOUNT_ID}:": "::",
        f":{DEFAULT_REGION}:": "::",
        "arn:aws:": "",
        STACK: "<stack>",
        "-1A2B3C": "",
        "-1a2b3c": "",
    }
    for text, short in replaced.items():
        arn = arn.replace(text, short)
    return arn


def _why(grant: Grant) -> str:
    reasons = [
        f"no test uses {f'`{action}`' if action else 'it'}: {reason}"
        for action, reason in grant.written.unexercised.items()
    ]
    return "; ".join(filter(None, [grant.written.why, *reasons])).replace("|", "\\|")
