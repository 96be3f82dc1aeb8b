"""CloudWatch of the embedded account: metrics, their mathematics, and alarms that act."""

from tools.embedded.metrics.store import MetricsStore

__all__ = ["MetricsStore"]
