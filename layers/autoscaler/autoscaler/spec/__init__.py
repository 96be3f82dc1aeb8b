"""What the user wants: frozen pydantic models, no I/O."""

from .answers import Answers
from .durations import Duration, format_duration, parse_duration
from .endpoint import (
    Budget,
    EndpointSpec,
    Engine,
    Instances,
    Model,
    Routing,
    Rung,
    Scaling,
    Serving,
    Source,
)
from .errors import SpecError, parse_spec
from .kinds import Kind
from .request import ReplyTo, RequestError, RequestOptions, parse_options
from .schedule import Day, Schedule, Window
from .surroundings import Encryption, Network, Vpc

__all__ = [
    "Answers",
    "Budget",
    "Day",
    "Duration",
    "Encryption",
    "EndpointSpec",
    "Engine",
    "Instances",
    "Kind",
    "Model",
    "Network",
    "ReplyTo",
    "RequestError",
    "RequestOptions",
    "Routing",
    "Rung",
    "Scaling",
    "Schedule",
    "Serving",
    "Source",
    "SpecError",
    "Vpc",
    "Window",
    "format_duration",
    "parse_duration",
    "parse_options",
    "parse_spec",
]
