"""The events that the state machines send, and the layer's answer to each."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ..aws.troubles import by_class
from ..control.progress import (
    record_asleep,
    record_awake,
    record_failed,
    record_retired,
    record_staged,
)
from ..control.size import may_sleep, plan_wake
from .wiring import models, world


class _Step(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str
    generation: int


class Wake(_Step):
    """Size the wake."""


class Sleep(_Step):
    """May capacity go?"""


class Probe(_Step):
    """One token from the model proves that it answers."""


class Staged(_Step):
    step: Literal["staged"]
    commit: str
    weights_s3_uri: str


class Reached(_Step):
    step: Literal["awake", "asleep", "retired"]
    copies_per_instance: Annotated[int, Field(ge=1)] | None = None  # told after a creation


class Failed(_Step):
    step: Literal["failed"]
    error: str
    cause: str = ""


_RECORDS: TypeAdapter[Staged | Reached | Failed] = TypeAdapter(
    Annotated[Staged | Reached | Failed, Field(discriminator="step")]
)
_REACHED = {"asleep": record_asleep, "retired": record_retired}
PROBE = {"messages": [{"role": "user", "content": "Say ok."}], "max_tokens": 1}


class SilentModelError(RuntimeError):
    """The model took the probe and said nothing."""


@by_class
def answer_wake(event: Any) -> dict[str, Any]:
    """`{current, copies, min_copies, max_copies}` for `wake_endpoint`."""
    step = Wake.model_validate(event)
    plan = plan_wake(world(), step.endpoint, step.generation)
    return {
        "current": plan.current,
        "copies": plan.copies,
        "min_copies": plan.bounds.min_copies,
        "max_copies": plan.bounds.max_copies,
    }


@by_class
def answer_sleep(event: Any) -> dict[str, Any]:
    """`{current}`: whether `sleep_endpoint` may go on."""
    step = Sleep.model_validate(event)
    return {"current": may_sleep(world(), step.endpoint, step.generation)}


@by_class
def answer_probe(event: Any) -> dict[str, Any]:
    """`{output_tokens}`; raises what the model raised, or SilentModelError."""
    step = Probe.model_validate(event)
    answer = models().ask(step.endpoint, PROBE)
    if answer.output_tokens < 1:
        raise SilentModelError(f"{step.endpoint} answered the probe without a token")
    return {"output_tokens": answer.output_tokens}


@by_class
def answer_record(event: Any) -> dict[str, Any]:
    """`{current}`: whether the step was of the newest wish and is stored."""
    step = _RECORDS.validate_python(event)
    if isinstance(step, Staged):
        current = record_staged(
            world(), step.endpoint, step.generation, step.commit, step.weights_s3_uri
        )
    elif isinstance(step, Failed):
        current = record_failed(world(), step.endpoint, step.generation, step.error, step.cause)
    elif step.step == "awake":
        current = record_awake(world(), step.endpoint, step.generation, step.copies_per_instance)
    else:
        current = _REACHED[step.step](world(), step.endpoint, step.generation)
    return {"current": current}
