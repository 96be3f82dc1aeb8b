"""AWS's errors under classes that a state machine can tell apart."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from autoscaler.aws.troubles import (
    DeniedError,
    LimitError,
    RefusedError,
    ThrottledError,
    UnavailableError,
    by_class,
)

URL = "http://127.0.0.1:1"


def refused(code: str, status: int = 400) -> ClientError:
    reply = {
        "Error": {"Code": code, "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(reply, "DescribeEndpoint")


def canceled(*reasons: str) -> ClientError:
    error = refused("TransactionCanceledException")
    error.response["CancellationReasons"] = [{"Code": reason} for reason in reasons]
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refused("ThrottlingException"), ThrottledError),
        (refused("RequestThrottled"), ThrottledError),
        (refused("Anything", 429), ThrottledError),
        (refused("InternalFailure", 500), UnavailableError),
        (refused("ModelError", 424), UnavailableError),
        (ConnectionClosedError(endpoint_url=URL), UnavailableError),
        (EndpointConnectionError(endpoint_url=URL), UnavailableError),
        (ReadTimeoutError(endpoint_url=URL), UnavailableError),
        (refused("AccessDeniedException"), DeniedError),
        (refused("ResourceLimitExceeded"), LimitError),
        (refused("ValidationException"), RefusedError),
        (canceled("None", "ThrottlingError"), ThrottledError),
        (canceled("ProvisionedThroughputExceeded", "None"), ThrottledError),
        (canceled("None", "ValidationError"), RefusedError),
    ],
)
def test_an_error_of_aws_has_the_name_of_what_it_means(error, kind) -> None:
    @by_class
    def call() -> None:
        raise error

    with pytest.raises(kind, match=r".") as told:
        call()
    assert told.value.__cause__ is error
    assert str(error) in str(told.value), "the reason is not lost"


def test_every_other_error_stays_as_it_is() -> None:
    @by_class
    def call() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        call()
