"""Endpoint files: YAML to a document, with errors that name file, line or field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from autoscaler.spec import SpecError, parse_spec
from tools.cli.client import RefusedError

_MOST_ALIASES = 16


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
        document = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError:
        raise RefusedError([f"{path}: there is no such file"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError([f"{path}: cannot be read: {error}"]) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise RefusedError([f"{path}{_line(error)}: not YAML: {_problem(error)}"]) from None
    try:
        parse_spec(document)
    except SpecError as error:
        raise RefusedError([f"{path}: {problem}" for problem in error.problems]) from None
    return document


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which PyYAML would silently take the last, and more
    aliases than a person writes: each may double what was there before it."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._aliases = 0

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

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key `{key.value}` stands there twice", key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def _line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}" if mark else ""


def _problem(error: Exception) -> str:
    return str(getattr(error, "problem", None) or error)
