"""What goes in a sweep loses its scalable target first, whatever AWS says of it at first."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from autoscaler.aws.removal import remove
from autoscaler.control.sweep import Kind, Resource

NAME = "autoscaler-llama"


class Account:
    """Answers each deregistration with what is next in turn: an error's code, or nothing."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.calls = list(answers), []

    def __call__(self, _service: str) -> Account:
        return self

    def deregister_scalable_target(self, ResourceId: str, **_: Any) -> None:
        self.calls.append(ResourceId)
        if code := self.answers.pop(0):
            raise ClientError({"Error": {"Code": code}}, "DeregisterScalableTarget")

    def delete_inference_component(self, InferenceComponentName: str) -> None:
        self.calls.append(InferenceComponentName)


TARGET = f"inference-component/{NAME}"
ABSENT = "ObjectNotFoundException"


@pytest.mark.parametrize(
    ("answers", "calls"),
    [
        ([""], [TARGET, NAME]),
        ([ABSENT, ""], [TARGET, TARGET, NAME]),  # it was there
        ([ABSENT, ABSENT], [TARGET, TARGET, NAME]),
    ],
)
def test_a_target_is_given_up_before_what_it_scales(answers: list[str], calls: list[str]) -> None:
    account = Account(*answers)
    remove(account, Resource(Kind.COMPONENT, NAME))
    assert (account.calls, account.answers) == (calls, [])


def test_what_keeps_its_target_stays() -> None:
    account = Account("ConcurrentUpdateException")
    with pytest.raises(ClientError):
        remove(account, Resource(Kind.COMPONENT, NAME))
    assert account.calls == [TARGET]
