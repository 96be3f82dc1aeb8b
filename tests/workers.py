"""Which worker runs which file: one computes while the others mostly wait.

The files of the embedded account wait for its clock two thirds of their time; the rest compute all
of it. Three workers that take files in order have three that compute first, and then three that
wait; one for the one and two for the others keep two cores busy all along.
"""

from __future__ import annotations

from typing import Any

from xdist.scheduler import LoadFileScheduling

_WAITING = "tests/embedded/"


class MixedScheduling(LoadFileScheduling):
    """Files stay whole. The last worker begins with what computes, the others with what waits;
    whoever has none left of its own helps the others."""

    def _assign_work_unit(self, node: Any) -> None:
        waits = node is not max(self.nodes, key=lambda one: int(one.gateway.id[2:]))
        for scope in self.workqueue:
            if scope.startswith(_WAITING) == waits:
                self.workqueue.move_to_end(scope, last=False)
                break
        super()._assign_work_unit(node)
