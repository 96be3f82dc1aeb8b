"""`autoscaler doctor`: what would stop an endpoint, looked for before anything is created.

Each check looks at one thing with the user's own credentials and says ok, warning or problem, with
the way out. A check that may not look says so, and is a warning: it proves nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.text import Text

from autoscaler.spec import EndpointSpec
from tools.cli import output
from tools.cli.aws_errors import explained, is_denied
from tools.cli.client import CliError, StackClient

EXIT_PROBLEM = 1


class Level(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}


@dataclass(frozen=True)
class Finding:
    """One line. `way_out` is empty when there is nothing to mend."""

    level: Level
    subject: str
    text: str
    way_out: str = ""


def ok(subject: str, text: str) -> Finding:
    return Finding(Level.OK, subject, text)


def warning(subject: str, text: str, way_out: str = "") -> Finding:
    return Finding(Level.WARNING, subject, text, way_out)


def problem(subject: str, text: str, way_out: str) -> Finding:
    return Finding(Level.PROBLEM, subject, text, way_out)


@dataclass
class Patient:
    """What is examined: an account, a stack, and the endpoints that somebody wants."""

    client: StackClient
    specs: Sequence[EndpointSpec] = ()
    types: Sequence[str] = field(default_factory=tuple)

    @cached_property
    def region(self) -> str:
        return str(self.client.boto("cloudformation").meta.region_name)

    @cached_property
    def account(self) -> str:
        return str(self.client.boto("sts").get_caller_identity()["Account"])

    @cached_property
    def wanted_types(self) -> list[str]:
        """Those that are asked for, and those of the files."""
        listed = [name for spec in self.specs for name in spec.instances.types]
        return list(dict.fromkeys([*self.types, *listed]))

    @cached_property
    def stack_outputs(self) -> dict[str, str]:
        """Empty when there is no stack, which a check of its own says."""
        try:
            return self.client.outputs
        except CliError:
            return {}


Check = Callable[[Patient], Iterable[Finding]]


def examine(patient: Patient, checks: Sequence[tuple[str, Check]]) -> Iterator[Finding]:
    """Every check's findings, as they come."""
    for subject, check in checks:
        try:
            yield from check(patient)
        except (BotoCoreError, ClientError) as error:
            denied = isinstance(error, ClientError) and is_denied(error)
            way_out = "ask for that permission, or let somebody look who has it" if denied else ""
            yield warning(subject, f"not looked at: {explained(error)}", way_out)
        except CliError as error:
            yield warning(subject, f"not looked at: {error}")


def show(findings: Iterable[Finding], *, as_json: bool) -> None:
    """Prints a line for each and exits with 1 if one is a problem."""
    found = []
    for finding in findings:
        found.append(finding)
        if not as_json:
            output.console.print(_line(finding), soft_wrap=True)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
    problems = sum(one.level is Level.PROBLEM for one in found)
    if not as_json:
        warnings = sum(one.level is Level.WARNING for one in found)
        told = f"{len(found)} checks: {problems} problems, {warnings} warnings"
        output.console.print(Text(told, style="bold"))
    if problems:
        raise typer.Exit(EXIT_PROBLEM)


def _line(finding: Finding) -> Text:
    way_out = f"; {finding.way_out}" if finding.way_out else ""
    text = Text(f"{finding.level:<8}", style=_COLOURS[finding.level])
    return text.append(f" {finding.subject}: {finding.text}{way_out}", style="default")


def error_code(error: Any) -> str:
    """The code of a botocore ClientError."""
    return str(error.response.get("Error", {}).get("Code", ""))
