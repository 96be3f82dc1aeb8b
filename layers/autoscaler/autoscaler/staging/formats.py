"""Which formats may be staged: an allow-list, because pickles are refused and not scanned."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import PurePosixPath

from .errors import UnsafeFormatError

WEIGHTS = frozenset({".safetensors", ".gguf"})
_TEXTS = frozenset({".json", ".txt", ".model", ".jinja", ".tiktoken", ".md"})
_CODE = frozenset({".py"})
_PICKLES = frozenset(
    {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz", ".dill", ".nemo"}
)
_OTHER_WEIGHTS = frozenset(
    {".h5", ".hdf5", ".keras", ".msgpack", ".ot", ".onnx", ".pb", ".tflite", ".mlmodel", ".xml"}
)
_ARCHIVES = frozenset(
    {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".whl", ".egg", ".jar"}
)


class Skip(StrEnum):
    """Why a file is not staged."""

    EMPTY = "empty"
    PICKLE = "pickled: loading it can run code"
    ARCHIVE = "an archive: its content cannot be checked in flight"
    OTHER_WEIGHTS = "weights in a format that no serving engine here loads"
    CODE = "code: staged only with trust_remote_code"
    NOT_ALLOWED = "not on the allow-list"


# What a person should hear of by name when it is left out.
UNSAFE = frozenset({Skip.PICKLE, Skip.CODE, Skip.ARCHIVE})


def judge(path: str, size_bytes: int, trust_remote_code: bool) -> Skip | None:
    """None when the file is to be staged, else why not."""
    suffix = PurePosixPath(path).suffix.lower()
    if size_bytes == 0:
        return Skip.EMPTY
    if suffix in WEIGHTS | _TEXTS or (suffix in _CODE and trust_remote_code):
        return None
    for suffixes, why in (
        (_PICKLES, Skip.PICKLE),
        (_ARCHIVES, Skip.ARCHIVE),
        (_OTHER_WEIGHTS, Skip.OTHER_WEIGHTS),
        (_CODE, Skip.CODE),
    ):
        if suffix in suffixes:
            return why
    return Skip.NOT_ALLOWED


def require_weights(model_id: str, taken: list[str], skipped: Mapping[str, Skip]) -> None:
    """Raises UnsafeFormatError when nothing that is staged holds weights."""
    if any(PurePosixPath(path).suffix.lower() in WEIGHTS for path in taken):
        return
    unsafe = [p for p, why in skipped.items() if why in UNSAFE - {Skip.CODE}]
    if unsafe:
        raise UnsafeFormatError(
            f"{model_id} has weights only as {unsafe[0]}, which is {skipped[unsafe[0]].value}; "
            "choose a revision or a repository with .safetensors files"
        )
    raise UnsafeFormatError(f"{model_id} has no .safetensors or .gguf weights")
