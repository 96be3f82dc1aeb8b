"""What a container writes into its log group, as SageMaker's containers do.

The group is `/aws/sagemaker/InferenceComponents/<name>` (`/aws/sagemaker/Endpoints/<name>` of a
classic variant), with a stream for each copy. A container that dies is started again and again,
until its health check times out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from weakref import WeakKeyDictionary

from tools.embedded.sagemaker.things import Copy, CopyStatus
from tools.embedded.sagemaker.world import World

# group, stream, epoch seconds, line
LogSink = Callable[[str, str, float, str], None]

STARTED = "INFO [api_server.py:1892] vLLM API server version 0.27.1"
LOADED = "INFO [default_loader.py:268] Loading weights took {seconds:.2f} seconds"
SERVING = "INFO:     Application startup complete."
ENDED = "RuntimeError: Engine core initialization failed. See root cause above."
# Between the start of a container that dies and its death, and until it is started again.
DIES_AFTER = 12.0
AGAIN_AFTER = 18.0


class ContainerLog:
    """Writes what the containers say; without a sink nobody listens."""

    def __init__(self, world: World, sink: LogSink | None) -> None:
        self._world, self._sink = world, sink
        self._streams: WeakKeyDictionary[Copy, str] = WeakKeyDictionary()
        self._numbers = count(1)

    def write(self, copy: Copy, line: str) -> None:
        if self._sink is None:
            return
        if copy not in self._streams:
            stream = f"{copy.component.variant.name}/copy-{next(self._numbers):04d}"
            self._streams[copy] = stream
        send = partial(self._sink, _group(copy), self._streams[copy], self._world.now, line)
        self._world.send(send)

    def crash_loop(self, copy: Copy, why: str) -> None:
        """Starts, says why it dies, and is started again while SageMaker waits for it."""
        if copy.status is not CopyStatus.STARTING:
            return
        self.write(copy, STARTED)
        self._world.agenda.after(DIES_AFTER, partial(self._die, copy, why))

    def _die(self, copy: Copy, why: str) -> None:
        if copy.status is not CopyStatus.STARTING:
            return
        self.write(copy, f"ERROR [core.py:708] {why}")
        self.write(copy, ENDED)
        self._world.agenda.after(AGAIN_AFTER, partial(self.crash_loop, copy, why))


def _group(copy: Copy) -> str:
    component = copy.component
    if component.hidden:
        return f"/aws/sagemaker/Endpoints/{component.variant.endpoint.name}"
    return f"/aws/sagemaker/InferenceComponents/{component.name}"
