"""What SageMaker's runtime says of an endpoint that is not there is no failure of a request."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from autoscaler.aws.late import S3LateModels
from autoscaler.aws.model import SageMakerModels
from autoscaler.ports import BusyError, NoCapacityError

NOT_THERE = (
    # aws/amazon-sagemaker-examples, issues 293 and 559
    "Endpoint autoscaler-llama of account 123456789012 not found.",
    "Inference Component autoscaler-llama of endpoint autoscaler-llama not found.",
)


class Refusing:
    """SageMaker's runtime, and an S3 that takes what it is given."""

    def __init__(self, message: str, code: str = "ValidationError") -> None:
        self._error = {"Error": {"Code": code, "Message": message}}

    def invoke_endpoint_with_response_stream(self, **_: Any) -> Any:
        raise ClientError(self._error, "InvokeEndpointWithResponseStream")

    def invoke_endpoint_async(self, **_: Any) -> Any:
        raise ClientError(self._error, "InvokeEndpointAsync")

    def put_object(self, **_: Any) -> None:
        return None


@pytest.mark.parametrize("message", NOT_THERE)
def test_an_endpoint_that_is_not_there_has_no_copy_to_answer(message: str) -> None:
    with pytest.raises(NoCapacityError, match="not found"):
        SageMakerModels("autoscaler", Refusing(message)).ask("llama", {"prompt": "x"})


@pytest.mark.parametrize("message", NOT_THERE)
def test_nor_does_it_take_a_request_for_later(message: str) -> None:
    nobody = Refusing(message)
    with pytest.raises(BusyError, match="not found"):
        S3LateModels("autoscaler", "results", nobody, nobody).ask("llama", "r-1", {"prompt": "x"})


def test_what_a_model_does_not_find_is_its_own_refusal() -> None:
    refusing = Refusing("model lora-7 not found", "ModelError")
    with pytest.raises(ClientError, match="lora-7"):
        SageMakerModels("autoscaler", refusing).ask("llama", {"prompt": "x"})
