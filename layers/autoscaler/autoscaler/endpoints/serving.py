"""The container's environment, from the spec; within SageMaker's limits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..catalog.parameters import vocabulary
from ..spec import EndpointSpec, Engine, Source
from .dialects import DIALECTS, TOKEN_VARIABLE, WEIGHTS, Dialect, Variables, location
from .unproved import unproved

__all__ = ["TOKEN_VARIABLE", "WEIGHTS", "ServingError", "environment", "strangers"]

MOST_ENTRIES = 100
MOST_BYTES = 1024
MOST_BYTES_IN_ALL = 32 * 1024
_LONGEST_TOKEN = 512  # characters that the Hub's client takes
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_NEVER = "cannot be set: the container would not be reachable or not be the one that was planned"
_SECRET = "is a secret, and an environment can be read by everybody who may describe the model"
_PINNED = "cannot be set: model.revision says which, and it is pinned to a commit"
_OURS = "is set from the rest of the spec"


class ServingError(ValueError):
    """A serving parameter that cannot be used; names the field."""


def environment(
    spec: EndpointSpec, tensor_parallel: int, *, has_bfloat16: bool = True, commit: str = ""
) -> Variables:
    """Returns the environment variables; raises ServingError naming `serving.parameters.<key>`.

    `commit` is what the container loads from the Hub, for a model that is not staged.
    """
    dialect = DIALECTS[spec.serving.engine]
    ours = _ours(spec, dialect, tensor_parallel, commit)
    defaults = dialect.presets(spec)
    if not has_bfloat16:
        defaults |= dict([dialect.dtype])
    taken = {
        **dict.fromkeys(dialect.never, _NEVER),
        **dict.fromkeys(dialect.pin(""), _PINNED),
        **dict.fromkeys(dialect.secrets, _SECRET),
        **dict.fromkeys([*ours, dialect.trust], _OURS),
    }
    theirs: Variables = {}
    for key, value in spec.serving.parameters.items():
        name = dialect.prefix + key.replace("-", "_").upper()
        problem = taken.get(name) or _problem(spec, dialect, name, key, value)
        if problem:
            raise ServingError(f"serving.parameters.{key}: {problem}")
        taken[name] = "is given twice"
        theirs[name] = str(value).lower() if isinstance(value, bool) else str(value)
    variables = _checked(spec, {**defaults, **ours, **theirs})
    _check_limits(variables | _to_come(spec))
    return variables


def strangers(spec: EndpointSpec) -> Iterator[str]:
    """Yields the parameters that the engine's pinned image does not know."""
    known = vocabulary(spec.serving.engine)
    return (key for key in spec.serving.parameters if not known.knows(key))


def _to_come(spec: EndpointSpec) -> Variables:
    """Room for the Hub's token, which is put in when the model is made."""
    return {TOKEN_VARIABLE: "x" * _LONGEST_TOKEN} if spec.model.source is Source.HUB else {}


def _ours(spec: EndpointSpec, dialect: Dialect, tensor_parallel: int, commit: str) -> Variables:
    ours = dialect.ours(spec, tensor_parallel, location(spec))
    if spec.model.source is Source.HUB:
        ours |= dialect.pin(commit or spec.model.revision)
    if spec.model.trust_remote_code:
        ours[dialect.trust] = "true"
    return ours


def _problem(
    spec: EndpointSpec, dialect: Dialect, name: str, key: str, value: object
) -> str | None:
    # Of ASCII: other letters become these when they are made large, and are not found among names.
    if not key.isascii() or not _VARIABLE.fullmatch(name):
        return "is not the name of a setting: letters, digits, - and _ only"
    if not str(value).isprintable():
        return "holds control characters"
    known = vocabulary(spec.serving.engine)
    if not known.knows(key) and spec.serving.image is None:
        close = known.closest(key)
        hint = f" (did you mean {' or '.join(close)}?)" if close else ""
        return (
            f"{spec.serving.engine} {known.version} has no such setting{hint}; if an image of "
            "your own has it, name that image in serving.image"
        )
    if not spec.model.trust_remote_code and (around := unproved(key, value)):
        return around
    if not dialect.has_false and value is False:
        return _no_false(spec.serving.engine, key.replace("-", "_"))
    return None


def _no_false(engine: Engine, flag: str) -> str:
    """AWS's images leave a flag out that is "false", and many of vLLM's are on by default."""
    if vocabulary(engine).negated:
        return f"{engine} has no false flags: leave it out, or set no_{flag}: true"
    return f"{engine} has no false flags: leave it out"


def _checked(spec: EndpointSpec, variables: Variables) -> Variables:
    """What TGI compares when it starts, and would end for."""
    if spec.serving.engine is not Engine.TGI:
        return variables
    prompt, batch = "MAX_INPUT_TOKENS", "MAX_BATCH_PREFILL_TOKENS"
    for name in (prompt, batch):
        if not variables[name].isdecimal():
            raise ServingError(
                f"serving.parameters.{name.lower()}: {variables[name]!r:.80} is not a whole number"
            )
    if int(variables[prompt]) >= spec.serving.context_tokens:
        raise ServingError(
            f"serving.parameters.{prompt.lower()}: {variables[prompt]} leaves no token for an "
            f"answer; it must be below serving.context_tokens {spec.serving.context_tokens}"
        )
    if int(variables[batch]) < int(variables[prompt]):
        raise ServingError(
            f"serving.parameters.{batch.lower()}: {variables[batch]} is below the "
            f"{variables[prompt]} tokens of max_input_tokens; raise the one or lower the other"
        )
    return variables


def _check_limits(variables: Variables) -> None:
    if len(variables) > MOST_ENTRIES:
        raise ServingError(f"serving.parameters: {len(variables)} entries, {MOST_ENTRIES} at most")
    for name, value in variables.items():
        if max(len(name.encode()), len(value.encode())) > MOST_BYTES:
            raise ServingError(f"serving.parameters: {name:.80} is longer than {MOST_BYTES} bytes")
    total = sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())
    if total > MOST_BYTES_IN_ALL:
        raise ServingError(f"serving.parameters: {total} bytes in all, {MOST_BYTES_IN_ALL} at most")
