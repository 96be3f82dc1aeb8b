"""A net under every deployed stack: secrets and prompts, searched for wherever they do not belong.

What is written (events, metrics, items, executions' inputs) is looked at as it passes the account's
front, log lines as they are logged, answers of commands as they come. Objects, messages and
payloads of functions may say prompts and answers, but never the Hub's token. Histories of
executions, messages in Slack and reports are looked at when the stack is given up. What is found is
told by its place, and never itself.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request

from tests.embedded.overheard import executions

if TYPE_CHECKING:
    from tests.embedded.stack import Stack

# Of a gateway by keys; of it only the digest is in the account.
GATEWAY_KEY = "ask-canaryOfEveryStack7Yq2mN4xW9"
HUB_TOKEN = "hf_canaryOfEveryStack7Yq2mN4xW9"
# Services through which neither goes; queues, buckets, models and secrets are there for them.
WATCHED = frozenset({"dynamodb", "events", "logs", "monitoring", "sns", "states"})
# Those in which prompts and answers are at home, and the Hub's token is not.
TOKEN_FREE = frozenset({"lambda", "s3", "sqs"})
_SHORTEST = 12  # characters of a prompt: "x" is in everything
_SHOWN = 60  # characters on either side of what was found


class Net:
    """The secrets of one stack, and where they were seen."""

    def __init__(self, stack: Stack, secrets: Iterable[str]) -> None:
        self.leaks: dict[str, str] = {}  # what was around it, by place
        self._stack = stack
        self._secrets: set[str] = set()
        self._keys: set[str] = set()
        self._tokens: set[str] = set()
        self._lock = threading.Lock()
        for secret in secrets:
            self.watch(secret)
        stack.account.front.on_request.append(self._request)
        stack.account.runtime.on_log_line.append(
            lambda function, line: self.look(f"log of {function}", line)
        )
        stack.account.runtime.on_payload.append(
            lambda function, payload: self.look_for_tokens(f"payload of {function}", payload)
        )

    def watch(self, secret: str) -> None:
        """Also as JSON has it."""
        with self._lock:
            self._secrets = {*self._secrets, secret, json.dumps(secret)[1:-1]}

    def watch_key(self, key: str) -> None:
        """A gateway's: it may be nowhere, not even where prompts and answers are."""
        self.watch(key)
        self._keys = {*self._keys, key}

    def watch_token(self, token: str) -> None:
        """The Hub's: it belongs into its secret and into models' environments."""
        self.watch(token)
        self._tokens = {*self._tokens, token}

    def asked(self, body: Any) -> None:
        """Watches the prompts of a request that is about to be sent."""
        for prompt in _prompts(body):
            if len(prompt) >= _SHORTEST:
                self.watch(prompt)

    def look(self, place: str, text: str) -> None:
        self._look(place, text, self._secrets)

    def look_for_keys(self, place: str, text: str) -> None:
        """In what may say prompts and answers."""
        self._look(place, text, self._keys)

    def look_for_tokens(self, place: str, given: bytes) -> None:
        if any(token.encode() in given for token in self._tokens):
            self._look(place, given.decode(errors="replace"), self._tokens)

    def _look(self, place: str, text: str, secrets: set[str]) -> None:
        for secret in secrets:
            at = text.find(secret)
            if at >= 0:
                around = text[max(0, at - _SHOWN) : at + len(secret) + _SHOWN]
                for one in self._secrets:
                    around = around.replace(one, "***")
                self.leaks.setdefault(place, around)

    def look_at_what_is_left(self) -> None:
        """Executions with their whole histories, what Slack was told, and the reports."""
        stack = self._stack
        for text in executions(stack):
            self.look("an execution's history", text)
        for message in stack.slack.messages:
            self.look("Slack", json.dumps(message, ensure_ascii=False))
        s3, bucket = stack.account.boto("s3"), stack.outputs["ReportsBucketName"]
        for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
            self.look(f"report {entry['Key']}", body.decode())

    def _request(self, service: str, request: Request) -> None:
        place = f"{service} {request.headers.get('X-Amz-Target', '')}".strip()
        if service in WATCHED:
            self.look(place, request.get_data(as_text=True))
        if service in TOKEN_FREE:
            self.look_for_tokens(f"{service} {request.method} {request.path}", request.get_data())
        if self._keys:
            body = request.get_data().decode(errors="replace")
            self.look_for_keys(place, f"{request.url}\n{request.headers}\n{body}")


def settle(net: Net) -> None:
    """Raises AssertionError naming each place where a secret was seen."""
    net.look_at_what_is_left()
    told = "\n".join(f"{place}: …{around}…" for place, around in sorted(net.leaks.items()))
    assert not net.leaks, f"a secret or a prompt got where it does not belong:\n{told}"


def _prompts(body: Any) -> Iterable[str]:
    if not isinstance(body, Mapping):
        return
    given = [body.get("prompt"), body.get("inputs")]
    messages = body.get("messages")
    if isinstance(messages, list):
        given += [one.get("content") for one in messages if isinstance(one, Mapping)]
    yield from (one for one in given if isinstance(one, str))
