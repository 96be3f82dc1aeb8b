"""What happens by itself in the embedded account: mappings, schedules, buses, topics, alarms."""

from tools.embedded.pump.pump import Pump

__all__ = ["Pump"]
