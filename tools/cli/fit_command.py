"""`autoscaler fit` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.catalog.instances import InstanceType, UnknownInstanceError, instance
from autoscaler.catalog.options import options_for
from autoscaler.catalog.prices import BUNDLED_REGION, bundled
from autoscaler.spec import Engine, Serving
from tools.cli.client import RefusedError


def fit(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Argument(help="Repository on the Hub: owner/name.", show_default=False)
    ] = None,
    revision: Annotated[str, typer.Option(help="Branch, tag or commit.")] = "main",
    config: Annotated[Path | None, typer.Option(help="A config.json instead of the Hub's.")] = None,
    weights_bytes: Annotated[
        int | None, typer.Option(min=1, help="Bytes of all weights, with --config.")
    ] = None,
    context_tokens: Annotated[
        int | None, typer.Option("--context", min=256, help="Tokens of a request [8192, or less].")
    ] = None,
    concurrency: Annotated[
        int, typer.Option(min=1, max=1024, help="Requests that a copy works on at a time.")
    ] = 16,
    engine: Annotated[Engine, typer.Option(help="What serves it.")] = Engine.VLLM,
    types: Annotated[
        list[str] | None, typer.Option(help="Instance types, by comma; default: all we know.")
    ] = None,
    show_all: Annotated[
        bool, typer.Option("--all", help="Also what does not fit, and AWS's own accelerators.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Says what a model takes, where it fits, and where its tokens are cheapest; needs no stack.

    Tokens a second and dollars a token are estimates from memory bandwidth (docs/costs.md).
    """
    from tools.cli import fit_page
    from tools.cli.model_source import Asked, facts_of

    kinds = _kinds(types or [])
    facts, source = facts_of(Asked(model, revision, config, weights_bytes))
    most = facts.max_context_tokens
    if context_tokens is not None and context_tokens > most:
        raise RefusedError(
            [f"--context: {context_tokens} is more than the {most} tokens that {facts.id} takes"]
        )
    tokens = context_tokens or max(256, min(8192, most))
    serving = Serving(engine=engine, context_tokens=tokens, concurrency_per_copy=concurrency)
    book = bundled(context.obj.region_or(BUNDLED_REGION))
    found = fit_page.Found(
        facts, source, serving, book, options_for(facts, serving, book.usd_per_hour, kinds)
    )
    if as_json:
        typer.echo(json.dumps(fit_page.document(found), indent=2))
    else:
        fit_page.show(found, everything=show_all or bool(kinds))


def _kinds(types: list[str]) -> list[InstanceType] | None:
    names = [name.strip() for one in types for name in one.split(",") if name.strip()]
    try:
        return [instance(name) for name in dict.fromkeys(names)] or None
    except UnknownInstanceError as unknown:
        raise RefusedError([f"--types: {unknown}"]) from None
