"""The runs that are measured: ours and the usual way, each in a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from benchmarks.staging.hub import MODEL

_ROOT = Path(__file__).parents[2]
_LOOK_SECONDS = 0.02
_PART_BYTES = 32 * 2**20
_THROTTLED = 40_000_000
_LARGE = {"STAGING_SINGLE_PUT_BYTES": "1", "STAGING_PART_BYTES": str(_PART_BYTES)}


@dataclass(frozen=True)
class Usage:
    """One run: bytes, seconds and the most resident memory of its processes."""

    bytes: int
    seconds: float
    peak_bytes: int

    @property
    def rate(self) -> float:
        return self.bytes / self.seconds


@dataclass(frozen=True)
class Again:
    """What a killed worker costs, in parts."""

    to_s3: float
    from_hub: float


@dataclass(frozen=True)
class Served:
    """A server's process, and the line that it printed first."""

    process: subprocess.Popen[str]
    told: str

    def ask(self) -> str:
        """What it answers to a line."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@dataclass(frozen=True)
class Bench:
    """Files in memory, and servers that are started anew for each run."""

    folder: Path
    files: int
    size_bytes: int

    def ours(self) -> Usage:
        """`autoscaler stage`, as a person runs it."""
        with self._hub() as hub, _s3() as s3:
            return _watched(_stage(), _environment(hub.told, s3), self.files * self.size_bytes)

    def in_parts(self) -> Usage:
        """The same, as if no file fitted into one PutObject."""
        with self._hub() as hub, _s3() as s3:
            environ = {**_environment(hub.told, s3), **_LARGE}
            return _watched(_stage(), environ, self.files * self.size_bytes)

    def usual(self) -> Usage:
        """huggingface_hub to a folder (in memory too), then boto3's upload_file of each file."""
        target = self.folder / "snapshot"
        with self._hub() as hub, _s3() as s3:
            command = [sys.executable, "-m", "benchmarks.staging.usual", str(target)]
            try:
                return _watched(command, _environment(hub.told, s3), self.files * self.size_bytes)
            finally:
                shutil.rmtree(target, ignore_errors=True)

    def throttled(self, connections: int) -> float:
        """Bytes a second of one file, each connection held to 40 MB/s."""
        with self._hub(files=1, bytes_per_second=_THROTTLED) as hub, _s3() as s3:
            command = _stage("--connections", str(connections))
            return _watched(command, _environment(hub.told, s3), self.size_bytes).rate

    def killed(self) -> Again:
        """`kill -9` in the middle of a large file, and the same command again."""
        with self._hub(files=1, bytes_per_second=_THROTTLED) as hub, _s3() as s3:
            environ = {**_environment(hub.told, s3), **_LARGE}
            process = subprocess.Popen(
                _stage("--connections", "2"), env=environ, stdout=subprocess.DEVNULL
            )
            while _received(s3) < self.size_bytes // 2:
                time.sleep(_LOOK_SECONDS)
            process.send_signal(signal.SIGKILL)
            process.wait()
            subprocess.run(
                _stage("--connections", "2"), env=environ, check=True, stdout=subprocess.DEVNULL
            )
            again = _received(s3) - self.size_bytes, int(hub.ask()) - self.size_bytes
            to_s3, from_hub = (max(0, count - _SMALL_BYTES) / _PART_BYTES for count in again)
            return Again(to_s3, from_hub)

    @contextmanager
    def _hub(
        self, files: int | None = None, bytes_per_second: int | None = None
    ) -> Iterator[Served]:
        more = [str(bytes_per_second)] if bytes_per_second else []
        folder = self.folder / f"{files or self.files}"
        folder.mkdir(exist_ok=True)
        arguments = [str(folder), str(files or self.files), str(self.size_bytes), *more]
        with _served("benchmarks.staging.hub", *arguments) as served:
            yield served


_SMALL_BYTES = 64 * 1024  # checkpoints, pointers, the passport


def hash_rate() -> float:
    """Bytes a second of SHA-256 on one core."""
    block, began = bytearray(64 * 2**20), time.perf_counter()
    for _ in range(8):
        hashlib.sha256(block)
    return 8 * len(block) / (time.perf_counter() - began)


def bare_pipeline(bench: Bench) -> float:
    """Bytes a second from the Hub's process through this one to S3's, without any hashing.

    Two files at a time, as ours: recv into memory, send from it.
    """
    from autoscaler.staging.hub import HubClient

    with bench._hub() as served, _s3() as s3:
        hub = HubClient(served.told)
        revision = hub.resolve(MODEL, "main")
        paths = [f.path for f in hub.tree(MODEL, revision.commit) if f.path.endswith("safetensors")]
        began = time.perf_counter()

        def move(mine: list[str]) -> None:
            for path in mine:
                location = hub.locate(MODEL, revision.commit, path)
                _pipe(location.url, f"{s3}/bench/{path}")

        threads = [threading.Thread(target=move, args=(paths[n::2],)) for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return bench.files * bench.size_bytes / (time.perf_counter() - began)


def _pipe(source: str, target: str) -> None:
    body = urllib.request.urlopen(source)
    length = int(body.headers["Content-Length"])
    place = urlsplit(target)
    with socket.create_connection((place.hostname or "", place.port or 80)) as sink:
        sink.sendall(
            f"PUT {place.path} HTTP/1.1\r\nHost: s3\r\nContent-Length: {length}\r\n\r\n".encode()
        )
        block = memoryview(bytearray(2**20))
        while count := body.fp.readinto1(block):
            sink.sendall(block[:count])
        sink.recv(1024)


def _stage(*options: str) -> list[str]:
    return [
        sys.executable, "-m", "tools.cli", "stage", MODEL, "--to", "s3://bench", "--json", *options,
    ]  # fmt: skip


def _environment(hub: str, s3: str) -> dict[str, str]:
    return {
        **os.environ,
        "HF_ENDPOINT": hub,
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "AWS_ENDPOINT_URL_S3": s3,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PYTHONPATH": os.pathsep.join((str(_ROOT / "layers/autoscaler"), str(_ROOT))),
    }


@contextmanager
def _s3() -> Iterator[str]:
    with _served("benchmarks.staging.s3") as served:
        yield f"http://127.0.0.1:{served.told}"


@contextmanager
def _served(module: str, *arguments: str) -> Iterator[Served]:
    """A server's process."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )
    assert process.stdin and process.stdout
    try:
        yield Served(process, process.stdout.readline().strip())
    finally:
        process.stdin.close()
        process.wait(10)


def _watched(command: list[str], environ: dict[str, str], count: int) -> Usage:
    """Seconds are those that the process itself says it moved for: without its imports."""
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE)
    watched, peak = psutil.Process(process.pid), 0
    while process.poll() is None:
        peak = max(peak, _resident(watched))
        time.sleep(_LOOK_SECONDS)
    if process.returncode or process.stdout is None:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return Usage(count, float(json.load(process.stdout)["seconds"]), peak)


def _resident(process: psutil.Process) -> int:
    try:
        return sum(p.memory_info().rss for p in [process, *process.children(recursive=True)])
    except psutil.Error:
        return 0


def _received(s3: str) -> int:
    with urllib.request.urlopen(f"{s3}/received") as answer:
        return int(json.load(answer)["bytes"])
