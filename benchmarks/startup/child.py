"""Runs in a fresh process: imports one handler, or boto3, and does its first call.

Prints one line of JSON: milliseconds of processor time to import and until AWS (a stub that refuses
everything) has answered once, until the handler ended, and which error that came to. With `stop` it
ends at that first answer, so that whoever counts its instructions counts no more than that.
"""

from __future__ import annotations

import json
import os
import sys
import time
from types import SimpleNamespace
from typing import Any

_SECONDS = 60.0


def main() -> None:
    folder, event, stop = sys.argv[1], sys.argv[2], sys.argv[3:] == ["stop"]
    began, error = time.process_time(), ""
    answered: list[float] = []
    if folder == "boto3":
        import boto3

        imported = time.process_time()
        boto3.client("dynamodb")
    else:
        sys.path.insert(0, folder)
        import app  # type: ignore[import-not-found]

        imported = time.process_time()
        _notice_answers(answered, stop)
        error = _first_call(app.handler, json.loads(event))
    ended = time.process_time()
    if stop:
        os._exit(0)
    times = {"import": imported, "call": (answered or [ended])[0], "whole": ended}
    said = {name: (moment - began) * 1000 for name, moment in times.items()}
    print(json.dumps(said | {"error": error}), file=sys.__stdout__)


def _notice_answers(answered: list[float], stop: bool) -> None:
    """Whoever asks AWS, or the Hub, reads the answer so."""
    from http.client import HTTPResponse

    begin = HTTPResponse.begin

    def noticed(response: Any) -> None:
        begin(response)
        if stop:
            os._exit(0)
        answered.append(time.process_time())

    HTTPResponse.begin = noticed  # type: ignore[method-assign]


def _first_call(handler: Any, event: Any) -> str:
    context = SimpleNamespace(
        function_name="f",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:f",
        aws_request_id="r",
        get_remaining_time_in_millis=lambda: int(_SECONDS * 1000),
    )
    log, sys.stdout = sys.stdout, sys.stderr  # what it logs is not ours
    try:
        handler(event, context)
    except Exception as refused:  # noqa: BLE001 - that is how it ends; the name is printed
        return type(refused).__name__
    finally:
        sys.stdout = log
    return ""


if __name__ == "__main__":
    main()
