"""What is staged of a repository: pinned to a commit, names and formats gated, largest first."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from .errors import FileTooLargeError, GatedModelError, IntegrityError, TooManyFilesError
from .formats import UNSAFE, Skip, judge, require_weights
from .hub import HubClient
from .hub_files import HubFile, Revision
from .hub_replies import gate_sentence
from .names import check_names
from .remote_code import CodeEntry, find_remote_code
from .store import SMALL_BYTES
from .stream import read_small
from .windows import CONNECTIONS

ModelId = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,95}/[A-Za-z0-9_][A-Za-z0-9._-]{0,95}$")
]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]

# What S3 takes as one object: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
MAX_FILE_BYTES = 5 * 1024**4
# A state machine carries 256 KiB from state to state; a file takes about 250 bytes of it.
MAX_FILES = 800
_MAX_PLAN_BYTES = 200_000
_NAMED_SKIPS = 50
# The largest vocabularies are 35 MB.
_JSON_BYTES = 64 * 1024 * 1024
# For an estimate, and assumed: what the Hub's CDN gives one connection, what one function can hash
# and send, and its start-up.
_CONNECTION_BYTES_PER_SECOND = 20_000_000
_FUNCTION_BYTES_PER_SECOND = 300_000_000
_START_SECONDS = 5.0


class PlannedFile(BaseModel):
    """A file to stage. `sha256` is None when the Hub keeps it outside LFS."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")

    path: str
    size_bytes: Annotated[int, Field(gt=0)]
    git_oid: Commit
    sha256: Sha256 | None = None

    def as_hub_file(self) -> HubFile:
        return HubFile(self.path, self.size_bytes, self.git_oid, self.sha256)


