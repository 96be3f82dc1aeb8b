"""A small but true model repository: Llama shapes, valid safetensors, the Hub's checksums."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

# What the Hub keeps in LFS: these, and everything above 10 MB.
_LFS_SUFFIXES = {".safetensors", ".bin", ".gguf", ".pt", ".pth", ".onnx", ".h5", ".zip", ".ot"}
_LFS_BYTES = 10_000_000
_VOCABULARY = 2048
_MAX_LAYERS = 64
_RANDOM_BYTES = 64 * 1024 * 1024  # randbytes takes less than 256 MiB at a time
_LICENSE = "MIT License\n\nPermission is hereby granted, free of charge, to any person.\n"


@dataclass(frozen=True)
class RepositoryFile:
    """A file in memory, or on disk."""

    path: str
    content: bytes | Path

    @cached_property
    def size_bytes(self) -> int:
        content = self.content
        return content.stat().st_size if isinstance(content, Path) else len(content)

    @cached_property
    def is_lfs(self) -> bool:
        return Path(self.path).suffix in _LFS_SUFFIXES or self.size_bytes > _LFS_BYTES

    @cached_property
    def sha256(self) -> str:
        digest = hashlib.sha256()
        for block in self.blocks():
            digest.update(block)
        return digest.hexdigest()

    @cached_property
    def git_oid(self) -> str:
        """Of the content, or of the pointer when it is in LFS."""
        if self.is_lfs:
            return _blob_oid(self.pointer)
        return _blob_oid(b"".join(self.blocks()))

    @property
    def pointer(self) -> bytes:
        return (
            "version https://git-lfs.github.com/spec/v1\n"
            f"oid sha256:{self.sha256}\nsize {self.size_bytes}\n"
        ).encode()

    def blocks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The content from `start` to `end`, 256 KiB at a time."""
        end = self.size_bytes if end is None else end
        step = 256 * 1024
        if isinstance(self.content, Path):
            with self.content.open("rb") as file:
                file.seek(start)
                while start < end and (block := file.read(min(step, end - start))):
                    start += len(block)
                    yield block
        else:
            view = memoryview(self.content)
            for position in range(start, end, step):
                yield bytes(view[position : min(position + step, end)])

    def entry(self) -> dict[str, Any]:
        """As the Hub's tree lists it."""
        entry: dict[str, Any] = {
            "type": "file", "oid": self.git_oid, "size": self.size_bytes, "path": self.path,
        }  # fmt: skip
        if self.is_lfs:
            entry["lfs"] = {
                "oid": self.sha256, "size": self.size_bytes, "pointerSize": len(self.pointer),
            }  # fmt: skip
        return entry


@dataclass(frozen=True)
class Repository:
    """A model at one commit. The commit is derived from the content, as git does."""

    model_id: str
    files: Mapping[str, RepositoryFile]
    branches: tuple[str, ...] = ("main",)
    licence: str | None = "mit"
    gated: bool = False
    private: bool = False

    @classmethod
    def of(cls, model_id: str, contents: Mapping[str, bytes | Path], **options: Any) -> Self:
        files = {path: RepositoryFile(path, content) for path, content in contents.items()}
        return cls(model_id, files, **options)

    @classmethod
    def from_folder(cls, model_id: str, folder: Path, **options: Any) -> Self:
        """Serves the files below a folder, from disk."""
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        return cls.of(
            model_id, {path.relative_to(folder).as_posix(): path for path in found}, **options
        )

    @cached_property
    def commit(self) -> str:
        listing = "".join(f"{path}:{file.git_oid}\n" for path, file in sorted(self.files.items()))
        return hashlib.sha1(f"{self.model_id}\n{listing}".encode()).hexdigest()

    def has_revision(self, revision: str) -> bool:
        return revision in self.branches or revision == self.commit


def make_repository(
    model_id: str, *, shards: int = 2, shard_bytes: int = 8 * 1024 * 1024, **options: Any
) -> Repository:
    """A Llama of about `shards` x `shard_bytes`, the same for the same arguments.

    The configuration, the index and the tensors' shapes agree with one another.
    """
    config = _llama(shards * shard_bytes)
    contents: dict[str, bytes | Path] = {
        "config.json": _json(config),
        "generation_config.json": _json(
            {"bos_token_id": 0, "eos_token_id": 1, "do_sample": True, "temperature": 0.6}
        ),
        "tokenizer.json": _json(_tokenizer()),
        "tokenizer_config.json": _json(
            {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 16384}
        ),
        "README.md": f"---\nlicense: mit\n---\n# {model_id}\nA stand-in.\n".encode(),
        "LICENSE": _LICENSE.encode(),
        ".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n",
    }
    contents.update(_weights(model_id, config, shards))
    return Repository.of(model_id, contents, **options)


