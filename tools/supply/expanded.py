"""The template as CloudFormation gets it: `python -m tools.supply.expanded FILE`.

What the SAM transform makes of it (roles, permissions, versions of functions) is written nowhere
else, and who reads only the template never checks it. Every option is taken.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tools.embedded.kernel.stack import load
from tools.permissions.grants import EVERYTHING

TEMPLATE = Path(__file__).parents[2] / "template.yaml"


def main(target: Path) -> None:
    target.write_text(json.dumps(load(TEMPLATE, EVERYTHING), indent=1, default=str))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
