"""Endpoint files: YAML to a document, with errors that name file, line or field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from autoscaler.spec import SpecError, parse_spec
from tools.cli.client import RefusedError

_MOST_ALIASES = 16
_MOST_CHARACTERS = 400_000  # an item of the table, in which a file is kept, holds no more
_MOST_BITS = 64
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_TEXT = "tag:yaml.org,2002:str"
# What PyYAML's constructors raise, none of them a YAMLError, for `0b_`, `!!bool maybe`, `!!int ""`.
_UNREADABLE = (ValueError, LookupError, AttributeError, TypeError, ArithmeticError)


def read_documents(paths: Sequence[Path]) -> list[tuple[Path, Any]]:
    """All files or none: RefusedError with the problems of every file."""
    documents: list[tuple[Path, Any]] = []
    problems: list[str] = []
    first: dict[str, Path] = {}
    for path in paths:
        try:
            document = read_document(path)
        except RefusedError as refused:
            problems += refused.problems
            continue
        before = first.setdefault(document["name"], path)
        if before is not path:
            problems.append(f"{path}: name: {document['name']!r} is also in {before}")
        documents.append((path, document))
    if problems:
        raise RefusedError(problems)
    return documents


def read_document(path: Path) -> Any:
    """The parsed file, checked as a spec; raises RefusedError with one line a problem."""
    try:
        # yaml.SafeLoader with one rule more; it makes no objects of a document's choosing.
        document = yaml.load(_text(path), _Loader)
    except FileNotFoundError:
        raise RefusedError([f"{path}: there is no such file"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError([f"{path}: cannot be read: {error}"]) from None
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        raise RefusedError([f"{path}{_line(error)}: not YAML: {_problem(error)}"]) from None
    try:
        odd = [*_not_json(document)] or [*_no_clock(document)]
    except RecursionError:
        raise RefusedError([f"{path}: it holds itself by an alias (*name); write it out"]) from None
    if odd:
        raise RefusedError([f"{path}: {problem}" for problem in odd])
    try:
        parse_spec(document)
    except SpecError as error:
        raise RefusedError([f"{path}: {problem}" for problem in error.problems]) from None
    return document


def _text(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        text = file.read(_MOST_CHARACTERS + 1)
    if len(text) > _MOST_CHARACTERS:
        raise RefusedError(
            [f"{path}: has more than {_MOST_CHARACTERS:,} characters; no endpoint file has"]
        )
    return text


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which PyYAML would silently take the last, and more
    aliases than a person writes: each may double what was there before it. A date stays text, as
    JSON has it: the stack reads it, and says of an impossible one in which field it stands. So
    does 18:00, of which YAML 1.1 makes 1080."""

    yaml_implicit_resolvers = {
        first: [one for one in resolvers if one[0] != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._aliases = 0

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> Any:
        found = super().resolve(kind, value, implicit)
        number = kind is yaml.ScalarNode and found.endswith((":int", ":float"))
        return _TEXT if number and ":" in value else found

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            self._aliases += 1
            if self._aliases > _MOST_ALIASES:
                raise yaml.composer.ComposerError(
                    None,
                    None,
                    f"more than {_MOST_ALIASES} aliases (*name); write them out",
                    self.peek_event().start_mark,
                )
        return super().compose_node(parent, index)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except _UNREADABLE:
            value, kind = f"{node.value:.40}", node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None, None, f"`{value}` is no {kind}; put text into quotes", node.start_mark
            ) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key `{key.value}` stands there twice", key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def _not_json(value: Any, path: str = "") -> Iterator[str]:
    """What of a document cannot be sent: YAML's tags make more than JSON has."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            if not isinstance(key, str):
                where, shown = path or "endpoint", "" if _is_vast(key) else f" {key!r:.80}"
                yield f"{where}: the key{shown} is no text; put it into quotes"
            else:
                yield from _not_json(below, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for number, below in enumerate(value, 1):
            yield from _not_json(below, f"{path} number {number}")
    elif _is_vast(value):
        yield f"{path}: a number of {value.bit_length()} bits; no field takes such a large one"
    elif value is not None and not isinstance(value, str | int | float):
        kind = type(value).__name__
        yield f"{path}: its tag makes it {kind}, which JSON has not; write it as text or a list"


def _is_vast(value: Any) -> bool:
    """Python itself refuses to write numbers of more than 4,300 digits; YAML's 0x reads them."""
    return isinstance(value, int) and value.bit_length() > _MOST_BITS


def _no_clock(document: Any) -> Iterator[str]:
    """Times of day that were written as a number: `800` would be read as minutes, 13:20."""
    schedule = document.get("schedule") if isinstance(document, Mapping) else None
    windows = schedule.get("windows") if isinstance(schedule, Mapping) else None
    for number, window in enumerate(windows if isinstance(windows, list) else (), 1):
        for key in ("start", "end"):
            value = window.get(key) if isinstance(window, Mapping) else None
            if isinstance(value, int):
                where = f"schedule.windows number {number}.{key}"
                yield f'{where}: {value} is a number, not a time of day: write it as "08:00"'


def _line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}" if mark else ""


def _problem(error: Exception) -> str:
    return str(getattr(error, "problem", None) or error).splitlines()[0]
