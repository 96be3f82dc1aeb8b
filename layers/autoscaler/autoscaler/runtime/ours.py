"""What an endpoint's resources are called in this stack, and the tags by which they are known.

Apart from `making`, which reads passports of weights: most steps of a machine need only this.
"""

from __future__ import annotations

from ..endpoints.names import ResourceNames
from ..endpoints.sharing import names_for
from ..endpoints.status import Shape
from ..endpoints.tags import labels
from ..spec import EndpointSpec
from .settings import settings


def names_of(spec: EndpointSpec, shape: Shape | None = None) -> ResourceNames:
    """What the endpoint's resources are called in that shape."""
    return names_for(settings().stack_name, spec, settings().region, shape)


def ours(name: str) -> dict[str, str]:
    """The tags by which what the stack made is known."""
    return labels(settings().stack_name, name)
