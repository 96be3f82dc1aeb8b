"""`autoscaler plan` as it is typed, and the options that it shares with `simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.catalog.prices import BUNDLED_REGION, bundled
from tools.cli.client import RefusedError

# What is beyond is a mistake, or infinite; a replay of it would not end, or say nothing.
_LONGEST_START = 7 * 86400
_DEAREST_COPY = 100_000
_SLOWEST_TOKEN = 60

Traces = Annotated[
    list[Path] | None, typer.Option(help="Requests: arrival_s,input_tokens,output_tokens.")
]
Start = Annotated[str | None, typer.Option(help="When the trace begins (UTC).")]
Lead = Annotated[
    float | None,
    typer.Option(
        min=1,
        max=_LONGEST_START,
        help="Seconds of a cold start; without it by the weights of the model, 245 at least.",
    ),
]
Billed = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Share of a cold start that is billed."),
]
Price = Annotated[
    float | None, typer.Option(min=0, max=_DEAREST_COPY, help="Dollars of a copy an hour.")
]
TokenSeconds = Annotated[
    float, typer.Option(min=0, max=_SLOWEST_TOKEN, help="Seconds of an output token.")
]


def plan(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Endpoint files (YAML).")],
    trace: Traces = None,
    days: Annotated[int, typer.Option(min=1, max=15, help="Of CloudWatch, without --trace.")] = 14,
    no_history: Annotated[
        bool, typer.Option("--no-history", help="Only what would change, not what that costs.")
    ] = False,
    start: Start = None,
    lead: Lead = None,
    billed: Billed = None,
    price: Price = None,
    token_seconds: TokenSeconds = 0.018,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Shows what applying would change, and would have cost lately; changes nothing.

    Both specs are replayed on trace files (that needs no stack), else on CloudWatch's last days.
    """
    from autoscaler.replay.assumed import Assumed
    from autoscaler.replay.trace import Service
    from tools.cli import plans, simulation

    if no_history and trace:
        raise RefusedError(["--trace and --no-history do not go together"])
    if start and not trace:
        raise RefusedError(["--start: only a trace file does not say when it begins"])
    files, traces = simulation.traces_behind(files, trace or ())
    service = Service(seconds_per_output_token=token_seconds)
    prices = bundled(context.obj.region_or(BUNDLED_REGION))  # unless the stack knows newer ones
    begins = simulation.parse_start(start)
    assumed = Assumed(lead, billed, price, begins, service, prices)
    wanted = plans.Wanted(traces, 0 if no_history else days, assumed)
    plans.plan(context.obj, files, wanted, quiet=as_json)
