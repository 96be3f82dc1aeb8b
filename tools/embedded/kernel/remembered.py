"""What moto works out anew in each call, and is the same each time, it remembers here."""

from __future__ import annotations

from functools import cache


@cache
def install() -> None:
    """The spelling of operations and members, the operations that a service has, and which of its
    folders are services: to know the service of a request its server looked at all of them on the
    disk, with a lock held."""
    import moto.backends
    import moto.core.responses
    import moto.core.utils
    import moto.sqs.models

    places = (
        ("camelcase_to_underscores", moto.core.responses, moto.core.utils, moto.sqs.models),
        ("method_names_from_class", moto.core.responses),
    )
    for name, *modules in places:
        remembered = cache(getattr(moto.core.utils, name))
        for module in modules:
            assert hasattr(module, name), module
            setattr(module, name, remembered)
    services = frozenset(moto.backends.list_of_moto_modules())
    moto.backends.list_of_moto_modules = lambda: services
