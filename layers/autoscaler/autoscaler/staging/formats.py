"""Which formats may be staged: an allow-list, because pickles are refused and not scanned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

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
# Files in which transformers looks for code of the repository.
CODE_POINTERS = (
    "config.json",
    "tokenizer_config.json",
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
)


class Skip(StrEnum):
    """Why a file is not staged."""

    EMPTY = "empty"
    PICKLE = "pickled: loading it can run code"
    ARCHIVE = "an archive: its content cannot be checked in flight"
    OTHER_WEIGHTS = "weights in a format that no serving engine here loads"
    CODE = "code: staged only with trust_remote_code"
    NOT_ALLOWED = "not on the allow-list"


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
    unsafe = [p for p, why in skipped.items() if why in {Skip.PICKLE, Skip.ARCHIVE}]
    if unsafe:
        raise UnsafeFormatError(
            f"{model_id} has weights only as {unsafe[0]}, which is {skipped[unsafe[0]].value}; "
            "choose a revision or a repository with .safetensors files"
        )
    raise UnsafeFormatError(f"{model_id} has no .safetensors or .gguf weights")


def refuse_remote_code(path: str, content: bytes) -> None:
    """Raises UnsafeFormatError when a configuration is no JSON or names code to be run."""
    try:
        document: Any = json.loads(content)
    except (ValueError, RecursionError) as wrong:
        raise UnsafeFormatError(f"{path} is not valid JSON") from wrong
    if _has_key(document, "auto_map"):
        raise UnsafeFormatError(
            f"{path} has an auto_map: this model runs code from its repository; set "
            "trust_remote_code: true under model: in the endpoint file if you have read that code"
        )


def _has_key(document: Any, key: str) -> bool:
    waiting = [document]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if key in part:
                return True
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return False
