"""The commands that people send through the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ..control import orders, overrides
from ..control.budget_view import stop_view
from ..control.in_force import Kind, by_endpoint
from ..control.purse import BarredError
from ..control.world import OrderError, UnknownEndpointError, find
from ..endpoints.migrations import NewerSchemaError, UnreadableError
from ..endpoints.status import Cause, EndpointStatus
from ..policy.types import OverrideKind
from ..ports import ConflictError
from ..spec import EndpointSpec, SpecError
from ..spec.orders import LONGEST_OVERRIDE, LONGEST_REASON
from .boundary import problems_of
from .money_commands import MoneyCommand, carry_out_money
from .observing import refuse_while_observing
from .settings import settings
from .wiring import world

if TYPE_CHECKING:
    from ..control.plan import Setting

_CONFLICT_TRIES = 5
Text = Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)]


class _Command(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")

    author: Text = "somebody"


class Apply(_Command):
    command: Literal["apply", "plan"]
    document: Any


class Get(_Command):
    command: Literal["get"]
    endpoint: Annotated[str, Field(max_length=200)] | None = None


class Order(_Command):
    command: Literal["wake", "sleep"]
    endpoint: Text


class Release(_Command):
    command: Literal["release"]
    endpoint: Text
    kind: Kind | None = None  # None: all that is in force


class Retry(_Command):
    command: Literal["retry"]
    endpoint: Text


class _Override(_Command):
    endpoint: Text
    seconds: Annotated[float, Field(gt=0, le=LONGEST_OVERRIDE.total_seconds())]
    reason: Text
    replace: bool = False  # take the place of one of its kind

    def asked(self) -> overrides.Asked:
        lasts = timedelta(seconds=self.seconds)
        return overrides.Asked(lasts, self.reason, self.author, self.replace)


class HoldOrder(_Override):
    command: Literal["hold"]
    min_copies: Annotated[int, Field(ge=0, le=100)]


class OverrideOrder(_Override):
    command: Literal["override"]
    kind: OverrideKind
    even_for_requests: bool = False


class Delete(_Command):
    command: Literal["delete"]
    endpoint: Text
    discard_requests: bool = False
    discard_weights: bool = False
    stack_deleted: bool = False  # said by `retire_stack` alone


Command = Apply | Get | Order | Release | Retry | HoldOrder | OverrideOrder | Delete | MoneyCommand
COMMANDS: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="command")])
_EXPECTED = (
    SpecError,
    OrderError,
    UnknownEndpointError,
    ConflictError,
    BarredError,
    NewerSchemaError,
    UnreadableError,
)


def accept(event: Any) -> dict[str, Any]:
    """`{ok: True, result}` or `{ok: False, error, problems}`; the unexpected is raised.

    `in_force` beside either: what people asked for until some time of the endpoints that the answer
    is about, in sentences by endpoint.
    """
    try:
        command = COMMANDS.validate_python(event)
    except ValidationError as invalid:
        return {"ok": False, "error": "CommandError", "problems": problems_of(invalid)}
    answer = _answer(command)
    return {**answer, "in_force": _in_force(command, answer)}


def _answer(command: Command) -> dict[str, Any]:
    try:
        return {"ok": True, "result": _until_unopposed(command)}
    except _EXPECTED as refused:
        problems = refused.problems if isinstance(refused, SpecError) else [str(refused)]
        return {"ok": False, "error": type(refused).__name__, "problems": problems}


def _in_force(command: Command, answer: Mapping[str, Any]) -> dict[str, list[str]]:
    """Read after the command is carried out; a refusal says it too, as it may be the reason."""
    name: str | None = getattr(command, "endpoint", None)
    if isinstance(command, Apply):
        if not answer["ok"]:
            return {}  # a file that is refused may name anything
        name = answer["result"]["endpoint"]
    store = world().store
    try:
        found = [store.load(name)] if name else store.load_all()
    except (NewerSchemaError, UnreadableError):
        return {}  # the answer says that it cannot be read, if it is about that
    return by_endpoint((record for record in found if record), world().clock.now())


@cache
def _setting() -> Setting:
    from ..aws.namesakes import Namesakes
    from ..aws.quotas import ServiceQuotas
    from ..control.plan import Setting
    from .staging import resolve_commit

    env = settings()
    return Setting(
        env.stack_name,
        env.default_time_zone,
        env.region,
        resolve_commit,
        env.account,
        ServiceQuotas(),
        Namesakes(env.stack_name).all,
    )


def _until_unopposed(command: Command) -> dict[str, Any]:
    """Carries a command out anew while the tick or a dispatcher wrote in between."""
    for _ in range(_CONFLICT_TRIES):
        try:
            return _carry_out(command)
        except ConflictError:
            continue
    return _carry_out(command)


def _carry_out(command: Command) -> dict[str, Any]:
    refuse_while_observing(
        world().mode,
        command.command,
        getattr(command, "endpoint", None) or "",
        getattr(command, "stack_deleted", False),
    )
    if isinstance(command, Apply):
        return _apply(command)
    if isinstance(command, Get):
        return _get(command)
    if isinstance(command, MoneyCommand):
        return carry_out_money(world(), command)
    if isinstance(command, Retry):
        from ..control.retry import retry

        record, did = retry(world(), command.endpoint, command.author)
        return {**_briefly(record.status), "did": did}
    return _briefly(_ordered(command))


def _ordered(command: Order | Release | HoldOrder | OverrideOrder | Delete) -> EndpointStatus:
    name = command.endpoint
    if isinstance(command, HoldOrder):
        return overrides.hold(world(), name, command.min_copies, command.asked())
    if isinstance(command, OverrideOrder):
        return overrides.override(
            world(),
            name,
            command.kind,
            command.asked(),
            even_for_requests=command.even_for_requests,
        )
    if isinstance(command, Release):
        return overrides.release(world(), name, command.author, command.kind)
    if isinstance(command, Delete):
        cause = Cause.STACK_DELETED if command.stack_deleted else Cause.PERSON
        return orders.delete(
            world(), name, command.discard_requests, command.discard_weights, cause
        )
    order: Callable[..., EndpointStatus] = getattr(orders, command.command)
    return order(world(), name, command.author)


def _apply(command: Apply) -> dict[str, Any]:
    # Here, since only who applies needs them: every other command starts sooner.
    from ..control.apply import apply
    from ..control.plan import plan

    if command.command == "plan":
        planned, status = plan(world(), _setting(), command.document), None
    else:
        planned, status = apply(world(), _setting(), command.document)
    status = status or (planned.record.status if planned.record else None)
    return {
        "endpoint": planned.spec.name,
        "created": planned.record is None,
        "phase": status.phase if status else None,
        "generation": status.generation if status else None,
        "changes": [
            {"field": c.field, "before": c.before, "after": c.after} for c in planned.changes
        ],
        "way": planned.way,
        "warnings": list(planned.warnings),
        "preview": list(planned.preview),
        "prices": _prices(planned.spec),
    }


def _prices(spec: EndpointSpec) -> dict[str, Any]:
    """What its machines cost, as the Region's price list had it when it was read last."""
    book = world().store.prices()
    names = {name for rung in spec.rungs for name in rung.types}
    return {
        "region": book.region,
        "read_at": book.read_at.isoformat() if book.read_at else None,
        "usd_per_hour": {n: str(usd) for n, usd in book.listed.items() if n in names},
    }


def _get(command: Get) -> dict[str, Any]:
    if command.endpoint:
        record = find(world(), command.endpoint)
        found = [orders.describe(world(), record, with_history=True)]
        stopped = stop_view(record.stack.stopped)
        return {"endpoints": found, "prices": _prices(record.spec), "stopped": stopped}
    records = world().store.load_all()
    found = [orders.describe(world(), r, with_history=False) for r in records]
    state = records[0].stack if records else world().store.stack()
    return {"endpoints": found, "stopped": stop_view(state.stopped)}


def _briefly(status: EndpointStatus) -> dict[str, Any]:
    return {"endpoint": status.name, "phase": status.phase, "generation": status.generation}
