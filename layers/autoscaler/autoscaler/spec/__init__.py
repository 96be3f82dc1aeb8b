"""What the user wants: frozen pydantic models, no I/O."""

from .durations import Duration, format_duration, parse_duration
from .endpoint import (
    Budget,
    EndpointSpec,
    Engine,
    Instances,
    Model,
    Rung,
    Scaling,
    Serving,
)
from .errors import SpecError, parse_spec
from .schedule import Day, Schedule, Window

__all__ = [
    "Budget",
    "Day",
    "Duration",
    "EndpointSpec",
    "Engine",
    "Instances",
    "Model",
    "Rung",
    "Scaling",
    "Schedule",
    "Serving",
    "SpecError",
    "Window",
    "format_duration",
    "parse_duration",
    "parse_spec",
]
