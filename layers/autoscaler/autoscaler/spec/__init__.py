"""What the user wants: frozen pydantic models, no I/O."""

from .answers import Answers
from .budget import Budget, Limits, OnForecast, StackBudget, StackLimits, WhenSpent
from .calendars import Calendar
from .days import DateSpan, Day, NthDay
from .durations import Duration, format_duration, parse_duration
from .endpoint import (
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
from .requests import OTHERS, Requests, Tenant
from .schedule import HolidayRule, Schedule, Window
from .surroundings import Encryption, Network, Vpc

__all__ = [
    "OTHERS",
    "Answers",
    "Budget",
    "Calendar",
    "DateSpan",
    "Day",
    "Duration",
    "Encryption",
    "EndpointSpec",
    "Engine",
    "HolidayRule",
    "Instances",
    "Kind",
    "Limits",
    "Model",
    "Network",
    "NthDay",
    "OnForecast",
    "ReplyTo",
    "RequestError",
    "RequestOptions",
    "Requests",
    "Routing",
    "Rung",
    "Scaling",
    "Schedule",
    "Serving",
    "Source",
    "SpecError",
    "StackBudget",
    "StackLimits",
    "Tenant",
    "Vpc",
    "WhenSpent",
    "Window",
    "format_duration",
    "parse_duration",
    "parse_options",
    "parse_spec",
]
