"""The actions, resources and condition keys that a call needs.

A call that is not in the tables is refused, and the refusal says what to add: nobody gets through
because the tables are too short. Sources: AWS's Service Authorization Reference (actions.json), and
the user guides where one call needs the permissions of several.
"""

from __future__ import annotations

from tools.embedded.iam import needs_capacity, needs_messages, needs_state, needs_watching
from tools.embedded.iam.needed import Maker, Need, Surroundings
from tools.embedded.iam.needs_state import Rule
from tools.embedded.iam.requests import Call

RULES: dict[str, Rule] = {
    **needs_state.RULES,
    **needs_capacity.RULES,
    **needs_messages.RULES,
    **needs_watching.RULES,
}


class UnknownCallError(LookupError):
    """A call of which it is not known what it needs; names it, and what to do."""


def needs_of(call: Call, around: Surroundings) -> list[Need]:
    """All that must be allowed for a call. Raises UnknownCallError."""
    if call.name in needs_watching.FREE:
        return []
    rule = RULES.get(call.name)
    if rule is None:
        asked = call.name if call.operation else f"{call.name}{dict(call.members)}"
        raise UnknownCallError(
            f"{asked}: tools/embedded/iam has no rule for this call; add it to a needs_*.py "
            "table, and its action to actions.json"
        )
    try:
        return rule(Maker(around), call.members)
    except (KeyError, ValueError) as wrong:
        raise UnknownCallError(f"{call.name}: what it needs is not clear: {wrong}") from wrong
