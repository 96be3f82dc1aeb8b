"""`autoscaler apply`: several files as nearly all or none as one command a file allows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from tools.cli import output
from tools.cli.client import CliError, RefusedError, StackClient

Documents = Sequence[tuple[Path, Any]]


def apply_all(client: StackClient, documents: Documents, *, quiet: bool) -> None:
    """Applies each after the stack was asked about all of them. `quiet`: what was applied is JSON,
    printed also when a later file is refused, since it stays applied."""
    if len(documents) > 1:
        _check(client, documents)
    results: list[dict[str, Any]] = []
    try:
        for path, document in documents:
            result = _sent(client, "apply", path, document)
            results.append(result)
            if not quiet:
                output.changes(str(path), result)
                output.warnings(result)
    except RefusedError as refused:
        raise RefusedError([*refused.problems, *_half(documents, len(results))]) from None
    except CliError as failed:
        raise CliError("\n".join([str(failed), *_half(documents, len(results))])) from None
    finally:
        if quiet and results:
            typer.echo(json.dumps(results, indent=2))


def _check(client: StackClient, documents: Documents) -> None:
    """RefusedError, before anything is applied, with the problems of every file. A problem that
    names the endpoint of a file before it may be gone when that one is applied, as a fallback
    that is not there yet; the stack says then whether it is."""
    problems: list[str] = []
    earlier: list[str] = []
    for path, document in documents:
        try:
            _sent(client, "plan", path, document)
        except RefusedError as refused:
            problems += [
                problem
                for problem in refused.problems
                if not any(repr(name) in problem for name in earlier)
            ]
        earlier.append(document["name"])
    if problems:
        raise RefusedError([*problems, "nothing was applied"])


def _sent(client: StackClient, command: str, path: Path, document: Any) -> dict[str, Any]:
    try:
        return client.command(command, document=document)
    except RefusedError as refused:
        raise RefusedError([f"{path}: {problem}" for problem in refused.problems]) from None


def _half(documents: Documents, done: int) -> list[str]:
    """What stands now, after a file in the middle failed; nothing if it was the first."""
    if not done:
        return []
    applied, rest = documents[:done], documents[done:]
    names = [", ".join(str(path) for path, _ in some) for some in (applied, rest)]
    return [f"applied before it, and stays: {names[0]}; not applied: {names[1]}"]
