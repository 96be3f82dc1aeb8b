"""The Hub's stand-in in a process of its own, with files that lie in memory."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.hub import HubServer, Repository
from tools.hub.repository import safetensors

MODEL = "bench/model"
BIG = "bench/big"


def make_files(folder: Path, files: int, size_bytes: int) -> dict[str, Path]:
    """Safetensors files of about that size, each with bytes of its own."""
    block = safetensors({"weight": (size_bytes // 2 - 64,)}, "benchmark")
    made = {}
    for number in range(files):
        path = folder / f"model-{number + 1:05d}-of-{files:05d}.safetensors"
        if not path.exists():
            with path.open("wb") as file:
                file.write(block)
                file.seek(-8, 2)
                file.write(number.to_bytes(8, "little"))
        made[path.name] = path
    return made


def main() -> None:
    """`hub FOLDER FILES SIZE [BYTES_PER_SECOND]`: serves until its standard input closes; for each
    line of it, tells how many bytes of files it has sent."""
    folder, files, size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    contents: dict[str, bytes | Path] = dict(make_files(folder, files, size))
    contents["config.json"] = b'{"architectures": ["LlamaForCausalLM"]}'
    with HubServer([Repository.of(MODEL, contents)]) as server:
        if len(sys.argv) > 4:
            server.bytes_per_second = float(sys.argv[4])
        for file in server.repositories[0].files.values():
            _ = file.sha256  # before the clock starts
        print(server.endpoint, flush=True)
        for _ in sys.stdin:
            print(server.sent_bytes, flush=True)


if __name__ == "__main__":
    main()
