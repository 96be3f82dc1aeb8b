"""The stand-in itself: the Hub's API and downloads on one port, its CDN on another."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from types import TracebackType
from typing import Self

from tools.hub.faults import Fault, FaultPlan, Injection
from tools.hub.handlers import CdnHandler, HubHandler
from tools.hub.repository import Repository, RepositoryFile


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    place: str  # "hub" or "cdn"
    path: str
    byte_range: str | None
    has_authorization: bool


@dataclass
class HubServer:
    """Serves repositories while it is entered.

    `tokens` maps a token to the gated and private models that it opens. `bytes_per_second`
    limits each connection. `page_entries` is how many entries a page of the tree has. `renamed`
    maps what a repository was called, or how it is misspelled, to what it is called.
    """

    repositories: Iterable[Repository]
    tokens: Mapping[str, frozenset[str]] = field(default_factory=dict)
    bytes_per_second: float | None = None
    page_entries: int = 1000
    address_seconds: float = 3600.0
    port: int = 0
    renamed: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.by_id = {repository.model_id: repository for repository in self.repositories}
        self.faults = FaultPlan()
        self.seen: list[Seen] = []
        self.sent_bytes = 0  # of files, as they were read: also what a client never took
        self._lock = threading.Lock()
        self._servers: list[_Listener] = []
        self._threads: list[threading.Thread] = []
        self.stopping = threading.Event()
        self.secret = f"{time.time_ns()}"

    def add(self, repository: Repository) -> None:
        """Publishes one more, or a new commit in the place of an old one."""
        self.by_id[repository.model_id] = repository

    def inject(
        self,
        fault: Fault,
        target: str = "*",
        times: int = 1,
        after_bytes: int = 0,
        seconds: float = 1.0,
    ) -> None:
        self.faults.add(Injection(fault, target, times, after_bytes, seconds))

    @property
    def fired(self) -> Counter[Fault]:
        return self.faults.fired

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._servers[0].server_port}"

    @property
    def cdn(self) -> str:
        return f"http://127.0.0.1:{self._servers[1].server_port}"

    def record(self, seen: Seen) -> None:
        with self._lock:
            self.seen.append(seen)

    def count(self, sent_bytes: int) -> None:
        with self._lock:
            self.sent_bytes += sent_bytes

    def by_sha256(self, sha256: str) -> RepositoryFile | None:
        files = (f for r in list(self.by_id.values()) for f in r.files.values())
        return next((file for file in files if file.is_lfs and file.sha256 == sha256), None)

    def __enter__(self) -> Self:
        for handler, port in ((HubHandler, self.port), (CdnHandler, 0)):
            server = _Listener(("127.0.0.1", port), handler)
            server.hub = self
            self._servers.append(server)
            # The default poll of 0.5 s would be paid at every stop.
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopping.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join(5)
        self._servers.clear()
        self._threads.clear()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    hub: HubServer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""
