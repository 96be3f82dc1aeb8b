"""What the template says in comments beside a statement: why it is there, and why no test can
show that it is needed.

    - Sid: WriteLogs # log delivery knows no resource
      # unexercised: SageMaker does this by itself, and the embedded account does not
      # unexercised s3:AbortMultipartUpload: only for answers above 5 MiB
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_RESOURCE = re.compile(r"^  (\w+):( *#.*)?$")
_SID = re.compile(r"\bSid: *(\w+)")
_COMMENT = re.compile(r"(?:^|\s)#\s?(.*)$")
_UNEXERCISED = re.compile(r"^unexercised(?: ([\w:,* -]+?))?: (.+)$")
_ALL = ""


@dataclass(frozen=True)
class Written:
    """`unexercised`: the reason by action; that of "" holds for all."""

    why: str = ""
    unexercised: Mapping[str, str] = field(default_factory=dict, hash=False)

    def exempt(self, action: str) -> str | None:
        """Why no test needs an action; None: tests must need it."""
        return self.unexercised.get(action, self.unexercised.get(_ALL))


def written(text: str) -> dict[tuple[str, str], Written]:
    """By the resource in which a statement stands, and its Sid."""
    found: dict[tuple[str, str], Written] = {}
    for resource, lines in _resources(text):
        for number, line in enumerate(lines):
            sid = _SID.search(line)
            if sid and not line.lstrip().startswith("#"):
                found[(resource, sid[1])] = _read(line, _below(lines, number))
    return found


def above(text: str, resource: str) -> str:
    """The comment above a resource; "" if there is none."""
    lines = text.splitlines()
    number = next((n for n, line in enumerate(lines) if line.startswith(f"  {resource}:")), 0)
    return " ".join(line.strip().lstrip("# ") for line in _above(lines, number))


def _resources(text: str) -> Iterator[tuple[str, list[str]]]:
    name, lines = "", list[str]()
    for line in text.splitlines():
        if begin := _RESOURCE.match(line):
            yield name, lines
            name, lines = begin[1], []
        else:
            lines.append(line)
    yield name, lines


def _above(lines: list[str], number: int) -> list[str]:
    start = number
    while start and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    return lines[start:number]


def _below(lines: list[str], number: int) -> list[str]:
    end = number + 1
    while end < len(lines) and lines[end].lstrip().startswith("#"):
        end += 1
    return lines[number + 1 : end]


def _read(line: str, below: list[str]) -> Written:
    comment = _COMMENT.search(line)
    why = [comment[1].strip()] if comment else []
    unexercised: dict[str, str] = {}
    for text in (one.strip().lstrip("#").strip() for one in below):
        if marked := _UNEXERCISED.match(text):
            actions = (marked[1] or _ALL).split(",")
            unexercised |= {one.strip(): marked[2] for one in actions}
        else:
            why.append(text)
    return Written(" ".join(why), unexercised)
