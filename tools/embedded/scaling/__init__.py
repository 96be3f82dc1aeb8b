"""A simulated Application Auto Scaling over the simulated SageMaker: targets, policies, schedules.

It acts on the same agenda as SageMaker, so that what it did by any simulated time is right even
when the clock jumped over it.
"""

from tools.embedded.scaling.service import AutoScalingService

__all__ = ["AutoScalingService"]
