"""Packages whose metadata does not tell their licence as it should: each looked up by hand.

An exception holds for just the fields that were looked at: with others, as of a later version, the
package is refused again. It also lets through a licence that is not permitted; then the reason has
to say why a layer may carry it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tools.supply.licences import Fields


@dataclass(frozen=True)
class Checked:
    """`licence`: an SPDX expression. `reason`: from the package's own licence files."""

    fields: Fields
    licence: str
    reason: str


CHECKED: Mapping[str, Checked] = {
    "python-dateutil": Checked(
        Fields(
            classifiers=(
                "License :: OSI Approved :: BSD License",
                "License :: OSI Approved :: Apache Software License",
            ),
            text="Dual License",
        ),
        "BSD-3-Clause",
        "`Dual License` does not say of which two. By its LICENSE the three-clause BSD licence "
        "applies to all of the code, also to what is under Apache 2.0.",
    ),
}
