"""Runs in a fresh process: imports one handler, or boto3, and does its first call.

Prints one line of JSON: milliseconds of processor time to import and for the first call, which ends
when AWS (a stub that refuses everything) has answered once; and which error that came to.
"""

from __future__ import annotations

import json
import sys
import time
from types import SimpleNamespace
from typing import Any

_SECONDS = 60.0


def main() -> None:
    folder, event = sys.argv[1], sys.argv[2]
    began = time.process_time()
    if folder == "boto3":
        import boto3

        imported = time.process_time()
        boto3.client("dynamodb")
        ended, error = time.process_time(), ""
    else:
        sys.path.insert(0, folder)
        import app  # type: ignore[import-not-found]

        imported = time.process_time()
        error = _first_call(app.handler, json.loads(event))
        ended = time.process_time()
    print(
        json.dumps(
            {
                "import": (imported - began) * 1000,
                "call": (ended - imported) * 1000,
                "error": error,
            }
        ),
        file=sys.__stdout__,
    )


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