class SkippedFile(BaseModel):
    """A file that stays where it is, and why."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")

    path: str
    why: Skip


class StagingPlan(BaseModel):
    """Everything that staging does, decided.

    `skipped` names 50, the dangerous ones first. `code` is what a trusted repository says to run.
    """

    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")

    model_id: ModelId
    revision: str
    commit: Commit
    trust_remote_code: bool = False
    files: tuple[PlannedFile, ...]
    total_bytes: int
    skipped: tuple[SkippedFile, ...] = ()
    skipped_count: int = 0
    code: tuple[CodeEntry, ...] = ()
    licence: str | None = None
    gated: bool = False
    estimate_seconds: float = 0.0
    planned_at: datetime

    @property
    def unsafe(self) -> tuple[SkippedFile, ...]:
        """What was left out because it can run code, or hide it."""
        return tuple(file for file in self.skipped if file.why in UNSAFE)

    @property
    def prefix(self) -> str:
        """Where the weights go; what SageMaker mounts."""
        return weights_prefix(self.model_id, self.commit, self.trust_remote_code)

    @property
    def passport_key(self) -> str:
        return passport_key(self.model_id, self.commit, self.trust_remote_code)


def weights_prefix(model_id: str, commit: str, trust_remote_code: bool = False) -> str:
    """Ends in a slash. Weights with code lie apart: a spec without trust must not get them."""
    return f"{model_prefix(model_id)}{_variant(commit, trust_remote_code)}/"


def model_prefix(model_id: str) -> str:
    """Below which all commits of a model lie."""
    return f"models/{_folder(model_id)}/"


def passport_key_of(prefix: str) -> str:
    """Of `models/<model>/<commit>/`."""
    return f"passports/{prefix.removeprefix('models/').rstrip('/')}.json"


def passport_key(model_id: str, commit: str, trust_remote_code: bool = False) -> str:
    return f"passports/{_folder(model_id)}/{_variant(commit, trust_remote_code)}.json"


def _folder(model_id: str) -> str:
    return model_id.replace("/", "--")  # the Hub allows no "--" in a name


def _variant(commit: str, trust_remote_code: bool) -> str:
    return f"{commit}-with-code" if trust_remote_code else commit


def plan_staging(
    hub: HubClient,
    pinned: Revision,
    revision: str,
    *,
    trust_remote_code: bool = False,
    concurrency: int = 8,
    connections: int = CONNECTIONS,
    now: datetime | None = None,
) -> StagingPlan:
    """Returns what to stage of a pinned revision; raises a HubError or RefusedError.

    `concurrency` (files at a time) and `connections` (for each) are for the estimate alone.
    """
    if pinned.gated and not hub.token.given:
        raise GatedModelError(gate_sentence(pinned.model_id, hub.token))
    listed = list(hub.tree(pinned.model_id, pinned.commit))
    check_names(file.path for file in listed)
    taken, skipped = _sort_out(listed, trust_remote_code)
    require_weights(pinned.model_id, [file.path for file in taken], skipped)
    _check_limits(pinned.model_id, taken)
    code = _check_contents(hub, pinned, taken, trust_remote_code)
    plan = StagingPlan(
        model_id=pinned.model_id,
        revision=revision,
        commit=pinned.commit,
        trust_remote_code=trust_remote_code,
        files=tuple(PlannedFile(**vars(file)) for file in taken),
        total_bytes=sum(file.size_bytes for file in taken),
        skipped=tuple(
            SkippedFile(path=path, why=why)
            for path, why in sorted(skipped.items(), key=_danger_first)[:_NAMED_SKIPS]
        ),
        skipped_count=len(skipped),
        code=code,
        licence=pinned.licence,
        gated=pinned.gated,
        estimate_seconds=_estimate_seconds(taken, concurrency, connections),
        planned_at=now or datetime.now(UTC),
    )
    if len(plan.model_dump_json().encode()) > _MAX_PLAN_BYTES:
        raise TooManyFilesError(f"{pinned.model_id}: the plan of {len(taken)} files is too long")
    return plan


def _danger_first(skipped: tuple[str, Skip]) -> tuple[bool, str]:
    path, why = skipped
    return why not in UNSAFE, path


def _sort_out(
    listed: Iterable[HubFile], trust_remote_code: bool
) -> tuple[list[HubFile], dict[str, Skip]]:
    taken: list[HubFile] = []
    skipped: dict[str, Skip] = {}
    for file in listed:
        why = judge(file.path, file.size_bytes, trust_remote_code)
        if why is None:
            taken.append(file)
        else:
            skipped[file.path] = why
    return sorted(taken, key=lambda file: (-file.size_bytes, file.path)), skipped


def _check_limits(model_id: str, taken: list[HubFile]) -> None:
    if len(taken) > MAX_FILES:
        raise TooManyFilesError(
            f"{model_id} has {len(taken)} files to stage; up to {MAX_FILES} are supported"
        )
    for file in taken:
        if file.size_bytes > MAX_FILE_BYTES:
            raise FileTooLargeError(
                f"{model_id}/{file.path} has {file.size_bytes / 1024**4:.1f} TiB; S3 takes 5 TiB "
                "as one object"
            )
        if file.sha256 is None and file.size_bytes > SMALL_BYTES:
            raise IntegrityError(
                f"{model_id}/{file.path}: {file.size_bytes} bytes outside LFS, which the Hub "
                "does not do"
            )


def _check_contents(
    hub: HubClient, pinned: Revision, taken: list[HubFile], trust_remote_code: bool
) -> tuple[CodeEntry, ...]:
    """Reads every .json: what may run code, and whether every shard of an index is there.

    It also proves early that a token opens a gated repository. Returns the code that is trusted.
    """
    paths, code = {file.path for file in taken}, []
    for file in taken:
        if PurePosixPath(file.path).suffix.lower() != ".json":
            continue
        content = read_small(hub, pinned.model_id, pinned.commit, file, _JSON_BYTES)
        if file.path.endswith(".safetensors.index.json"):
            _check_index(file.path, content, paths)
        code += find_remote_code(file.path, content, trust_remote_code)
    return tuple(sorted(code, key=lambda entry: (entry.path, entry.name)))


def _check_index(path: str, content: bytes, paths: set[str]) -> None:
    try:
        weight_map: Any = json.loads(content)["weight_map"]
        shards = {str(PurePosixPath(path).parent / shard) for shard in weight_map.values()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as wrong:
        raise IntegrityError(f"{path} is not an index of shards") from wrong
    missing = sorted(shards - paths)
    if missing:
        raise IntegrityError(f"{path} names {missing[0]}, which is not among the files to stage")


def _estimate_seconds(taken: list[HubFile], concurrency: int, connections: int) -> float:
    total_bytes = sum(file.size_bytes for file in taken)
    rounds = -(-len(taken) // concurrency)
    rate = min(connections * _CONNECTION_BYTES_PER_SECOND, _FUNCTION_BYTES_PER_SECOND)
    streaming = max(taken[0].size_bytes, total_bytes / concurrency) / rate
    return round(streaming + _START_SECONDS * min(rounds, 3), 1)
