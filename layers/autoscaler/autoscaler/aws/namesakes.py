"""What AWS already has under the names of an endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from ..control.sweep import Kind, Resource
from ..endpoints.names import ResourceNames
from .clients import client
from .details import GoneError, absent, detailed


class Namesakes:
    """Finds them for one stack. An error of AWS is raised: it means neither absent nor there."""

    def __init__(self, prefix: str, clients: Callable[[str], Any] = client) -> None:
        self._prefix, self._clients = prefix, clients

    def of_sagemaker(
        self,
        name: str,
        configs: Sequence[str] = (),
        models: Sequence[str] = (),
        hosted: str = "",
    ) -> list[Resource]:
        """Of configs and models those of these names, or of the endpoint's own; `hosted`: the
        SageMaker endpoint that it is on."""
        base = ResourceNames(self._prefix, name).base
        wanted = [
            Resource(Kind.COMPONENT, base),
            Resource(Kind.ENDPOINT, hosted or base),
            *(Resource(Kind.CONFIG, one) for one in configs or [base]),
            *(Resource(Kind.MODEL, one) for one in models or [base]),
        ]
        return [*self._found(wanted)]

    def all(self, name: str, hosted: str = "") -> list[Resource]:
        names = ResourceNames(self._prefix, name)
        queues = [
            Resource(Kind.QUEUE, queue, arn=url)
            for queue in (names.queue, names.later_queue, names.dead_letter_queue)
            if (url := self._url(queue))
        ]
        return [*self.of_sagemaker(name, hosted=hosted), *self._found(queues)]

    def _found(self, wanted: Any) -> Iterator[Resource]:
        for resource in wanted:
            try:
                yield detailed(self._clients, resource)
            except GoneError:
                continue

    def _url(self, queue: str) -> str | None:
        try:
            return str(self._clients("sqs").get_queue_url(QueueName=queue)["QueueUrl"])
        except ClientError as error:
            if absent(error):
                return None
            raise
