"""Endpoint files: YAML to a document, with errors that name file, line or field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from autoscaler.spec import SpecError, parse_spec
from tools.cli.client import RefusedError


def read_document(path: Path) -> Any:
    """The parsed file, checked as a spec; raises RefusedError with one line a problem."""
    try:
        document = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise RefusedError([f"{path}: there is no such file"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError([f"{path}: cannot be read: {error}"]) from None
    except yaml.YAMLError as error:
        raise RefusedError([f"{path}{_line(error)}: not YAML: {_problem(error)}"]) from None
    try:
        parse_spec(document)
    except SpecError as error:
        raise RefusedError([f"{path}: {problem}" for problem in error.problems]) from None
    return document


def _line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}" if mark else ""


def _problem(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or error)
