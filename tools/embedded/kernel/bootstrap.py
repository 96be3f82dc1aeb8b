"""What a handler's process runs: the account's clock, then Lambda's own runtime client.

The process dies with the account: by the kernel's signal on Linux, elsewhere because its runtime
API is gone.
"""

import importlib.util
import os
import signal
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _live_in_account_time(clock_file: str) -> None:
    path = Path(__file__).with_name("clock.py")
    spec = importlib.util.spec_from_file_location("embedded_clock", path)
    assert spec is not None
    assert spec.loader is not None
    clock = importlib.util.module_from_spec(spec)
    sys.modules["embedded_clock"] = clock
    spec.loader.exec_module(clock)
    clock.install(Path(clock_file))
    _count_the_deadline_on_the_wall()


def _count_the_deadline_on_the_wall() -> None:
    """Code is not accelerated, so the time that is left is the machine's."""
    from awslambdaric.lambda_context import LambdaContext

    timeout_ms = int(float(os.environ.pop("EMBEDDED_TIMEOUT_SECONDS")) * 1000)
    make = LambdaContext.__init__

    def begin(self: LambdaContext, *args: object, **kwargs: object) -> None:
        make(self, *args, **kwargs)
        self.began = time.monotonic()

    def left(self: LambdaContext) -> int:
        return max(0, timeout_ms - int((time.monotonic() - self.began) * 1000))

    LambdaContext.__init__ = begin
    LambdaContext.get_remaining_time_in_millis = left


def main() -> None:
    die_with_parent()
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    clock_file = os.environ.pop("EMBEDDED_CLOCK_FILE", "")
    if clock_file:
        _live_in_account_time(clock_file)
    from awslambdaric.__main__ import main as run

    run(["awslambdaric", sys.argv[1]])


if __name__ == "__main__":
    main()
