"""auto_map: which .json may name code, and which code."""

from __future__ import annotations

import json

import pytest

from autoscaler.staging.errors import UnsafeFormatError
from autoscaler.staging.remote_code import CodeEntry, find_remote_code

PADDING = b" " * (5 * 1024 * 1024)


@pytest.mark.parametrize(
    "content",
    [
        b'{"auto_map": {"AutoConfig": "configuration.Config"}}',
        b'{"text_config": {"auto_map": {}}}',
        b'{"parts": [{"auto_map": null}]}',
        b'{"a": [{"auto\\u005fmap": {}}]}',
        b'{"a": [{"\\u0061uto_map": {}}]}' + PADDING,
        b'{"auto_map": {}}' + PADDING,
        '{"auto_map": {}}'.encode("utf-16") + PADDING,
        b"not json",
        b"[" * 100_000,
    ],
    ids=lambda content: repr(content[:30]),
)
@pytest.mark.parametrize("path", ["config.json", "generation_config.json", "sub/CONFIG.JSON"])
def test_a_configuration_that_runs_code_is_refused(path: str, content: bytes) -> None:
    with pytest.raises(UnsafeFormatError, match=path):
        find_remote_code(path, content, trust_remote_code=False)


def test_a_plain_json_passes_and_so_does_a_log_that_is_none() -> None:
    plain = b'{"model_type": "llama", "note": "auto_map"}'
    assert find_remote_code("config.json", plain, trust_remote_code=False) == []
    lines = b'{"loss": 1}\n{"loss": 2}\n'
    assert find_remote_code("log.json", lines, trust_remote_code=False) == []
    vocabulary = json.dumps({"vocab": {str(n): n for n in range(400_000)}}).encode()
    assert len(vocabulary) > len(PADDING)
    assert find_remote_code("tokenizer.json", vocabulary, trust_remote_code=False) == []


def test_trusted_code_is_told_entry_by_entry() -> None:
    content = b'{"auto_map": {"AutoModel": "m.Model", "AutoTokenizer": ["t.Slow", null]}}'
    assert find_remote_code("a/config.json", content, trust_remote_code=True) == [
        CodeEntry(path="a/config.json", name="AutoModel", reference="m.Model"),
        CodeEntry(path="a/config.json", name="AutoTokenizer", reference="t.Slow"),
    ]


@pytest.mark.parametrize(
    ("auto_map", "why"),
    [
        ({"AutoModel": "other/repo--m.Model"}, "from another repository"),
        ({"AutoModel": ["m.Model", "other/repo--m.Fast"]}, "from another repository"),
        ({"AutoModel": 5}, "makes no sense"),
        ({"AutoModel": {"a": "b"}}, "makes no sense"),
        ({"AutoModel": "m" * 201}, "makes no sense"),
        ({f"A{n}": "m.M" for n in range(51)}, "makes no sense"),
    ],
    ids=lambda v: str(v)[:40],
)
def test_code_that_is_not_pinned_is_refused_even_with_trust(auto_map: object, why: str) -> None:
    content = json.dumps({"auto_map": auto_map}).encode()
    with pytest.raises(UnsafeFormatError, match=why):
        find_remote_code("config.json", content, trust_remote_code=True)
