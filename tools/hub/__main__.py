"""`python -m tools.hub [MODEL_ID]`: runs the stand-in until it is interrupted."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys

from tools.hub import HubServer, make_repository


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tools.hub", description=__doc__)
    options.add_argument("model_ids", nargs="*", default=["example/tiny-llama"])
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--shards", type=int, default=2)
    options.add_argument("--shard-bytes", type=int, default=8 * 1024 * 1024)
    asked = options.parse_args()
    repositories = [
        make_repository(model_id, shards=asked.shards, shard_bytes=asked.shard_bytes)
        for model_id in asked.model_ids
    ]
    with HubServer(repositories, port=asked.port) as hub:
        sys.stdout.write(f"HF_ENDPOINT={hub.endpoint}\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
