"""The commands. Each is a few lines: read, ask the stack, show."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.live import Live
from rich.markup import escape

from autoscaler.catalog.prices import BUNDLED_REGION, bundled
from tools.cli import output, streams
from tools.cli.applying import apply_all
from tools.cli.ask_command import ask, result_of
from tools.cli.aws_errors import explained
from tools.cli.budget_command import set_budget, show_budget
from tools.cli.client import CliError, RefusedError, StackClient
from tools.cli.doctor_command import doctor
from tools.cli.files import read_documents
from tools.cli.fit_command import fit
from tools.cli.gateway_command import gateway, gateway_key
from tools.cli.harmless import harmless
from tools.cli.local import local
from tools.cli.override_commands import register as register_overrides
from tools.cli.plan_command import Billed, Lead, Price, Start, TokenSeconds, Traces, plan
from tools.cli.report_command import report
from tools.cli.schedule_command import group as schedules
from tools.cli.sweep_command import sweep
from tools.cli.switch_command import start, stop

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Keeps open-weights LLMs on SageMaker at the lowest cost their traffic allows.",
)
app.add_typer(local, name="local", help="The embedded account: an AWS account on this machine.")

Endpoint = Annotated[str, typer.Argument(help="The endpoint's name.")]
Files = Annotated[list[Path], typer.Argument(help="Endpoint files (YAML).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_WATCH_SECONDS = 2.0
_INTERRUPTED = 130  # as a shell says of SIGINT


@app.callback()
def main(
    context: typer.Context,
    stack: Annotated[
        str, typer.Option(envvar="AUTOSCALER_STACK", help="The stack's name.")
    ] = "autoscaler",
    region: Annotated[
        str | None, typer.Option(help="The Region, unless the environment says.")
    ] = None,
) -> None:
    """Sets what all commands share."""
    context.obj = StackClient(stack, region)


def tells(command: Callable[..., None]) -> Callable[..., None]:
    """Turns an expected error into its lines and an exit status. Below what a command shows comes
    what is in force of the endpoints that it is about; as JSON the answer has it."""

    @functools.wraps(command)
    def told(*args: Any, **kwargs: Any) -> None:
        try:
            _run(command, *args, **kwargs)
            streams.flushed()
        except RefusedError as refused:
            _complain(*refused.problems)
            raise typer.Exit(refused.exit_code) from None
        except CliError as error:
            _complain(str(error))
            raise typer.Exit(error.exit_code) from None
        except (BotoCoreError, ClientError) as error:
            _complain(explained(error))
            raise typer.Exit(CliError.exit_code) from None
        except OSError as error:
            said = streams.unwritable(error)
            if said is None:
                raise
            _complain(said)
            streams.give_up()
            raise typer.Exit(CliError.exit_code) from None
        except KeyboardInterrupt:
            raise typer.Exit(_INTERRUPTED) from None

    return told


def _run(command: Callable[..., None], *args: Any, **kwargs: Any) -> None:
    try:
        command(*args, **kwargs)
    finally:  # a refusal, too, is better understood with it
        if "context" in kwargs and not kwargs.get("as_json"):
            output.in_force(kwargs["context"].obj.in_force)


@app.command()
@tells
def apply(context: typer.Context, files: Files, as_json: AsJson = False) -> None:
    """Makes endpoints as their files say."""
    documents = read_documents(files)  # all are read before any is sent
    apply_all(context.obj, documents, quiet=as_json)


app.command()(tells(plan))
app.command()(tells(fit))
app.command()(tells(doctor))
app.command()(tells(sweep))
app.add_typer(schedules(tells), name="schedule", help="What the windows of an endpoint come to.")
app.command()(tells(ask))
app.command()(tells(report))
app.command("result")(tells(result_of))
app.command()(tells(gateway))
app.command()(tells(gateway_key))
app.command()(tells(stop))
app.command("start")(tells(start))
budget = typer.Typer(help="Budgets of the endpoints and of the stack.")
budget.callback(invoke_without_command=True)(tells(show_budget))
budget.command("set")(tells(set_budget))
app.add_typer(budget, name="budget")


@app.command()
@tells
def get(
    context: typer.Context,
    endpoint: Annotated[str | None, typer.Argument(help="One endpoint, with history.")] = None,
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", help="Look again, until Ctrl-C.")] = False,
) -> None:
    """Shows endpoints: phase, copies, instances, backlog."""
    if watch and as_json:
        raise RefusedError(["--watch and --json do not go together"])
    if watch:
        _watch(context.obj, endpoint)
    found = context.obj.command("get", endpoint=endpoint)
    if as_json:
        typer.echo(json.dumps(found["endpoints"], indent=2))
    else:
        output.print_page(found, context.obj.now(), whole=bool(endpoint))
        context.obj.in_force.clear()  # the page says it


@app.command()
@tells
def wake(context: typer.Context, endpoint: Endpoint) -> None:
    """Wakes an endpoint now."""
    _order(context.obj, "wake", endpoint)


@app.command()
@tells
def sleep(context: typer.Context, endpoint: Endpoint) -> None:
    """Puts an endpoint to sleep now, if nothing needs it."""
    _order(context.obj, "sleep", endpoint)


@app.command()
@tells
def retry(context: typer.Context, endpoint: Endpoint) -> None:
    """Tries now what waits for its next try: a creation, a wake, copies that did not come."""
    _order(context.obj, "retry", endpoint)


register_overrides(app, tells)


@app.command()
@tells
def delete(
    context: typer.Context,
    endpoint: Endpoint,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    discard_requests: Annotated[
        bool,
        typer.Option(
            "--discard-requests", help="Even if requests wait, or lie in its dead-letter queue."
        ),
    ] = False,
    weights: Annotated[
        bool, typer.Option("--weights", help="Its staged weights too, if no other one has them.")
    ] = False,
) -> None:
    """Removes an endpoint, its queue and all that bills; staged weights stay, but for --weights."""
    if not yes:
        typer.confirm(f"Remove {endpoint}{' and its weights' if weights else ''}?", abort=True)
    # A stack that does not know of weights yet is not asked about them.
    more = {"discard_weights": True} if weights else {}
    _order(context.obj, "delete", endpoint, discard_requests=discard_requests, **more)


@app.command()
@tells
def stage(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Repository on the Hub: owner/name.")],
    to: Annotated[str, typer.Option(help="s3://BUCKET or s3://BUCKET/PREFIX.")],
    revision: Annotated[str, typer.Option(help="Branch, tag or commit.")] = "main",
    trust_remote_code: Annotated[bool, typer.Option(help="Allow code in the repository.")] = False,
    connections: Annotated[
        int | None, typer.Option(min=1, max=64, help="To the Hub, for each file.")
    ] = None,
    files: Annotated[int, typer.Option(min=1, max=64, help="Files at a time.")] = 4,
    as_json: AsJson = False,
) -> None:
    """Stages weights from this machine, with the code that the stack uses."""
    from tools.cli.staging import Order, stage_from_here

    order = Order(model, revision, to, trust_remote_code, connections, files)
    staged = stage_from_here(context.obj.boto("s3"), order, quiet=as_json)
    if as_json:
        typer.echo(json.dumps(staged, indent=2))
    else:
        output.console.print(output.staged_line(staged), soft_wrap=True)


@app.command()
@tells
def verify(
    context: typer.Context,
    place: Annotated[str, typer.Argument(help="s3://BUCKET/models/<model>/<commit>/")],
    deep: Annotated[bool, typer.Option(help="Read every byte again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Proves staged weights again, against their passport."""
    from tools.cli.staging import verify_from_here

    proven = verify_from_here(context.obj.boto("s3"), place, deep=deep)
    if as_json:
        typer.echo(json.dumps(proven, indent=2))
    else:
        output.console.print(output.verified_line(proven), soft_wrap=True)


