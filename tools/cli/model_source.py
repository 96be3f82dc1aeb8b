"""Facts of a model from the catalogue, from its repository on the Hub, or from a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoscaler.catalog.architecture import facts_from_config
from autoscaler.catalog.models import ModelFacts, UnknownArchitectureError, known_model
from autoscaler.catalog.weights import weights_of
from autoscaler.spec import SpecError, parse_spec
from autoscaler.staging.errors import StagingError
from autoscaler.staging.hub import HubClient
from autoscaler.staging.hub_files import HubFile
from autoscaler.staging.retry import TransientError
from autoscaler.staging.safetensors_header import MAX_HEADER_BYTES
from tools.cli.client import CliError, RefusedError
from tools.cli.staging import hub_from_here, staging_sentence

_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"
_MOST_JSON_BYTES = 64 * 1024 * 1024
_AT_A_TIME = 8
_LENGTH_BYTES = 8
_WAY_OUT = "give --config FILE and --weights-bytes N"


@dataclass(frozen=True)
class Asked:
    """What a person named."""

    model: str | None
    revision: str
    config: Path | None
    weights_bytes: int | None


def facts_of(asked: Asked) -> tuple[ModelFacts, str]:
    """The facts and where they come from. RefusedError names an argument, CliError the Hub's no."""
    if asked.config is not None or asked.weights_bytes is not None:
        return _from_file(asked), f"{asked.config} and --weights-bytes"
    if asked.model is None:
        raise RefusedError([f"MODEL: name a repository of the Hub (OWNER/NAME), or {_WAY_OUT}"])
    known = known_model(asked.model)
    if known is not None:
        return known, "the catalogue"
    _check_name(asked)
    try:
        return _from_hub(hub_from_here(), asked.model, asked.revision)
    except StagingError as refused:
        raise CliError(f"MODEL: {staging_sentence(refused)}") from None
    except UnknownArchitectureError as wrong:
        raise RefusedError([f"MODEL: {wrong}"]) from None


def _check_name(asked: Asked) -> None:
    model = {"id": asked.model, "revision": asked.revision}
    document = {"name": "x", "model": model, "instances": {"types": ["ml.g5.xlarge"]}}
    try:
        parse_spec(document)
    except SpecError as wrong:
        raise RefusedError(
            [
                f"{'--revision' if 'revision' in where else 'MODEL'}: {what}"
                for where, _, what in (p.partition(": ") for p in wrong.problems)
            ]
        ) from None


def _from_file(asked: Asked) -> ModelFacts:
    if asked.config is None:
        raise RefusedError(["--weights-bytes: the shapes are needed too: give --config FILE"])
    if asked.weights_bytes is None:
        raise RefusedError(["--config: the size of the weights is needed too: --weights-bytes N"])
    try:
        config = json.loads(asked.config.read_text(encoding="utf-8"))
    except OSError as wrong:
        raise RefusedError([f"--config: {asked.config}: {wrong.strerror}"]) from None
    except (ValueError, RecursionError) as wrong:
        raise RefusedError([f"--config: {asked.config} is not JSON: {wrong}"]) from None
    if not isinstance(config, dict):
        raise RefusedError([f"--config: {asked.config} is not a model's config.json"])
    try:
        return facts_from_config(config, asked.weights_bytes, asked.model or asked.config.name)
    except UnknownArchitectureError as wrong:
        raise RefusedError([f"--config: {wrong}"]) from None


def _from_hub(hub: HubClient, model: str, revision: str) -> tuple[ModelFacts, str]:
    pinned = hub.resolve(model, revision)
    files = {file.path: file for file in hub.tree(model, pinned.commit)}
    if "config.json" not in files:
        raise RefusedError([f"MODEL: {model} has no config.json; {_WAY_OUT}"])
    config = _json_file(hub, model, pinned.commit, "config.json")
    shards = _shards(hub, model, pinned.commit, files)
    bits = facts_from_config(config, 1, model).weight_bits

    def header(shard: HubFile) -> Mapping[str, Any]:
        return _header(hub, model, pinned.commit, shard)

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        headers = list(pool.map(header, shards))
    try:
        weights = weights_of(headers, bits)
    except (KeyError, TypeError, ValueError):
        raise RefusedError(
            [f"MODEL: {model}: a safetensors header is damaged; {_WAY_OUT}"]
        ) from None
    total = sum(shard.size_bytes for shard in shards)
    facts = facts_from_config(config, total, model, weights.bytes_by_dtype, weights.params)
    return facts, f"the Hub, commit {pinned.commit[:12]}"


def _shards(
    hub: HubClient, model: str, commit: str, files: Mapping[str, HubFile]
) -> Sequence[HubFile]:
    """The files that hold the weights once: those of the index, where there is one."""
    if _INDEX in files:
        weight_map = _json_file(hub, model, commit, _INDEX).get("weight_map")
        names = set(map(str, weight_map.values())) if isinstance(weight_map, dict) else set()
    elif _SINGLE in files:
        names = {_SINGLE}
    else:
        names = {path for path in files if path.endswith(".safetensors") and "/" not in path}
    missing = sorted(names - files.keys())
    if not names or missing:
        what = f"{missing[0]} of its index is not there" if missing else "it has no safetensors"
        raise RefusedError([f"MODEL: {model}: {what}; {_WAY_OUT}"])
    return [files[name] for name in sorted(names)]


def _json_file(hub: HubClient, model: str, commit: str, path: str) -> dict[str, Any]:
    body = hub.retried(lambda: _read(hub, model, commit, path, _MOST_JSON_BYTES), path)
    try:
        found = json.loads(body)
    except ValueError as wrong:
        raise RefusedError([f"MODEL: {model}/{path} is not JSON: {wrong}; {_WAY_OUT}"]) from None
    if not isinstance(found, dict):
        raise RefusedError([f"MODEL: {model}/{path} is no object; {_WAY_OUT}"])
    return found


def _read(hub: HubClient, model: str, commit: str, path: str, most: int) -> bytes:
    reply, body = hub.open(model, commit, path), bytearray()
    try:
        while len(body) < most and (chunk := reply.receive()):
            body += chunk
    finally:
        reply.close()
    return bytes(body)


def _header(hub: HubClient, model: str, commit: str, shard: HubFile) -> Mapping[str, Any]:
    raw = hub.retried(lambda: _header_bytes(hub, model, commit, shard), shard.path)
    try:
        parsed = json.loads(raw)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise RefusedError([f"MODEL: {model}/{shard.path} has no safetensors header; {_WAY_OUT}"])
    return parsed


def _header_bytes(hub: HubClient, model: str, commit: str, shard: HubFile) -> bytes:
    """The JSON at the file's beginning; the connection is closed before the weights come."""
    reply, body = hub.open(model, commit, shard.path), bytearray()
    length = MAX_HEADER_BYTES
    try:
        while len(body) < _LENGTH_BYTES + length:
            chunk = reply.receive()
            if not chunk:
                raise TransientError(f"{shard.path} ended inside its header")
            body += chunk
            if len(body) >= _LENGTH_BYTES:
                length = min(int.from_bytes(body[:_LENGTH_BYTES], "little"), MAX_HEADER_BYTES)
    finally:
        reply.close()
    return bytes(body[_LENGTH_BYTES : _LENGTH_BYTES + length])
