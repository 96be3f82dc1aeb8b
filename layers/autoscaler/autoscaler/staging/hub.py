"""The Hugging Face Hub: what a repository holds at a commit, and its files as streams."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlsplit

from ..endpoints.redacted import without
from .errors import (
    HubError,
    HubReplyError,
    IntegrityError,
)
from .http import (
    Origin,
    Reply,
    joined,
    refuse_other_than_bytes,
    request,
    safe_address,
)
from .hub_files import COMMIT, HubFile, Revision, is_folder, licence_of, parse_file
from .hub_replies import NOWHERE, Token, refuse_reply
from .retry import Retrier, RetryPolicy, TransientError

DEFAULT_ENDPOINT = "https://huggingface.co"
# Where the Hub sends downloads: its CDNs and its Xet bridge.
DEFAULT_REDIRECT_HOSTS = ("*.huggingface.co", "*.hf.co")
PAGE_ENTRIES = 1000
_MAX_JSON_BYTES = 32 * 1024 * 1024
_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_PAGES = 200
_AGENT = {"User-Agent": "llm-endpoint-autoscaler"}
_TOKEN = re.compile(r"[!-~]{1,512}")
_NEXT_PAGE = re.compile(r'<([^<>]+)>\s*;\s*rel="?next"?')
Done = TypeVar("Done")


@dataclass(frozen=True)
class Location:
    """An address that gives a file's bytes, and what must be sent to it."""

    url: str = field(repr=False)  # signed: it must not reach a log
    headers: Mapping[str, str] = field(repr=False)
    at_home: bool  # the Hub itself, not a CDN


