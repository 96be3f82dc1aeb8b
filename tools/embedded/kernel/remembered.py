"""moto spells the name of each operation and member anew, in each call; here it remembers."""

from __future__ import annotations

from functools import cache


@cache
def install() -> None:
    import moto.core.responses
    import moto.core.utils

    remembered = cache(moto.core.utils.camelcase_to_underscores)
    for module in (moto.core.responses, moto.core.utils):
        assert hasattr(module, "camelcase_to_underscores"), module
        module.camelcase_to_underscores = remembered  # type: ignore[attr-defined]