@app.command()
@tells
def simulate(
    context: typer.Context,
    spec: Annotated[Path, typer.Option(help="The endpoint file.")],
    trace: Traces = None,
    policy: Annotated[
        list[str] | None, typer.Option(help="Beside ours; default: what one could have instead.")
    ] = None,
    more: Annotated[
        list[str] | None, typer.Argument(help="Further traces, or policies.", show_default=False)
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Where to put pictures (a page).")] = None,
    start: Start = None,
    lead: Lead = None,
    billed: Billed = None,
    price: Price = None,
    token_seconds: TokenSeconds = 0.018,
    as_json: AsJson = False,
) -> None:
    """Replays a history under this policy and others; needs no stack."""
    from autoscaler.replay.assumed import Assumed
    from autoscaler.replay.trace import Service
    from tools.cli import simulation

    service = Service(seconds_per_output_token=token_seconds)
    begins = simulation.parse_start(start)
    if html:
        simulation.check_page(html)
    prices = bundled(context.obj.region_or(BUNDLED_REGION))
    assumed = Assumed(lead, billed, price, begins, service, prices)
    traces, policies = simulation.sorted_out(trace or (), policy or (), more or ())
    found = simulation.simulate_here(traces, spec, policies, assumed, quiet=as_json)
    if html:
        simulation.write_page(found, html)
    if as_json:
        typer.echo(simulation.documents(found, assumed.priced))
    else:
        simulation.show(found, assumed.priced)


def _order(client: StackClient, command: str, endpoint: str, **arguments: Any) -> None:
    result = client.command(command, endpoint=endpoint, **arguments)
    did = f": {result['did']}" if "did" in result else ""
    told = f"{result['endpoint']} is {output.phase(result['phase'])}{escape(did)}"
    output.console.print(told, soft_wrap=True)


def _watch(client: StackClient, endpoint: str | None) -> NoReturn:
    with Live(console=output.console, auto_refresh=False) as live:
        while True:
            found = client.command("get", endpoint=endpoint)
            live.update(output.page(found, client.now(), whole=bool(endpoint)), refresh=True)
            time.sleep(_WATCH_SECONDS)


def _complain(*lines: str) -> None:
    for line in lines:
        output.errors.print(
            harmless(line), style="red", highlight=False, markup=False, soft_wrap=True
        )