class HubClient:
    """Reads one Hub. The token goes to the Hub's own origin and nowhere else."""

    def __init__(
        self,
        endpoint: str = DEFAULT_ENDPOINT,
        token: str | None = None,
        redirect_hosts: tuple[str, ...] = DEFAULT_REDIRECT_HOSTS,
        policy: RetryPolicy | None = None,
        deadline_seconds: float = 30.0,
        token_place: str = NOWHERE,
        read_token: Callable[[], str | None] | None = None,
    ) -> None:
        """`deadline_seconds` is for the head of a reply, and for each receive of its body.

        `token_place` is where a person puts the token, and `read_token` what lies there now: it is
        asked when the Hub refuses the one that was given. Raises HubReplyError for an unusable
        endpoint or token.
        """
        self.endpoint = endpoint.rstrip("/")
        self._origin = Origin.of(self.endpoint)
        if self._origin.scheme != "https" and not self._origin.is_loopback:
            raise HubReplyError(f"HF_ENDPOINT {self.endpoint}: plain http only on loopback")
        self._read_token = read_token
        self._use(token, token_place)
        self._redirect_hosts = tuple(host.lower() for host in redirect_hosts)
        self.policy = policy or RetryPolicy()
        self.deadline_seconds = deadline_seconds

    def __repr__(self) -> str:
        return f"HubClient({self.endpoint!r}, token={'given' if self.token.given else 'none'})"

    def _use(self, token: str | None, place: str) -> None:
        if token and not _TOKEN.fullmatch(token):
            raise HubReplyError(f"what is in {place} is no token: it has spaces or breaks")
        self._token = token
        self.token = Token(bool(token), place)

    def within(self, policy: RetryPolicy) -> Self:
        """The same Hub, with another patience."""
        again = copy.copy(self)
        again.policy = policy
        return again

    def resolve(self, model_id: str, revision: str) -> Revision:
        """Pins a branch, tag or commit.

        Raises ModelNotFoundError, RevisionNotFoundError, GatedModelError, HubUnavailableError.
        """
        url = f"{self._api(model_id)}/revision/{quote(revision, safe='')}"
        found, _, _ = self._json(url, f"{model_id} at {revision}", None)
        commit = found.get("sha") if isinstance(found, dict) else None
        if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
            raise HubReplyError(f"{model_id} at {revision}: the Hub named no commit")
        return Revision(model_id, commit, bool(found.get("gated")), licence_of(found))

    def tree(self, model_id: str, commit: str) -> Iterator[HubFile]:
        """All files at a commit, page by page, each page of that very commit."""
        query = f"recursive=true&expand=false&limit={PAGE_ENTRIES}"
        url: str | None = f"{self._api(model_id)}/tree/{commit}?{query}"
        for _ in range(_MAX_PAGES):
            entries, headers, url = self._json(url or "", f"the file list of {model_id}", commit)
            if not isinstance(entries, list):
                raise HubReplyError(f"{model_id}: the Hub's file list is not a list")
            yield from (parse_file(entry) for entry in entries if not is_folder(entry))
            url = self._next_page(url, headers)
            if url is None:
                return
        raise HubReplyError(f"{model_id}: the Hub's file list does not end")

    def check_access(self, model_id: str, commit: str) -> None:
        """Asks for a file; raises GatedModelError when the token opens none."""
        file = next((file for file in self.tree(model_id, commit) if file.size_bytes), None)
        if file is not None:
            path = file.path
            self.retried(lambda: self.locate(model_id, commit, path), model_id)

    def open(self, model_id: str, commit: str, path: str, offset: int = 0) -> Reply:
        """A reply that streams the file from `offset`; one attempt, TransientError if in vain."""
        url = f"{self.endpoint}/{model_id}/resolve/{commit}/{quote(path)}"
        reply = self._follow(url, {"Range": f"bytes={offset}-"} if offset else {}, commit)
        try:
            if reply.status not in {200, 206}:
                refuse_reply(
                    reply.status, reply.headers, f"{model_id}/{path}", self.token, is_listed=True
                )
            refuse_other_than_bytes(reply.headers)
        except BaseException:
            reply.close()
            raise
        return reply

    def locate(self, model_id: str, commit: str, path: str) -> Location:
        """Where the file's bytes are; one attempt, TransientError if in vain.

        Where the Hub redirects to is a signed address that expires: ask again then. A file that
        it gives itself is asked for by one byte.
        """
        url = f"{self.endpoint}/{model_id}/resolve/{commit}/{quote(path)}"
        for _ in range(_MAX_REDIRECTS):
            reply = self._ask(url, {"Range": "bytes=0-0"}, commit)
            try:
                if reply.status in _REDIRECTS:
                    url = self._redirect(url, reply)
                    if Origin.of(url) != self._origin:
                        return Location(url, _AGENT, at_home=False)
                    continue
                if reply.status not in {200, 206}:
                    what = f"{model_id}/{path}"
                    refuse_reply(reply.status, reply.headers, what, self.token, is_listed=True)
            finally:
                reply.close()
            return Location(url, {**_AGENT, **self._credentials(url)}, at_home=True)
        raise HubReplyError(f"{safe_address(url)}: more than {_MAX_REDIRECTS} redirects")

    def _credentials(self, url: str) -> dict[str, str]:
        at_home = Origin.of(url) == self._origin
        return {"Authorization": f"Bearer {self._token}"} if at_home and self._token else {}

    def _api(self, model_id: str) -> str:
        return f"{self.endpoint}/api/models/{quote(model_id)}"

    def _json(self, url: str, what: str, commit: str | None) -> tuple[Any, Mapping[str, str], str]:
        """The answer, its headers, and who gave it: of a renamed repository another address."""
        return self.retried(lambda: self._json_once(url, what, commit), what)

    def retried(self, attempt: Callable[[], Done], what: str) -> Done:
        """What `attempt` returns at last; HubUnavailableError when the budget is spent."""
        retrier = Retrier(self.policy)
        while True:
            try:
                return attempt()
            except TransientError as trouble:
                retrier.wait(trouble, what)

    def _json_once(
        self, url: str, what: str, commit: str | None
    ) -> tuple[Any, Mapping[str, str], str]:
        reply = self._follow(url, {}, commit)
        try:
            if reply.status != 200:
                refuse_reply(reply.status, reply.headers, what, self.token)
            body = _whole(reply, what)
        finally:
            reply.close()
        try:
            text = without(body.decode("utf-8-sig"), self._token or "")
            return json.loads(text), reply.headers, reply.url
        except (ValueError, RecursionError) as wrong:
            if reply.headers.get("content-type", "").startswith("text/html"):
                raise TransientError("a web page came instead of an answer") from wrong
            raise HubReplyError(f"{what}: the Hub's answer is not JSON") from wrong

    def _follow(self, url: str, headers: Mapping[str, str], commit: str | None) -> Reply:
        for _ in range(_MAX_REDIRECTS):
            reply = self._ask(url, headers, commit)
            if reply.status not in _REDIRECTS:
                return reply
            try:
                url = self._redirect(url, reply)
            finally:
                reply.close()
        raise HubReplyError(f"{safe_address(url)}: more than {_MAX_REDIRECTS} redirects")

    def _ask(self, url: str, headers: Mapping[str, str], commit: str | None) -> Reply:
        sent = self._token
        reply = self._request(url, headers)
        if reply.status == 401 and self._is_rotated(url, sent):
            reply.close()
            reply = self._request(url, headers)
        if commit and Origin.of(url) == self._origin:
            try:
                _check_commit(reply, commit, url)
            except HubError:
                reply.close()
                raise
        return reply

    def _request(self, url: str, headers: Mapping[str, str]) -> Reply:
        given = {**_AGENT, **headers, **self._credentials(url)}
        return request(url, given, self.deadline_seconds)

    def _is_rotated(self, url: str, refused: str | None) -> bool:
        """Whether there is another token than the refused one; it is sent from now on."""
        if self._read_token is None or Origin.of(url) != self._origin:
            return False
        if self._token == refused:  # or another thread has read it meanwhile
            self._use(self._read_token() or refused, self.token.place)
        return self._token != refused

    def _redirect(self, url: str, reply: Reply) -> str:
        target = joined(url, reply.headers.get("location", ""))
        origin = Origin.of(target)
        if origin == self._origin:
            return target
        if self._origin.is_loopback and origin.is_loopback:
            return target
        if origin.scheme == "https" and any(_matches(origin.host, p) for p in self._redirect_hosts):
            return target
        raise HubReplyError(
            f"the Hub redirects to {origin.scheme}://{origin.host}, which is not an allowed host"
        )

    def _next_page(self, url: str, headers: Mapping[str, str]) -> str | None:
        match = _NEXT_PAGE.search(headers.get("link", ""))
        if match is None:
            return None
        target = joined(url, match[1])
        if Origin.of(target) != self._origin:
            raise HubReplyError("the Hub's next page of files is on another host")
        if urlsplit(target).path != urlsplit(url).path:
            raise IntegrityError("the Hub's next page of files is of another model or commit")
        return target


def _matches(host: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    return host == pattern


def _check_commit(reply: Reply, commit: str, url: str) -> None:
    named = reply.headers.get("x-repo-commit")
    if named is not None and named != commit:
        raise IntegrityError(f"{safe_address(url)}: the Hub answers for commit {named}")


def _whole(reply: Reply, what: str) -> bytes:
    body = bytearray()
    while chunk := reply.receive():
        body += chunk
        if len(body) > _MAX_JSON_BYTES:
            raise HubReplyError(f"{what}: the Hub's answer does not end")
    declared = reply.headers.get("content-length")
    if declared is not None and declared != str(len(body)):
        raise TransientError(f"{len(body)} of {declared} bytes came")
    return bytes(body)
