"""Lambda's Invoke API and its account's settings: moto keeps the functions, the account's runtime
runs them."""

from __future__ import annotations

import json
from typing import Any

from tools.embedded.kernel.runtime import Runtime
from tools.embedded.types import Invocation

_SETTINGS = r"{0}/(?P<api_version>[^/]+)/account-settings/?$"


def install(runtime: Runtime) -> None:
    """Sends every invocation to `runtime`, and keeps moto from invoking by itself."""
    from moto.awslambda import models
    from moto.awslambda.exceptions import UnknownFunctionException

    def invoke(
        _backend: Any,
        function_name: str,
        _qualifier: str | None,
        body: bytes | str,
        headers: Any,
        response_headers: dict[str, str],
    ) -> bytes:
        payload = body.encode() if isinstance(body, str) else (body or b"{}")
        kind = headers.get("X-Amz-Invocation-Type", "RequestResponse")
        try:
            if kind == "DryRun":
                runtime.find(function_name)
                return b""
            if kind == "Event":
                runtime.invoke_async(function_name, payload)
                return b""
            return _answer(runtime.invoke(function_name, payload), response_headers)
        except LookupError as absent:
            raise UnknownFunctionException(function_name) from absent

    models.LambdaBackend.invoke = invoke
    models.LambdaBackend.send_sqs_batch = lambda *_args, **_kwargs: True
    _serve_settings(runtime)


def _serve_settings(runtime: Runtime) -> None:
    """GetAccountSettings, which moto lacks, as far as concurrency goes."""
    from moto.awslambda import urls

    def settings(*_request: Any) -> tuple[int, dict[str, str], str]:
        limit = {
            "ConcurrentExecutions": runtime.concurrency,
            "UnreservedConcurrentExecutions": runtime.concurrency - runtime.reserved,
        }
        used = {"FunctionCount": len(runtime.deployed)}
        return 200, {}, json.dumps({"AccountLimit": limit, "AccountUsage": used})

    urls.url_paths[_SETTINGS] = settings


def _answer(done: Invocation, response_headers: dict[str, str]) -> bytes:
    response_headers["x-amz-executed-version"] = "$LATEST"
    if done.function_error:
        response_headers["x-amz-function-error"] = done.function_error
    return done.payload or json.dumps(None).encode()
