"""What OpenAI's completions may be asked, and how many answers that asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def choices_asked(body: Mapping[str, Any]) -> int:
    """How many answers a request asks for: `n` of each prompt."""
    each, prompt = body.get("n"), body.get("prompt")
    prompts = 1
    if isinstance(prompt, list) and prompt and isinstance(prompt[0], str | list):
        prompts = len(prompt)
    return prompts * max(1, each) if isinstance(each, int) else prompts


def is_prompt(given: Any) -> bool:
    """Text, token ids, or a list of several of either, as OpenAI's completions take it: of several
    each has choices of its own."""
    if isinstance(given, str):
        return True
    return _all(given, str) or _is_ids(given) or (_all(given, list) and all(map(_is_ids, given)))


def _is_ids(given: Any) -> bool:
    return _all(given, int) and not any(isinstance(one, bool) or one < 0 for one in given)


def _all(given: Any, kind: type) -> bool:
    """Whether it is a list of some of this kind, and of nothing else."""
    return isinstance(given, list) and given != [] and all(isinstance(o, kind) for o in given)