def safetensors(tensors: Mapping[str, tuple[int, ...]], seed: str) -> bytes:
    """A valid file of BF16 tensors with random content."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    position = 0
    for name, shape in tensors.items():
        size_bytes = _bf16_bytes(shape)
        header[name] = {
            "dtype": "BF16",
            "shape": list(shape),
            "data_offsets": [position, position + size_bytes],
        }
        position += size_bytes
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    source = random.Random(seed)
    content = bytearray(len(head).to_bytes(8, "little") + head)
    for start in range(0, position, _RANDOM_BYTES):
        content += source.randbytes(min(_RANDOM_BYTES, position - start))
    return bytes(content)


def _llama(total_bytes: int) -> dict[str, Any]:
    """The narrowest Llama that reaches the size with at most 64 layers."""
    for hidden in (64, 128, 256, 512, 1024, 2048, 4096):
        config = {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": hidden,
            "intermediate_size": hidden * 11 // 4,
            "num_attention_heads": 8,
            "num_key_value_heads": 2,
            "head_dim": hidden // 8,
            "num_hidden_layers": 1,
            "vocab_size": _VOCABULARY,
            "max_position_embeddings": 16384,
            "rms_norm_eps": 1e-05,
            "rope_theta": 500000.0,
            "torch_dtype": "bfloat16",
            "tie_word_embeddings": False,
        }
        layer = sum(map(_bf16_bytes, _layer_shapes(config, 0).values()))
        fixed = 2 * _bf16_bytes((_VOCABULARY, hidden))
        layers = max(1, round((total_bytes - fixed) / layer))
        if layers <= _MAX_LAYERS:
            break
    return {**config, "num_hidden_layers": layers}


def _layer_shapes(config: Mapping[str, Any], layer: int) -> dict[str, tuple[int, ...]]:
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    kv = config["num_key_value_heads"] * config["head_dim"]
    prefix = f"model.layers.{layer}."
    return {
        f"{prefix}input_layernorm.weight": (hidden,),
        f"{prefix}self_attn.q_proj.weight": (hidden, hidden),
        f"{prefix}self_attn.k_proj.weight": (kv, hidden),
        f"{prefix}self_attn.v_proj.weight": (kv, hidden),
        f"{prefix}self_attn.o_proj.weight": (hidden, hidden),
        f"{prefix}post_attention_layernorm.weight": (hidden,),
        f"{prefix}mlp.gate_proj.weight": (inner, hidden),
        f"{prefix}mlp.up_proj.weight": (inner, hidden),
        f"{prefix}mlp.down_proj.weight": (hidden, inner),
    }


def _weights(model_id: str, config: Mapping[str, Any], shards: int) -> dict[str, bytes | Path]:
    hidden = config["hidden_size"]
    tensors: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (_VOCABULARY, hidden)}
    for layer in range(config["num_hidden_layers"]):
        tensors |= _layer_shapes(config, layer)
    tensors |= {"model.norm.weight": (hidden,), "lm_head.weight": (_VOCABULARY, hidden)}
    total_bytes = sum(map(_bf16_bytes, tensors.values()))
    groups: list[dict[str, tuple[int, ...]]] = [{} for _ in range(shards)]
    position = 0
    for name, shape in tensors.items():
        groups[min(shards - 1, position * shards // total_bytes)][name] = shape
        position += _bf16_bytes(shape)
    names = [f"model-{n:05d}-of-{shards:05d}.safetensors" for n in range(1, shards + 1)]
    contents: dict[str, bytes | Path] = {
        name: safetensors(group, f"{model_id}/{name}")
        for name, group in zip(names, groups, strict=True)
    }
    weight_map = {
        tensor: name for name, group in zip(names, groups, strict=True) for tensor in group
    }
    contents["model.safetensors.index.json"] = _json(
        {"metadata": {"total_size": total_bytes}, "weight_map": weight_map}
    )
    return contents


def _tokenizer() -> dict[str, Any]:
    letters = [chr(code) for code in range(33, 127)]
    vocabulary = {token: n for n, token in enumerate(["<s>", "</s>", "<unk>", *letters])}
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": n, "content": token, "special": True}
            for n, token in enumerate(["<s>", "</s>", "<unk>"])
        ],
        "model": {"type": "BPE", "unk_token": "<unk>", "vocab": vocabulary, "merges": []},
    }


def _bf16_bytes(shape: tuple[int, ...]) -> int:
    size_bytes = 2
    for dimension in shape:
        size_bytes *= dimension
    return size_bytes


def _json(document: Any) -> bytes:
    return json.dumps(document, indent=2).encode() + b"\n"


def _blob_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
