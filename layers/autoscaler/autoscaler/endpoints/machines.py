"""Which machines a variant asks for, and how long SageMaker looks for them. Pure."""

from __future__ import annotations

from .kinds import Request

# SageMaker walks its pools, and then waits. It gives up before the controller does, since it
# refuses every change of a component until it has. The API takes 300 to 3,600 s.
CAPACITY_SECONDS = 900.0  # what the template gives when nobody says otherwise
GIVE_UP_SOONER_SECONDS = 60
SHORTEST_PROVISION_SECONDS, LONGEST_PROVISION_SECONDS = 300, 3600

# SageMaker rolls between a twentieth and a half of the copies at a time, and nothing else.
FEWEST_ROLLED = 2
_LEAST_PART = 20


def at_a_time(copies: int) -> int:
    """How many copies an update replaces in one step; so many more are paid for meanwhile."""
    return max(1, -(-copies // _LEAST_PART))


def machines(types: tuple[str, ...]) -> Request:
    """One type, or pools in order of preference: a variant has exactly one of the two."""
    if len(types) == 1:
        return {"InstanceType": types[0]}
    pools = [{"InstanceType": name, "Priority": n} for n, name in enumerate(types, 1)]
    return {"InstancePools": pools}


def provision_seconds(capacity_seconds: float) -> int:
    """How long SageMaker looks for instances, when a start gives up after `capacity_seconds`."""
    sooner = int(capacity_seconds) - GIVE_UP_SOONER_SECONDS
    return min(max(SHORTEST_PROVISION_SECONDS, sooner), LONGEST_PROVISION_SECONDS)
