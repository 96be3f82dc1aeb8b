"""Deployed functions and their execution environments."""

from __future__ import annotations

import io
import os
import threading
import time
import zipfile
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tools.embedded.kernel.crashes import Crashes
from tools.embedded.kernel.environment import Environment, Launch
from tools.embedded.kernel.given_up import given_up
from tools.embedded.kernel.processes import launcher
from tools.embedded.types import Invocation

if TYPE_CHECKING:
    from tools.embedded.kernel.account import Account

DEFAULT_CONCURRENCY = 8  # processes of one function at a time; Lambda's own default is 1,000
# Of all functions together, as AWS says by default; a new account mostly has 10.
ACCOUNT_CONCURRENCY = 1000
_ASYNC_TRIES = 3
_ASYNC_RETRY_SECONDS = (60, 120)  # as Lambda waits between them
_LINES_KEPT = 1000
_WAIT_FOR_SLOT_SECONDS = 60
# A function that is a web server behind a wrapper: it has its role and environment, but is not run.
_WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"


@dataclass
class Function:
    """A deployed function, its warm environments and the tail of its log."""

    name: str
    launch: Launch
    slots: threading.Semaphore
    log: deque[str]
    reserved: int = 0  # of the account's concurrency
    lock: threading.Lock = field(default_factory=threading.Lock)
    idle: list[Environment] = field(default_factory=list)
    environments: list[Environment] = field(default_factory=list)
    retired: bool = False  # another version took its place: what runs ends, nothing begins

    @property
    def working(self) -> int:
        """Environments that are invoked at this moment."""
        with self.lock:
            return sum(one.alive for one in self.environments) - len(self.idle)


