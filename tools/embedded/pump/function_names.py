"""A Lambda function's names: alone, in a partial ARN or a whole one, qualified or not."""

from __future__ import annotations

from dataclasses import dataclass

_MARK = "function:"
_LATEST = "$LATEST"


@dataclass(frozen=True)
class FunctionName:
    """`qualifier` is a version or an alias; None: the function as it was deployed last."""

    name: str
    qualifier: str | None = None

    def covers(self, other: FunctionName) -> bool:
        """Whether who asks by this name means the other: a bare name stands for every qualifier."""
        return self.name == other.name and self.qualifier in (None, other.qualifier)

    @property
    def qualified(self) -> str:
        return f"{self.name}:{self.qualifier}" if self.qualifier else self.name


def function_name(reference: str) -> FunctionName:
    """Reads `name`, `account:function:name` or an ARN, each with `:qualifier` or without."""
    before, mark, after = reference.rpartition(_MARK)
    # A function may itself be called `function`: what stands before the mark then has no colon.
    rest = after if mark and before.endswith(":") else reference
    name, _, qualifier = rest.partition(":")
    return FunctionName(name, qualifier if qualifier and qualifier != _LATEST else None)
