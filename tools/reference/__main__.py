"""`python -m tools.reference`: writes docs/parameters.md and docs/events.md."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.reference import events, parameters

ROOT = Path(__file__).parents[2]
PAGES: Mapping[str, Callable[[], str]] = {
    "docs/parameters.md": lambda: parameters.page(ROOT / "template.yaml"),
    "docs/events.md": events.page,
}


def main() -> int:
    """Writes every page; the exit status."""
    for name, made in PAGES.items():
        (ROOT / name).write_text(made())
    return 0


if __name__ == "__main__":
    sys.exit(main())