class Runtime:
    """types.Functions over processes."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._pool = ThreadPoolExecutor(max_workers=32, thread_name_prefix="invoke")
        self._closing = threading.Event()
        self._launcher = launcher()
        self.deployed: dict[str, Function] = {}
        self.layers: dict[str, Path] = {}
        self._retired: list[Function] = []
        self.on_log_line: list[Any] = []  # callables (function name, line)
        self.on_invocation: list[Any] = []  # callables (function name, milliseconds, failed)
        self.on_payload: list[Any] = []  # callables (function name, bytes): what it is given, says
        self.crashes: Crashes | None = None
        self.concurrency = ACCOUNT_CONCURRENCY  # only told, by GetAccountSettings

    @property
    def reserved(self) -> int:
        """What functions have of the account's concurrency for themselves."""
        return sum(one.reserved for one in self.deployed.values())

    def define(self, name: str, folder: Path, properties: Mapping[str, Any]) -> str:
        """Deploys a function from a local folder, or another version of one; returns its ARN.
        ValueError: no handler there."""
        module = properties["Handler"].partition(".")[0]
        variables = properties.get("Environment", {}).get("Variables", {})
        if _WRAPPER not in variables and not (folder / f"{module}.py").exists():
            raise ValueError(f"{folder} has no {module}.py for handler {properties['Handler']}")
        account = self._account
        arn = f"arn:aws:lambda:{account.region}:{account.account_id}:function:{name}"
        timeout = float(properties.get("Timeout", 3))
        before = self.deployed.get(name)
        log: deque[str] = before.log if before else deque(maxlen=_LINES_KEPT)
        launch = Launch(
            name=name,
            arn=arn,
            handler=properties["Handler"],
            folder=folder,
            environ=self._environ(name, properties, timeout),
            timeout_seconds=timeout,
            memory_bytes=int(properties.get("MemorySize", 128)) * 2**20,
            deadline_ms=lambda: int((account.clock.time() + timeout) * 1000),
            log=lambda line: self._logged(name, log, line),
        )
        reserved = int(properties.get("ReservedConcurrentExecutions", 0))
        slots = threading.Semaphore(reserved or DEFAULT_CONCURRENCY)
        self.deployed[name] = Function(name, launch, slots, log, reserved)
        if before is not None:
            self._retire(before)
        return arn

    def change_environment(self, name: str, **variables: str) -> None:
        """As an update of a function's configuration: what is at work ends as it began."""
        before = self.deployed[name]
        launch = replace(before.launch, environ={**before.launch.environ, **variables})
        self.deployed[name] = Function(name, launch, before.slots, before.log, before.reserved)
        self._retire(before)

    def _retire(self, function: Function) -> None:
        """Ends what is idle; what works ends when it is done."""
        with function.lock:
            function.retired = True
            idle, function.idle = function.idle, []
        self._retired.append(function)
        for environment in idle:
            environment.close()

    def undefine(self, name: str) -> None:
        function = self.deployed.pop(name, None)
        if function is not None:
            _close(function)

    def find(self, function: str) -> Function:
        name = function.rpartition(":function:")[2].partition(":")[0]
        if name not in self.deployed:
            raise LookupError(f"Function not found: {function}")
        return self.deployed[name]

    def invoke(self, function: str, payload: bytes) -> Invocation:
        found = self.find(function)
        if not found.slots.acquire(timeout=_WAIT_FOR_SLOT_SECONDS):
            raise RuntimeError("TooManyRequestsException")
        began = time.monotonic()
        try:
            environment = self._environment(found)
            crashes, body = self.crashes, payload or b"{}"
            job = crashes.invoke(environment, body) if crashes else environment.invoke(body)
            if environment.alive:
                _keep(found, environment)
        finally:
            found.slots.release()
        done = Invocation(job.request_id, job.result, job.error)
        for hook in self.on_payload:
            hook(found.name, body)
            hook(found.name, done.payload)
        milliseconds = (time.monotonic() - began) * 1000
        for hook in self.on_invocation:
            hook(found.name, milliseconds, job.error is not None)
        return done

    def invoke_async(self, function: str, payload: bytes) -> None:
        self.find(function)
        if not self._closing.is_set():
            self._pool.submit(self._until_it_works, function, payload)

    def access_key(self, function: str) -> str | None:
        """Of the session that a function's environments have; None: there is no such function."""
        try:
            return self.session(function)["aws_access_key_id"]
        except LookupError:
            return None

    def session(self, function: str) -> dict[str, str]:
        """The credentials of a function's role, as boto3 takes them. LookupError: not there."""
        environ = self.find(function).launch.environ
        names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
        return {name: environ[name.upper()] for name in names}

    def tail(self, function: str, lines: int = 20) -> list[str]:
        """The newest lines that a function logged."""
        return list(self.find(function).log)[-lines:]

    def close(self) -> None:
        self._closing.set()
        functions = (*self.deployed.values(), *self._retired)
        with ThreadPoolExecutor(len(functions) or 1) as together:  # each waits for its server's end
            deque(together.map(_close, functions), maxlen=0)
        self._launcher.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _until_it_works(self, function: str, payload: bytes) -> None:
        for attempt in range(_ASYNC_TRIES):
            if (
                self._closing.is_set()
                or not (done := self.invoke(function, payload)).function_error
            ):
                return
            if attempt + 1 < _ASYNC_TRIES:
                self._account.clock.sleep(_ASYNC_RETRY_SECONDS[attempt], self._closing)
        if not self._closing.is_set():
            given_up(self._account, self.find(function).launch.arn, payload, done, _ASYNC_TRIES)

    def _environment(self, function: Function) -> Environment:
        with function.lock:
            while function.idle:
                environment = function.idle.pop()
                if environment.alive:
                    return environment
        environment = Environment(function.launch, self._launcher)
        with function.lock:
            function.environments.append(environment)
        if self._closing.is_set():  # perhaps after it closed those that it knew
            environment.close()
            raise RuntimeError("the account was stopped")
        return environment

    def _logged(self, name: str, log: deque[str], line: str) -> None:
        log.append(line)
        for hook in self.on_log_line:
            hook(name, line)

    def _environ(self, name: str, properties: Mapping[str, Any], timeout: float) -> dict[str, str]:
        account = self._account
        session = account.boto("sts").assume_role(
            RoleArn=properties["Role"], RoleSessionName=name[:64]
        )["Credentials"]
        arns = properties.get("Layers", ())  # those of others are not on this machine
        folders = [self.layers[arn] for arn in arns if arn in self.layers]
        variables = properties.get("Environment", {}).get("Variables", {})
        return {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": os.pathsep.join(str(p) for f in folders for p in (f, f / "python")),
            "PYTHONPYCACHEPREFIX": _bytecode().name,
            "TZ": ":UTC",
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(properties.get("MemorySize", 128)),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "embedded",
            "AWS_REGION": account.region,
            "AWS_DEFAULT_REGION": account.region,
            "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
            "AWS_SESSION_TOKEN": session["SessionToken"],
            "AWS_ENDPOINT_URL": account.endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "EMBEDDED_CLOCK_FILE": str(account.clock.path),
            "EMBEDDED_TIMEOUT_SECONDS": str(timeout),
            **{key: str(value) for key, value in variables.items()},
        }


@cache
def _bytecode() -> TemporaryDirectory[str]:
    """Where handlers' modules are compiled to, once for all accounts of this process; not into the
    sources' folder: that is what was built."""
    return TemporaryDirectory(prefix="handlers-bytecode-", ignore_cleanup_errors=True)


def empty_zip() -> bytes:
    """Code for moto's copy of a function; the real code runs from its folder."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("app.py", "")
    return archive.getvalue()


def _keep(function: Function, environment: Environment) -> None:
    """For the next invocation, unless another version took its function's place meanwhile."""
    with function.lock:
        if not function.retired:
            function.idle.append(environment)
            return
    environment.close()


def _close(function: Function) -> None:
    for environment in function.environments:
        environment.close()
