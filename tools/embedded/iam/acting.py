"""What AWS's services do with the roles that they are given, as the roles' policies allow.

No request of it passes the front: Scheduler invokes its targets, Lambda polls queues, SageMaker
reads weights, Step Functions delivers logs and traces. Each question is answered with the sentence
of a refusal, or with None.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from tools.embedded.iam.guard import Guard
from tools.embedded.iam.needed import Maker, Need, Surroundings

_POLLED = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
_MANAGED_RULE = "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
_NESTED = re.compile(r'"Resource": *"arn:aws:states:::states:startExecution\.sync')
_MACHINE = re.compile(r"arn:aws:states:[^:\"]*:\d+:stateMachine:[\w-]+")
_LOG_DELIVERY = (
    "CreateLogDelivery",
    "GetLogDelivery",
    "UpdateLogDelivery",
    "DeleteLogDelivery",
    "ListLogDeliveries",
    "PutResourcePolicy",
    "DescribeResourcePolicies",
    "DescribeLogGroups",
)
_TRACING = (
    "PutTraceSegments",
    "PutTelemetryRecords",
    "GetSamplingRules",
    "GetSamplingTargets",
)


class Sessions(Protocol):
    """Whoever knows under which access key a function runs."""

    def access_key(self, function: str) -> str | None:
        """None: there is no such function."""


class Acting:
    """The services of one account."""

    def __init__(self, guard: Guard, around: Surroundings, sessions: Sessions) -> None:
        self._guard, self._make, self._sessions = guard, Maker(around), sessions

    def schedule(self, role_arn: str, target_arn: str) -> str | None:
        """Scheduler on its way to a target or a dead-letter queue."""
        service = target_arn.split(":")[2]
        action = {
            "lambda": "lambda:InvokeFunction",
            "sqs": "sqs:SendMessage",
            "states": "states:StartExecution",
            "sns": "sns:Publish",
        }.get(service)
        if action is None:
            return None  # universal targets and the like, which no stack of ours has
        return self._all(role_arn, "scheduler", [self._make.need(action, target_arn)])

    def poll(self, function: str, queue_arn: str) -> str | None:
        """Lambda on its way to a queue that feeds a function."""
        key = self._sessions.access_key(function)
        session = self._guard.session_of(key) if key else None
        if session is None:
            return None
        needs = [self._make.need(f"sqs:{action}", queue_arn) for action in _POLLED]
        return self._all(*session, needs)

    def read(self, role_arn: str | None, uri: str) -> str | None:
        """SageMaker reading an object, or what lies under a prefix, for an endpoint."""
        return self._object(role_arn, "GetObject", uri, also_list=uri.endswith("/"))

    def write(self, role_arn: str | None, uri: str) -> str | None:
        return self._object(role_arn, "PutObject", uri)

    def run(self, role_arn: str, properties: Mapping[str, Any]) -> str | None:
        """Step Functions running a state machine: waiting for nested executions (by a rule that it
        makes, and by asking), delivering its log, and its traces. AWS looks at the role's rights
        to the rule and to the log when the machine is made; here all of it is."""
        definition = properties["DefinitionString"]
        for name, value in properties.get("DefinitionSubstitutions", {}).items():
            definition = definition.replace("${" + name + "}", str(value))
        needs: list[Need] = []
        if _NESTED.search(definition):
            needs += self._waiting(_MACHINE.findall(definition))
        if properties.get("LoggingConfiguration"):
            needs += [self._make.need(f"logs:{action}") for action in _LOG_DELIVERY]
        if properties.get("TracingConfiguration", {}).get("Enabled"):
            needs += [self._make.need(f"xray:{action}") for action in _TRACING]
        return self._all(role_arn, "states", needs)

    def _waiting(self, machines: Iterable[str]) -> list[Need]:
        rule = self._make.arn("events", _MANAGED_RULE)
        needs = [
            self._make.need(f"events:{action}", rule)
            for action in ("PutTargets", "PutRule", "DescribeRule")
        ]
        for machine in sorted(set(machines)):
            execution = machine.replace(":stateMachine:", ":execution:") + ":nested"
            needs += [
                self._make.need(f"states:{action}", execution)
                for action in ("DescribeExecution", "StopExecution")
            ]
        return needs

    def _object(
        self, role_arn: str | None, action: str, uri: str, *, also_list: bool = False
    ) -> str | None:
        if role_arn is None:
            return None
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        needs = [self._make.need(f"s3:{action}", f"arn:aws:s3:::{bucket}/{key}")]
        if also_list:
            needs.append(self._make.need("s3:ListBucket", f"arn:aws:s3:::{bucket}"))
        return self._all(role_arn, "SageMaker", needs)

    def _all(self, role_arn: str, session: str, needs: Iterable[Need]) -> str | None:
        for need in needs:
            if denial := self._guard.require(role_arn, session, need):
                return denial.why
        return None
