"""Starts and looks at the state machine executions that carry out wishes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from ..endpoints.names import ResourceNames
from ..ports import Flow, FlowReport, FlowState
from .clients import client, error_code

_STATES = {
    "RUNNING": FlowState.RUNNING,
    "PENDING_REDRIVE": FlowState.RUNNING,
    "SUCCEEDED": FlowState.SUCCEEDED,
    "FAILED": FlowState.FAILED,
    "TIMED_OUT": FlowState.FAILED,
    "ABORTED": FlowState.FAILED,
}


class StepFunctionsFlows:
    """Flows over Step Functions; `machines` gives the ARN of each flow's state machine."""

    def __init__(self, prefix: str, machines: Mapping[Flow, str], states: Any = None) -> None:
        self._prefix = prefix
        self._machines = machines
        self._states = states or client("stepfunctions")

    def start(self, flow: Flow, name: str, generation: int) -> None:
        try:
            self._states.start_execution(
                stateMachineArn=self._machines[flow],
                name=ResourceNames(self._prefix, name).execution(generation),
                input=json.dumps({"endpoint": name, "generation": generation}),
            )
        except ClientError as error:
            if error_code(error) != "ExecutionAlreadyExists":
                raise

    def look(self, flow: Flow, name: str, generation: int) -> FlowReport:
        try:
            found = self._states.describe_execution(executionArn=self._arn(flow, name, generation))
        except ClientError as error:
            if error_code(error) == "ExecutionDoesNotExist":
                return FlowReport(FlowState.ABSENT)
            raise
        cause = found.get("cause") or found.get("error")
        return FlowReport(_STATES[found["status"]], cause, found.get("startDate"))

    def stop(self, flow: Flow, name: str, generation: int, why: str) -> None:
        try:
            self._states.stop_execution(
                executionArn=self._arn(flow, name, generation), error="Overtaken", cause=why
            )
        except ClientError as error:
            if error_code(error) != "ExecutionDoesNotExist":
                raise

    def _arn(self, flow: Flow, name: str, generation: int) -> str:
        execution = ResourceNames(self._prefix, name).execution(generation)
        return f"{self._machines[flow].replace(':stateMachine:', ':execution:')}:{execution}"
