"""What CloudFormation asks of the stack's own resource, and whom it is answered."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from autoscaler.runtime.stack import StackRequest

SIGNED = "cloudformation-custom-resource-response-useast1.s3.amazonaws.com/arn?Signature=s3cret"
ASKED: dict[str, Any] = {
    "RequestType": "Delete",
    "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/autoscaler/1",
    "RequestId": "7bf73129-1428-4cd3-a780-95db273d1602",
    "LogicalResourceId": "Retirement",
}
OTHERS = [
    f"http://{SIGNED}",
    f"file:///{SIGNED}",
    f"ftp://{SIGNED}",
    f"http://127.0.0.1.nip.example/{SIGNED}",
    f"https://[half/{SIGNED}",
    f"https://x y/{SIGNED}",
    SIGNED,
]


@pytest.mark.parametrize("url", OTHERS)
def test_cloudformation_is_answered_by_https_only_and_its_url_is_in_no_error(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        StackRequest.model_validate({**ASKED, "ResponseURL": url})
    assert "ResponseURL" in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("url", [f"https://{SIGNED}", f"http://127.0.0.1:8000/{SIGNED}"])
def test_a_signed_url_by_https_and_one_of_this_machine_are_taken(url: str) -> None:
    assert StackRequest.model_validate({**ASKED, "ResponseURL": url}).ResponseURL == url
