"""The events that the state machines send, and the layer's answer to each.

Each answer imports what it needs: they are as many functions' cold starts.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from ..aws.troubles import by_class
from ..catalog.models import ModelFacts
from ..endpoints.status import Shape
from ..policy.types import Bounds
from ..ports import Answer
from ..spec import Kind
from .boundary import Boundary, EndpointName, Generation
from .moves import moves_of
from .settings import settings
from .wiring import late_models, models, world


class _Step(Boundary):
    endpoint: EndpointName
    generation: Generation


class Wake(_Step):
    """Size the wake."""


class Sleep(_Step):
    """May capacity go?"""


class Start(_Step):
    """How far is a copy that starts? A creation has `times` the patience of a wake."""

    copies: Annotated[int, Field(ge=1)] = 1
    times: Annotated[int, Field(ge=1, le=10)] = 1


class Probe(_Step):
    """One token from the model proves that it answers."""

    kind: Kind = Kind.COMPONENT
    shared: EndpointName | Literal[""] = ""  # the machines that it shares


class Staged(_Step):
    step: Literal["staged"]
    commit: str
    weights_s3_uri: str
    facts: ModelFacts | None = None  # of a model that stays on the Hub


class Reached(_Step):
    step: Literal["awake", "asleep", "retired"]
    copies_per_instance: Annotated[int, Field(ge=1)] | None = None  # told after a creation
    unscaled: str = ""  # why its scaling policies could not be put


class Shaped(_Step):
    step: Literal["shaped", "updated"]
    shape: Shape
    copies_per_instance: Annotated[int, Field(ge=1)]


class Failed(_Step):
    step: Literal["failed", "update_failed"]
    error: str
    cause: str = ""


_RECORDS: TypeAdapter[Staged | Shaped | Reached | Failed] = TypeAdapter(
    Annotated[Staged | Shaped | Reached | Failed, Field(discriminator="step")]
)
PROBE = {"messages": [{"role": "user", "content": "Say ok."}], "max_tokens": 1}


class NotAnsweredYetError(RuntimeError):
    """The probe's answer comes later; Step Functions looks again."""


class SilentModelError(RuntimeError):
    """The model took the probe and said nothing."""


@by_class
def answer_wake(event: Any) -> dict[str, Any]:
    """`{current, copies, reshape, min_copies, max_copies, moves}` for `wake_endpoint`."""
    from ..control.size import plan_wake

    step = Wake.model_validate(event)
    plan = plan_wake(world(), step.endpoint, step.generation)
    return {
        "current": plan.current,
        "copies": plan.copies,
        "reshape": plan.reshape,
        "min_copies": plan.bounds.min_copies,
        "max_copies": plan.bounds.max_copies,
        "moves": moves_of(plan.record, plan.bounds, plan.copies) if plan.record else {},
    }


@by_class
def answer_sleep(event: Any) -> dict[str, Any]:
    """`{current, moves}`: whether `sleep_endpoint` may go on, and by which requests.
    `moves.first_look_seconds`: after the wish, until instances are looked at first. On shared
    machines `moves.left` are the instances that have to go; those of others may stay."""
    from ..control.release import first_look
    from ..control.size import may_sleep

    step = Sleep.model_validate(event)
    current = may_sleep(world(), step.endpoint, step.generation)
    record = world().store.load(step.endpoint) if current else None
    if record is None:
        return {"current": False, "moves": {}}
    moves = moves_of(record, Bounds(0, 0), 0)
    moves["first_look_seconds"] = round(first_look(record.status.release_seconds).total_seconds())
    if record.spec.instances.shared:
        moves["left"] = world().look(record).instances
    return {"current": True, "moves": moves}


@by_class
def answer_start(event: Any) -> dict[str, Any]:
    """`{verdict, pace, Error, Cause}` for whoever waits for a copy; as in control.start."""
    from ..control.start import Patience, look_at_start

    step, env = Start.model_validate(event), settings()
    patience = Patience(
        capacity=timedelta(seconds=step.times * env.capacity_seconds),
        wake=timedelta(seconds=step.times * env.wake_seconds),
    )
    look = look_at_start(world(), step.endpoint, step.generation, step.copies, patience)
    return {
        "verdict": look.verdict,
        "pace": look.pace,
        "Error": look.error,
        "Cause": look.cause,
    }


@by_class
def answer_probe(event: Any) -> dict[str, Any]:
    """`{output_tokens}`; raises what the model raised, SilentModelError, or NotAnsweredYetError."""
    step = Probe.model_validate(event)
    if step.kind is Kind.ASYNC:
        answer = _late_answer(step)
    else:
        answer = models().ask(step.endpoint, PROBE, step.kind, step.shared)
    if answer.output_tokens < 1:
        raise SilentModelError(f"{step.endpoint} answered the probe without a token")
    return {"output_tokens": answer.output_tokens}


def _late_answer(step: Probe) -> Answer:
    """Asks with the first try and looks with the others; no request of a sender's has a slash."""
    late, request_id = late_models(), f"probe/{step.generation}"
    answer = late.look(step.endpoint, request_id)
    if answer is not None:
        late.forget(step.endpoint, request_id)
        return answer
    if not late.was_asked(step.endpoint, request_id):
        late.ask(step.endpoint, request_id, PROBE)
    raise NotAnsweredYetError(f"{step.endpoint} has not answered the probe yet")


@by_class
def answer_record(event: Any) -> dict[str, Any]:
    """`{current}`: whether the step was of the newest wish and is stored."""
    from ..control import awake, progress, updating

    step = _RECORDS.validate_python(event)
    if isinstance(step, Staged):
        current = progress.record_staged(
            world(),
            step.endpoint,
            step.generation,
            step.commit,
            step.weights_s3_uri,
            step.facts,
        )
    elif isinstance(step, Shaped):
        recorded = updating.record_updated if step.step == "updated" else progress.record_shaped
        current = recorded(
            world(), step.endpoint, step.generation, step.shape, step.copies_per_instance
        )
    elif isinstance(step, Failed):
        gave_up = (
            updating.record_update_failed
            if step.step == "update_failed"
            else progress.record_failed
        )
        current = gave_up(world(), step.endpoint, step.generation, step.error, step.cause)
    elif step.step == "awake":
        current = awake.record_awake(
            world(), step.endpoint, step.generation, step.copies_per_instance, step.unscaled
        )
    else:
        reached = {"asleep": progress.record_asleep, "retired": progress.record_retired}
        current = reached[step.step](world(), step.endpoint, step.generation)
    return {"current": current}
