"""What an account keeps, logs and tells: where a canary is searched for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.embedded.stack import Stack


class Heard:
    """What functions logged and what the stack's bus carried, from before the first apply."""

    def __init__(self, stack: Stack) -> None:
        self.lines: list[str] = []
        self.items: list[str] = []
        self._table = stack.outputs["TableName"], stack.account.boto("dynamodb")
        self._sqs = stack.account.boto("sqs")
        stack.account.runtime.on_log_line.append(lambda _function, line: self.lines.append(line))
        self._url = self._sqs.create_queue(QueueName="overheard")["QueueUrl"]
        arn = f"arn:aws:sqs:{stack.account.region}:{stack.account.account_id}:overheard"
        events, bus = stack.account.boto("events"), stack.outputs["BusName"]
        pattern = json.dumps({"source": ["autoscaler"]})
        events.put_rule(Name="overhear", EventBusName=bus, EventPattern=pattern)
        events.put_targets(Rule="overhear", EventBusName=bus, Targets=[{"Id": "q", "Arn": arn}])

    def look_at_table(self) -> None:
        name, dynamodb = self._table
        self.items += [json.dumps(item) for item in dynamodb.scan(TableName=name)["Items"]]

    def events(self) -> list[str]:
        found: list[str] = []
        while batch := self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10, VisibilityTimeout=43200
        ).get("Messages"):
            found += [message["Body"] for message in batch]
        return found


def metrics(stack: Stack) -> list[str]:
    """Names and dimensions of all metrics."""
    pages = stack.account.boto("cloudwatch").get_paginator("list_metrics").paginate()
    return [json.dumps(one) for page in pages for one in page["Metrics"]]


def executions(stack: Stack) -> Iterator[str]:
    """Inputs, outputs and whole histories of everything that ran."""
    states = stack.account.boto("stepfunctions")

    def pages(operation: str, **asked: Any) -> Iterator[Any]:
        yield from states.get_paginator(operation).paginate(**asked)

    machines = [one for page in pages("list_state_machines") for one in page["stateMachines"]]
    for machine in machines:
        runs = pages("list_executions", stateMachineArn=machine["stateMachineArn"])
        for execution in (one for page in runs for one in page["executions"]):
            which = {"executionArn": execution["executionArn"]}
            yield json.dumps(states.describe_execution(**which), default=str)
            for page in pages("get_execution_history", **which, includeExecutionData=True):
                yield json.dumps(page["events"], default=str)
