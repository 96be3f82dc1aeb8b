"""Whoever calls has the rights of its own role, as the template gives them, and no others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any

from tests.histories.faults import RefusedError
from tests.histories.template import ROOT, resolved, resources, template
from tools.embedded.iam import ledger
from tools.embedded.iam.account_view import AccountView, Documents
from tools.embedded.iam.guard import Denial, Guard
from tools.embedded.iam.requests import call_of
from tools.embedded.types import ACCOUNT_ID, DEFAULT_REGION

_ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/"
_MACHINE = "machine "


class Rights:
    """Judges every call; what was allowed goes into the ledger of `tools.permissions`."""

    def __init__(self, sagemaker: Any) -> None:
        self._guard = Guard(_View(sagemaker))  # type: ignore[arg-type]
        self._noted: set[ledger.Use] = set()

    def check(
        self, actor: str, service: str, environ: Mapping[str, Any], body: Callable[[], bytes]
    ) -> None:
        """Raises RefusedError when the actor's role may not do that."""
        denial = self._guard.judge(_role_of(actor), "still", call_of(service, environ, body))
        if denial is not None:
            raise RefusedError("AccessDeniedException", denial.why)

    @property
    def surprises(self) -> list[Denial]:
        return self._guard.surprises

    def note(self) -> None:
        """Writes what was allowed since the last time: a copy of the world ends without a word."""
        new = [use for use in self._guard._uses if use not in self._noted]
        self._noted.update(new)
        ledger.write(new)


class _View(AccountView):
    """Roles as the template has them; everything else as in the embedded account."""

    def __init__(self, sagemaker: Any) -> None:
        account = SimpleNamespace(account_id=ACCOUNT_ID, region=DEFAULT_REGION, sagemaker=sagemaker)
        super().__init__(account)  # type: ignore[arg-type]

    def documents(self, role_arn: str) -> Documents | None:
        return _documents().get(role_arn.removeprefix(_ROLE))

    def origin(self, role_arn: str) -> tuple[str, str]:
        return str(ROOT), role_arn.removeprefix(_ROLE)


@cache
def _role_of(actor: str) -> str:
    if actor.startswith(_MACHINE):
        return _ROLE + _machines()[actor.removeprefix(_MACHINE)]
    words = actor.split("-")
    return _ROLE + "".join(word.capitalize() for word in words) + "FunctionRole"


@cache
def _machines() -> dict[str, str]:
    """The role of each state machine, by its name without the stack's."""
    found = {}
    for logical, properties in resources("AWS::Serverless::StateMachine").items():
        name = str(resolved(properties["Name"])).partition("-")[2]
        role = properties["Role"]["!GetAtt"].partition(".")[0]
        assert role in template()["Resources"], logical
        found[name] = role
    return found


@cache
def _documents() -> dict[str, Documents]:
    """By the logical id of a role."""
    found = {
        f"{logical}Role": properties.get("Policies", ())
        for logical, properties in resources("AWS::Serverless::Function").items()
    }
    for logical, properties in resources("AWS::IAM::Role").items():
        policies = properties.get("Policies", ())
        beside = [_managed(one["!Ref"]) for one in properties.get("ManagedPolicyArns", ())]
        found[logical] = [*(one["PolicyDocument"] for one in policies), *beside]
    return {role: Documents(tuple(map(_json, policies))) for role, policies in found.items()}


def _managed(logical: str) -> Any:
    return resources("AWS::IAM::ManagedPolicy")[logical]["PolicyDocument"]


def _json(document: Any) -> str:
    kept = resolved(document)
    statements = [one for one in kept["Statement"] if one is not None]
    return json.dumps({**kept, "Statement": statements})
