"""One execution environment: an awslambdaric process and the Runtime API that feeds it."""

from __future__ import annotations

import json
import queue
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tools.embedded.kernel.processes import Launcher, Process, private_bytes

_LOOK_EVERY_SECONDS = 0.2


@dataclass
class Job:
    """One invocation on its way through an environment."""

    payload: bytes
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    done: threading.Event = field(default_factory=threading.Event)
    result: bytes = b""
    error: str | None = None

    def fail(self, error_type: str, message: str) -> None:
        self.result = json.dumps({"errorType": error_type, "errorMessage": message}).encode()
        self.error = "Unhandled"
        self.done.set()


@dataclass(frozen=True)
class Launch:
    """How a function's process is started; `deadline_ms` gives an invocation's deadline."""

    name: str
    arn: str
    handler: str
    folder: Path
    environ: Mapping[str, str]
    timeout_seconds: float
    memory_bytes: int
    deadline_ms: Callable[[], int]
    log: Callable[[str], None]


class _RuntimeApi(BaseHTTPRequestHandler):
    """Lambda's Runtime API, 2018-06-01."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def log_message(self, *_: object) -> None:
        """The function's own log says what matters."""

    def do_GET(self) -> None:
        environment = self.server.environment
        job = environment.jobs.get()
        if job is None:
            self._reply(500)
            return
        environment.current = job
        launch = environment.launch
        headers = {
            "Lambda-Runtime-Aws-Request-Id": job.request_id,
            "Lambda-Runtime-Deadline-Ms": str(launch.deadline_ms()),
            "Lambda-Runtime-Invoked-Function-Arn": launch.arn,
            "Content-Type": "application/json",
        }
        self._reply(200, job.payload, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._reply(202)
        environment = self.server.environment
        if self.path.endswith("/init/error"):
            environment.init_error = body
        job = environment.current
        if job is not None:
            job.error = "Unhandled" if self.path.endswith("/error") else None
            job.result = body
            environment.current = None
            job.done.set()

    def _reply(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    environment: Environment

    def handle_error(self, *_: object) -> None:
        """A killed process breaks its connections; the invocation says what happened."""


class Environment:
    """A process that handles one invocation at a time, and ends above its time or its memory.

    Memory is looked at five times a second: what grows faster than that is not seen in time.
    """

    def __init__(self, launch: Launch, launcher: Launcher) -> None:
        self.launch = launch
        self.jobs: queue.Queue[Job | None] = queue.Queue()
        self.current: Job | None = None
        self.init_error: bytes | None = None
        self._closed = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _RuntimeApi)
        self._server.environment = self
        threading.Thread(target=self._server.serve_forever, args=(0.2,), daemon=True).start()
        try:
            self._process = self._launch(launcher)
        except Exception:
            self._server.shutdown()
            self._server.server_close()
            raise
        threading.Thread(target=self._read_log, daemon=True).start()

    @property
    def pid(self) -> int:
        """Of the handler's process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can take another invocation. One that was ended cannot, though the system
        may go on listing its process for a moment."""
        return not self._closed.is_set() and self._process.alive

    def invoke(self, payload: bytes) -> Job:
        """Runs one invocation; the timeout counts wall seconds, since code is not accelerated."""
        job = Job(payload)
        self.jobs.put(job)
        end = time.monotonic() + self.launch.timeout_seconds
        while not job.done.wait(_LOOK_EVERY_SECONDS):
            if not self.alive and not job.done.is_set():
                self._explain_death(job)
            elif private_bytes(self._process.pid) > self.launch.memory_bytes:
                self.close()
                mib = self.launch.memory_bytes // 2**20
                job.fail(
                    "Runtime.OutOfMemory",
                    f"RequestId: {job.request_id} Error: Runtime exited with error: signal: killed "
                    f"(above its {mib} MB)",
                )
            elif time.monotonic() > end:
                self.close()
                seconds = self.launch.timeout_seconds
                message = f"{job.request_id} Task timed out after {seconds:.2f} seconds"
                job.fail("Sandbox.Timedout", message)
        return job

    def close(self) -> None:
        """Ends its process; once is enough."""
        if self._closed.is_set():
            return
        self._closed.set()
        self.jobs.put(None)
        self._process.kill()
        self._server.shutdown()
        self._server.server_close()

    def _explain_death(self, job: Job) -> None:
        if self.init_error is not None:
            job.result, job.error = self.init_error, "Unhandled"
            job.done.set()
            return
        job.fail("Runtime.ExitError", "the handler's process ended in the middle of its work")

    def _launch(self, launcher: Launcher) -> Process:
        return launcher.launch(
            {
                **self.launch.environ,
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
                "_HANDLER": self.launch.handler,
                "LAMBDA_TASK_ROOT": str(self.launch.folder),
            }
        )

    def _read_log(self) -> None:
        for line in self._process.output:
            self.launch.log(line.decode(errors="replace").rstrip("\n"))
