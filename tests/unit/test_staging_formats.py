"""Which formats pass, and which repositories."""

from __future__ import annotations

import pytest

from autoscaler.staging.errors import UnsafeFormatError
from autoscaler.staging.formats import Skip, judge, require_weights

TAKEN = [
    "model.safetensors", "MODEL.SAFETENSORS", "model.gguf", "config.json", "merges.txt",
    "tokenizer.model", "chat_template.jinja", "cl100k.tiktoken", "README.md",
]  # fmt: skip
SKIPPED = {
    "pytorch_model.bin": Skip.PICKLE,
    "original/consolidated.00.pth": Skip.PICKLE,
    "model.PT": Skip.PICKLE,
    "scaler.pkl": Skip.PICKLE,
    "weights.zip": Skip.ARCHIVE,
    "weights.tar.gz": Skip.ARCHIVE,
    "onnx/model.onnx": Skip.OTHER_WEIGHTS,
    "tf_model.h5": Skip.OTHER_WEIGHTS,
    "modeling.py": Skip.CODE,
    "LICENSE": Skip.NOT_ALLOWED,
    ".gitattributes": Skip.NOT_ALLOWED,
    "benchmark.png": Skip.NOT_ALLOWED,
    "kernel.so": Skip.NOT_ALLOWED,
    "run.sh": Skip.NOT_ALLOWED,
    "model.safetensors.py": Skip.CODE,
    "safetensors": Skip.NOT_ALLOWED,
    ".safetensors": Skip.NOT_ALLOWED,
}


@pytest.mark.parametrize("path", TAKEN)
def test_the_allow_list(path: str) -> None:
    assert judge(path, 1, trust_remote_code=False) is None


@pytest.mark.parametrize(("path", "why"), SKIPPED.items())
def test_what_is_skipped_and_why(path: str, why: Skip) -> None:
    assert judge(path, 1, trust_remote_code=False) is why


def test_trust_lets_code_in_and_nothing_else() -> None:
    assert judge("modeling.py", 1, trust_remote_code=True) is None
    assert judge("model.bin", 1, trust_remote_code=True) is Skip.PICKLE
    assert judge("kernel.so", 1, trust_remote_code=True) is Skip.NOT_ALLOWED


def test_empty_files_are_skipped() -> None:
    assert judge("merges.txt", 0, trust_remote_code=False) is Skip.EMPTY


@pytest.mark.parametrize(
    ("skipped", "sentence"),
    [
        ({"pytorch_model.bin": Skip.PICKLE}, r"only as pytorch_model\.bin, which is pickled"),
        ({"weights.zip": Skip.ARCHIVE}, "which is an archive"),
        ({"LICENSE": Skip.NOT_ALLOWED}, r"no \.safetensors or \.gguf weights"),
    ],
)
def test_a_repository_without_safe_weights_is_refused(
    skipped: dict[str, Skip], sentence: str
) -> None:
    with pytest.raises(UnsafeFormatError, match=sentence):
        require_weights("acme/model", ["config.json"], skipped)


def test_pickles_beside_safetensors_do_not_matter() -> None:
    require_weights("acme/model", ["model.safetensors"], {"pytorch_model.bin": Skip.PICKLE})
