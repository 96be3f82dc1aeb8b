"""Has botocore imported without awscrt, which it takes in wherever it lies.

The layer has awscrt for the CRC64NVME of large weight files (`staging/digests.py`). botocore would
take its signatures of several Regions and its checksums, which nothing here asks for, and importing
it is a seventh of what a handler imports, at each cold start.
"""

from __future__ import annotations

import sys
from typing import Any

_CRT = "awscrt"


def import_botocore() -> None:
    """Imports what decides about it. Nothing is changed for whoever imported either before."""
    modules: dict[str, Any] = sys.modules  # None: whoever imports it is told that it is not there
    if _CRT in modules or "botocore.compat" in modules:
        return
    modules[_CRT] = None
    try:
        import botocore.compat  # noqa: F401
    finally:
        del modules[_CRT]
