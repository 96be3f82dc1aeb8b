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
# `log_config_file`: Python's logging calls whatever such a file names.
_CODE = frozenset({
    "custom_weight_loader", "forward_hooks", "io_processor_plugin", "log_config_file",
    "logits_processors", "middleware", "model_class_overrides", "reasoning_parser_plugin",
    "scheduler_cls", "tool_parser_plugin", "worker_cls", "worker_extension_cls",
})  # fmt: skip
# Settings that name code besides other things: these keys of a document, however deep, ...
_CODE_INSIDE = {
    "compilation_config": frozenset({"inductor_passes"}),
    "ec_transfer_config": frozenset({"ec_connector_module_path"}),
    "kv_transfer_config": frozenset({"kv_connector_module_path"}),
    "structured_outputs_config": frozenset({"reasoning_parser_plugin"}),
}
# ... or these as a dotted name: the engine's own backends have none.
_QUALIFIED = frozenset({"distributed_executor_backend"})
_QUALIFIED_INSIDE = {"compilation_config": "backend"}
_DYNAMIC = "hicache_storage_backend"  # `dynamic`: by the module that its other settings name
# SGLang unpickles what a request brings along: code of whoever may send one.
_OF_REQUESTS = frozenset({"enable_custom_logit_processor"})
_PLACES = frozenset({
    "decrypted_config_file", "decrypted_draft_config_file", "default_mm_loras", "hf_config_path",
    "kt_weight_path", "lora_adapters", "lora_modules", "lora_paths",
    "modelopt_checkpoint_restore_path", "remote_instance_weight_loader_seed_instance_ip",
    "spec_model", "speculative_draft_model", "speculative_draft_model_path",
    "speculative_token_map", "tokenizer", "tokenizer_config_path", "tokenizer_path",
})  # fmt: skip
_INSIDE = {
    "model_loader_extra_config": ("tensorizer_dir", "tensorizer_uri"),
    "speculative_config": ("model", "tokenizer"),
}
# What of PyTorch's own formats is read by running it.
_PICKLES = frozenset({"pt", "npcache"})
_NAMED = re.compile(r"\s*[\w.-]+\s*=\s*(.+)")  # TGI's and SGLang's `name=place`

_AROUND = (
    "names {what}, which nobody pinned or proved: give a path below " + STAGED + ", or set "
    "model.trust_remote_code if you vouch for it"
)
_RUNS = "names code that the container would run: set model.trust_remote_code if you vouch for it"
_RUNS_REQUESTS = (
    "has the container run code that requests bring along, whoever sends them: set "
    "model.trust_remote_code if you vouch for all of them"
)
_UNPICKLES = "runs what a pickle says: leave it out, and safetensors are read"


def unproved(key: str, value: object) -> str | None:
    """Why a setting must not be taken from whoever does not trust code from outside; None: it
    may."""
    name, text = key.replace("-", "_").lower().removeprefix("option_"), str(value).strip()
    if name in _OF_REQUESTS:
        return _RUNS_REQUESTS
    if name in _CODE or _names_code(name, text):
        return _RUNS
    if name == "load_format" and text.lower() in _PICKLES:
        return _UNPICKLES
    for place in _places(name, text):
        if not _is_staged(place):
            return _AROUND.format(what=f"{place!r:.80}")
    return None


def _names_code(name: str, text: str) -> bool:
    if name in _QUALIFIED:
        return "." in text
    if name == _DYNAMIC:
        return text.lower() == "dynamic"
    if name not in _CODE_INSIDE:
        return False
    qualified = _QUALIFIED_INSIDE.get(name)
    return any(
        (key in _CODE_INSIDE[name] and value) or (key == qualified and "." in str(value))
        for key, value in _entries(_json(text))
    )


def _entries(found: Any) -> Iterator[tuple[str, Any]]:
    """All keys of a document and their values, at any depth."""
    waiting = [found]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield from part.items()
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


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
