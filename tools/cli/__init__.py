"""The `autoscaler` command: one thin client for a real account and the embedded one."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_LAYER = str(ROOT / "layers" / "autoscaler")
if _LAYER not in sys.path:
    sys.path.insert(0, _LAYER)
