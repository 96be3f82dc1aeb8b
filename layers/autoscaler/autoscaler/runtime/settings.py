"""The environment of the handlers, as models: a missing variable is named at start-up."""

from __future__ import annotations

import os
from functools import cache

from pydantic import Field, ValidationError

from ..endpoints.mode import Mode
from ..ports import Flow
from .boundary import Variables


class SettingsError(RuntimeError):
    """The function's environment lacks something; the template must give it."""


class Settings(Variables):
    """What the template tells every function of the control loop."""

    stack_name: str = Field(alias="STACK_NAME")
    region: str = Field(alias="AWS_REGION")
    table_name: str = Field(alias="TABLE_NAME")
    bus_name: str = Field(alias="BUS_NAME")
    flow_arn_prefix: str = Field(alias="FLOW_ARN_PREFIX")
    results_bucket: str = Field(default="", alias="RESULTS_BUCKET")
    reply_queues: str = Field(default="", alias="REPLY_QUEUES")
    callback_hosts: str = Field(default="", alias="CALLBACK_HOSTS")
    weights_bucket: str = Field(default="", alias="WEIGHTS_BUCKET")
    kms_key_arn: str = Field(default="", alias="KMS_KEY_ARN")
    scanner_function_arn: str = Field(default="", alias="SCANNER_FUNCTION_ARN")
    endpoint_role_arn: str = Field(default="", alias="ENDPOINT_ROLE_ARN")
    dispatch_function_arn: str = Field(default="", alias="DISPATCH_FUNCTION_ARN")
    alarm_topic_arn: str = Field(default="", alias="ALARM_TOPIC_ARN")
    capacity_seconds: float = Field(default=900, alias="CAPACITY_SECONDS")
    wake_seconds: float = Field(default=0, alias="WAKE_SECONDS")
    tick_minutes: float = Field(default=1, alias="TICK_MINUTES")
    default_time_zone: str = Field(default="UTC", alias="DEFAULT_TIME_ZONE")
    mode: Mode = Field(default=Mode.ACT, alias="MODE")

    @property
    def account(self) -> str:
        """The stack's, as its own ARNs have it."""
        return self.flow_arn_prefix.split(":")[4]

    @property
    def queue_arns(self) -> str:
        """What the ARNs of the stack's queues begin with, up to their names."""
        arn = self.flow_arn_prefix.split(":")
        return f"{arn[0]}:{arn[1]}:sqs:{arn[3]}:{arn[4]}:"

    def machines(self) -> dict[Flow, str]:
        """The ARN of each flow's state machine; by name, because the machines call the functions
        and CloudFormation allows no circle."""
        return {flow: self.flow_arn_prefix + flow.replace("_", "-") for flow in Flow}


@cache
def settings() -> Settings:
    """Returns the environment; raises SettingsError naming what is missing."""
    try:
        return Settings.model_validate(dict(os.environ))
    except ValidationError as invalid:
        missing = ", ".join(str(error["loc"][0]) for error in invalid.errors())
        raise SettingsError(f"the function's environment is wrong or lacks: {missing}") from invalid
