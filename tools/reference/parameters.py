"""docs/parameters.md, from the template: `sam deploy --guided` asks for them by name alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.embedded.kernel.stack import load

_HEAD = """# Parameters of the stack

<!-- Made from template.yaml by `make reference`. -->

`sam deploy --guided` asks for each of them by its name and keeps the answers in `samconfig.toml`.
All have defaults. Change one where it is written there, or
[the next deployment takes it back](operations.md#parameters-stay-in-samconfigtoml).

| parameter | default | may be | what it is |
|---|---|---|---|
"""


def page(template: Path) -> str:
    """The whole page."""
    rows = [_row(name, one) for name, one in load(template)["Parameters"].items()]
    return _HEAD + "\n".join(rows) + "\n"


def _row(name: str, parameter: Mapping[str, Any]) -> str:
    default = parameter["Default"]
    shown = f"`{default}`" if default != "" else "empty"
    text = re.sub(r"docs/([\w.-]+)", r"[\1](\1)", parameter["Description"]).replace("|", "\\|")
    return f"| `{name}` | {shown} | {_allowed(parameter)} | {text} |"


def _allowed(parameter: Mapping[str, Any]) -> str:
    if "AllowedValues" in parameter:
        return ", ".join(f"`{value}`" for value in parameter["AllowedValues"])
    least, most = parameter.get("MinValue"), parameter.get("MaxValue")
    if least is not None and most is not None:
        return f"{least} to {most}"
    if least is not None:
        return f"{least} or more"
    return "a list" if parameter["Type"] == "CommaDelimitedList" else ""
