"""One file on its way: from where to where, by which sizes, and what it must turn out to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from .errors import IntegrityError
from .gguf_header import GgufCheck
from .hub import HubClient
from .plan import PlannedFile, StagingPlan, weights_prefix
from .ring import Ring
from .safetensors_header import SafetensorsCheck
from .sizes import Sizes
from .store import WeightStore
from .windows import FileAt


@dataclass(frozen=True)
class StagedFile:
    """A file that lies in the store, proven; or, when `done` is False, the beginning of one.

    `moved_bytes` came over the wire, repeats included. `copied`: it lay there under another key.
    """

    path: str
    size_bytes: int
    sha256: str
    moved_bytes: int
    copied: bool = False
    done: bool = True


class Check(Protocol):
    """Looks at a file's first bytes as they pass."""

    def feed(self, chunk: memoryview) -> None: ...

    def finish(self) -> None: ...


@dataclass(frozen=True)
class Source:
    """Which commit a file belongs to, and where its repository's files go."""

    model_id: str
    commit: str
    prefix: str
    trust_remote_code: bool

    @classmethod
    def of(cls, plan: StagingPlan) -> Source:
        return cls.at(plan.model_id, plan.commit, plan.trust_remote_code)

    @classmethod
    def at(cls, model_id: str, commit: str, trust_remote_code: bool) -> Source:
        prefix = weights_prefix(model_id, commit, trust_remote_code)
        return cls(model_id, commit, prefix, trust_remote_code)


@dataclass(frozen=True)
class Job:
    """One file, from where to where, and how."""

    file: PlannedFile
    source: Source
    hub: HubClient
    store: WeightStore
    sizes: Sizes
    ring: Ring
    tell: Callable[[int], None]  # bytes that have passed
    time_is_up: Callable[[], bool]

    @property
    def key(self) -> str:
        return self.source.prefix + self.file.path

    @property
    def at(self) -> FileAt:
        return FileAt(
            self.source.model_id, self.source.commit, self.file.path, self.file.size_bytes
        )


def check_for(file: PlannedFile) -> Check | None:
    """What looks at the header of this format, if anything does."""
    match PurePosixPath(file.path).suffix.lower():
        case ".safetensors":
            return SafetensorsCheck(file.path, file.size_bytes)
        case ".gguf":
            return GgufCheck(file.path, file.size_bytes)
    return None


def refuse_other_bytes(path: str, found: str, expected: str) -> None:
    """Raises IntegrityError when the content is not what the Hub lists."""
    if found != expected:
        raise IntegrityError(
            f"{path}: its bytes have the SHA-256 {found}, but the Hub lists {expected}"
        )
