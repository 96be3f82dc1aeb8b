"""`autoscaler doctor` as it is typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.spec import parse_spec
from tools.cli.files import read_documents


def doctor(
    context: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(help="Endpoint files (YAML).", show_default=False)
    ] = None,
    types: Annotated[
        list[str] | None, typer.Option(help="Instance types, by comma, besides those of the files.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Looks for what would stop an endpoint: quotas, images, roles, buckets, names. Changes
    nothing; exit status 1 if there is a problem."""
    from tools.cli import doctor as examination
    from tools.cli import doctor_account, doctor_endpoint, doctor_stack

    specs = [parse_spec(document) for _, document in read_documents(files or [])]
    named = [name.strip() for one in types or () for name in one.split(",") if name.strip()]
    patient = examination.Patient(context.obj, specs, named)
    checks = (
        ("region", doctor_account.region),
        ("stack", doctor_stack.stack),
        ("quotas", doctor_account.quotas),
        ("functions", doctor_account.functions),
        ("images", doctor_account.images),
        ("endpoint role", doctor_stack.role),
        ("buckets", doctor_stack.buckets),
        ("secrets", doctor_stack.secrets),
        ("hub", doctor_endpoint.hub),
        ("fit", doctor_endpoint.fit),
        ("names", doctor_endpoint.names),
    )
    examination.show(examination.examine(patient, checks), as_json=as_json)
