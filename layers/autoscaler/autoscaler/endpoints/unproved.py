"""Settings of an engine that lead around the passport: other repositories, and code by its name.

The weights of an endpoint are pinned, whole and scanned. A draft model, a tokenizer or an adapter
of another repository is none of that, and a class that is named runs inside the container. Whoever
trusts code from outside (`model.trust_remote_code`) vouches for these as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

STAGED = "/opt/ml/model"
_CODE = frozenset({
    "custom_weight_loader", "forward_hooks", "io_processor_plugin", "logits_processors",
    "middleware", "model_class_overrides", "reasoning_parser_plugin", "scheduler_cls",
    "tool_parser_plugin", "worker_cls", "worker_extension_cls",
})  # fmt: skip
_PLACES = frozenset({
    "default_mm_loras", "hf_config_path", "kt_weight_path", "lora_adapters", "lora_modules",
    "lora_paths", "spec_model", "speculative_draft_model", "speculative_draft_model_path",
    "tokenizer", "tokenizer_config_path", "tokenizer_path",
})  # fmt: skip
_INSIDE = {"speculative_config": ("model", "tokenizer")}
# What of PyTorch's own formats is read by running it.
_PICKLES = frozenset({"pt", "npcache"})
_NAMED = re.compile(r"\s*[\w.-]+\s*=\s*(.+)")  # TGI's and SGLang's `name=place`

_AROUND = (
    "names {what}, which nobody pinned or proved: give a path below " + STAGED + ", or set "
    "model.trust_remote_code if you vouch for it"
)
_RUNS = "names code that the container would run: set model.trust_remote_code if you vouch for it"
_UNPICKLES = "runs what a pickle says: leave it out, and safetensors are read"


def unproved(key: str, value: object) -> str | None:
    """Why a setting must not be taken from whoever does not trust code from outside; None: it
    may."""
    name, text = key.replace("-", "_").lower().removeprefix("option_"), str(value).strip()
    if name in _CODE:
        return _RUNS
    if name == "load_format" and text.lower() in _PICKLES:
        return _UNPICKLES
    for place in _places(name, text):
        if not _is_staged(place):
            return _AROUND.format(what=f"{place!r:.80}")
    return None


def _places(name: str, text: str) -> Iterator[str]:
    if name in _INSIDE:
        yield from _inside(_json(text), _INSIDE[name])
    elif name in _PLACES:
        found = _json(text)
        if isinstance(found, str):
            for one in filter(None, (part.strip() for part in found.split(","))):
                named = _NAMED.fullmatch(one)
                yield named[1] if named else one
        else:
            yield from _inside(found, ("path", "lora_path", "local_path"), whole=True)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _inside(found: Any, keys: tuple[str, ...], *, whole: bool = False) -> Iterator[str]:
    """The places that a document names under these keys; `whole`: of an object without any of them
    each value is one."""
    if isinstance(found, list):
        for one in found:
            yield from _inside(one, keys, whole=whole)
    elif isinstance(found, dict):
        named = [str(found[key]) for key in keys if found.get(key)]
        yield from named or ([str(one) for one in found.values()] if whole else [])
    elif found:
        yield str(found)


def _is_staged(place: str) -> bool:
    parts = place.removeprefix("file://").split("/")
    return f"{place.removeprefix('file://')}/".startswith(f"{STAGED}/") and ".." not in parts
