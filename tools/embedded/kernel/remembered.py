"""What moto works out anew in each call, and is the same each time, it remembers here."""

from __future__ import annotations

from functools import cache


@cache
def install() -> None:
    """The spelling of operations and members, and which of its folders are services: to know the
    service of a request its server looked at all of them on the disk, with a lock held."""
    import moto.backends
    import moto.core.responses
    import moto.core.utils

    remembered = cache(moto.core.utils.camelcase_to_underscores)
    for module in (moto.core.responses, moto.core.utils):
        assert hasattr(module, "camelcase_to_underscores"), module
        module.camelcase_to_underscores = remembered  # type: ignore[attr-defined]
    services = frozenset(moto.backends.list_of_moto_modules())
    moto.backends.list_of_moto_modules = lambda: services
