"""Lets a role's calls through that its policies allow, and nothing else.

Whoever owns the account is free. A refusal is kept, and answered as AWS answers it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from werkzeug.wrappers import Request, Response

from tools.embedded.iam import ledger
from tools.embedded.iam.account_view import AccountView, Documents
from tools.embedded.iam.needed import Need
from tools.embedded.iam.needs import UnknownCallError, needs_of
from tools.embedded.iam.policy import Statement, Verdict, judge, statements
from tools.embedded.iam.requests import Call, call_of
from tools.embedded.kernel.errors import error_reply
from tools.embedded.kernel.signatures import signature_of

log = logging.getLogger(__name__)

_TAG = "aws:resourcetag/"
_CALLS = "lambda:functionarn"
_BOUNDARY = "the permissions boundary"
# Where AWS answers neither AccessDeniedException nor 400.
_CODES = {
    "s3": ("AccessDenied", 403),
    "sqs": ("AccessDenied", 403),
    "sns": ("AuthorizationError", 403),
    "cloudwatch": ("AccessDenied", 403),
    "cloudformation": ("AccessDenied", 403),
    "iam": ("AccessDenied", 403),
    "sts": ("AccessDenied", 403),
    "lambda": ("AccessDeniedException", 403),
}


@dataclass(frozen=True)
class Denial:
    """A call that a role may not make; `why` is the sentence that its caller reads."""

    role: str  # the logical id in its template, or the role's name
    action: str
    resource: str
    why: str
    # What is not there has no tags, so a condition on tags refuses it; and whose role was deleted
    # with its stack has no rights any more.
    of_nothing: bool = False


@dataclass(frozen=True)
class _Policy:
    documents: Documents
    statements: tuple[Statement, ...]
    boundary: tuple[Statement, ...]  # what the statements may at most allow; none: no boundary
    by_tags: bool  # whether any condition looks at the resource's tags
    gone: bool  # the role itself is not there (any more)


class Guard:
    """One account's."""

    def __init__(self, view: AccountView) -> None:
        self._view = view
        self._lock = threading.Lock()
        self._sessions: dict[str, tuple[str, str] | None] = {}
        self._policies: dict[str, _Policy] = {}
        self._verdicts: dict[tuple[Any, ...], Verdict] = {}
        self._origins: dict[str, tuple[str, str]] = {}
        self._uses: dict[ledger.Use, None] = {}
        self.denials: list[Denial] = []
        self.expected: set[str] = set()  # actions whose denial a test wants to see
        # False: roles may do everything, and nothing is kept, as for a release whose roles are
        # what they are.
        self.enforced = True

    @property
    def allowed(self) -> int:
        """How many different things roles were allowed to do."""
        return len(self._uses)

    @property
    def surprises(self) -> list[Denial]:
        """The denials that nobody expects: what must be none at the end of a test.

        Those of things that are gone are none of them: AWS, too, refuses to delete what has no
        tags any more, and the flows then look whether it is there.
        """
        return [
            one for one in self.denials if one.action not in self.expected and not one.of_nothing
        ]

    def answer(
        self, signed_for: str, environ: Mapping[str, Any], body: Callable[[], bytes]
    ) -> Response | None:
        """The refusal of a request; None: it may pass. What is presigned goes by the rights that
        its signer has now, whoever sends it."""
        signed = signature_of(environ)
        session = self._session(signed.access_key) if signed else None
        if session is None:
            return None
        call = call_of(signed_for, environ, body)
        denial = self.judge(*session, call)
        if denial is None:
            return None
        code, status = _CODES.get(call.service, ("AccessDeniedException", 400))
        return error_reply(Request(dict(environ)), code, denial.why, status, service=signed_for)

    def judge(self, role_arn: str, session: str, call: Call) -> Denial | None:
        """Whether a role may make a call; keeps what was found."""
        if not self.enforced:
            return None
        try:
            needs = needs_of(call, self._view)
        except UnknownCallError as wrong:
            return self._denied(role_arn, Need(call.name, "*"), str(wrong))
        for need in needs:
            if denial := self.require(role_arn, session, need):
                return denial
        return None

    def require(self, role_arn: str, session: str, need: Need) -> Denial | None:
        """As `judge`, for one need: of services that act with a role they were given."""
        if not self.enforced:
            return None
        policy = self._policy(role_arn)
        context = dict(need.context)
        if policy.by_tags:
            tags = self._view.tags(need.resource)
            context |= {f"{_TAG}{key}".lower(): (value,) for key, value in tags.items()}
        verdict = self._verdict(role_arn, policy, need, context)
        if not verdict.allowed:
            gone = self._is_of_nothing(policy, need, context)
            why = _sentence(role_arn, session, need, verdict)
            return self._denied(role_arn, need, why, of_nothing=gone)
        self._used(role_arn, need, context, verdict)
        if need.action == "iam:CreateServiceLinkedRole":
            self._view.scaling_role_made = True
        return None

    def _is_of_nothing(
        self, policy: _Policy, need: Need, context: Mapping[str, tuple[str, ...]]
    ) -> bool:
        """Whether the role is gone, or only tags are missing: what would have them is not there."""
        if policy.gone:
            return True
        if not policy.by_tags or not self._view.is_gone(need.resource):
            return False
        untagged = map(_of_what_is_gone, policy.statements)
        return judge(untagged, need.action, need.resource, context).allowed

    def session_of(self, access_key: str) -> tuple[str, str] | None:
        """The role that an access key is of, and the session's name; None: it is the owner's."""
        return self._session(access_key)

    def close(self) -> None:
        ledger.write(self._uses)

    def _session(self, access_key: str) -> tuple[str, str] | None:
        if access_key not in self._sessions:
            self._sessions[access_key] = self._view.session(access_key)
        return self._sessions[access_key]

    def _policy(self, role_arn: str) -> _Policy:
        present = self._view.documents(role_arn)
        documents = present or Documents()
        known = self._policies.get(role_arn)
        if known is None or known.documents != documents or known.gone != (present is None):
            found = statements(documents.policies)
            bounds = statements([documents.boundary] if documents.boundary else [])
            by_tags = any(
                _is_its_own(key)
                for one in found
                for keys in one.conditions.values()
                for key in keys
            )
            known = self._policies[role_arn] = _Policy(
                documents, found, bounds, by_tags, present is None
            )
        return known

    def _verdict(
        self, role_arn: str, policy: _Policy, need: Need, context: Mapping[str, tuple[str, ...]]
    ) -> Verdict:
        key = (role_arn, policy.documents, need.action, need.resource, tuple(context.items()))
        found = self._verdicts.get(key)
        if found is None:
            found = judge(policy.statements, need.action, need.resource, context)
            if policy.boundary:
                limit = judge(policy.boundary, need.action, need.resource, context)
                found = found if limit.allowed else Verdict((), _BOUNDARY)
            self._verdicts[key] = found
        return found

    def _used(
        self, role_arn: str, need: Need, context: Mapping[str, tuple[str, ...]], verdict: Verdict
    ) -> None:
        template, role = self._origin(role_arn)
        use = ledger.Use(
            template,
            role,
            need.action,
            need.resource,
            tuple(context.items()),
            verdict.by,
            verdict.entries,
        )
        self._uses.setdefault(use)

    def _denied(self, role_arn: str, need: Need, why: str, *, of_nothing: bool = False) -> Denial:
        role = self._origin(role_arn)[1]
        denial = Denial(role, need.action, need.resource, why, of_nothing)
        log.warning("denied: %s", why)
        with self._lock:
            self.denials.append(denial)
        return denial

    def _origin(self, role_arn: str) -> tuple[str, str]:
        if role_arn not in self._origins:
            self._origins[role_arn] = self._view.origin(role_arn)
        return self._origins[role_arn]


def _of_what_is_gone(one: Statement) -> Statement:
    """A statement that does not look at what the resource itself would say, were it there."""
    kept = {
        operator: {key: wanted for key, wanted in keys.items() if not _is_its_own(key)}
        for operator, keys in one.conditions.items()
    }
    return replace(one, conditions=kept)


def _is_its_own(key: str) -> bool:
    """Its tags, and the function that a mapping calls."""
    return key.lower().startswith(_TAG) or key.lower() == _CALLS


def _sentence(role_arn: str, session: str, need: Need, verdict: Verdict) -> str:
    account, name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    why = (
        f"with an explicit deny in {verdict.denied_by}"
        if verdict.denied_by
        else f"because no identity-based policy allows the {need.action} action"
    )
    return (
        f"User: arn:aws:sts::{account}:assumed-role/{name}/{session} is not authorized to "
        f"perform: {need.action} on resource: {need.resource} {why}"
    )
