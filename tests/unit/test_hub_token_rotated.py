"""A token of the Hub that is rotated within the five minutes in which it is remembered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from autoscaler.runtime import staging
from autoscaler.staging.errors import HubError, HubReplyError
from autoscaler.staging.hub import HubClient
from autoscaler.staging.hub_files import HubFile
from autoscaler.staging.retry import RetryPolicy
from autoscaler.staging.stream import read_small
from autoscaler.staging.windows import FileAt, Windows
from tools.hub.repository import Repository, make_repository
from tools.hub.server import HubServer

MODEL = "example/gated"
OLD, NEW = "hf_old", "hf_new"
OPENS = frozenset({MODEL})
SHARD = "model-00001-of-00001.safetensors"
PATIENCE = RetryPolicy(attempts=2, base_seconds=0.001, wait_budget_seconds=1.0)


class Secret:
    """Secrets Manager with the stack's one secret."""

    def __init__(self) -> None:
        self.token, self.reads = OLD, 0

    def get_secret_value(self, **_named: Any) -> dict[str, str]:
        self.reads += 1
        return {"SecretString": json.dumps({"token": self.token})}


@pytest.fixture
def repository() -> Repository:
    return make_repository(MODEL, shards=1, shard_bytes=1 << 12, gated=True)


@pytest.fixture
def server(repository: Repository) -> Iterator[HubServer]:
    with HubServer([repository], tokens={OLD: OPENS}) as running:
        yield running


@pytest.fixture
def secret(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> Secret:
    found = Secret()
    monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
    monkeypatch.setenv("HUB_TOKEN_SECRET", "autoscaler/hub-token")
    monkeypatch.setattr(staging, "client", lambda _service: found)
    monkeypatch.setattr(staging, "time", SimpleNamespace(time=lambda: 0.0))  # within a period
    staging._hub.cache_clear()
    return found


def rotate(server: HubServer, secret: Secret) -> None:
    """The old one is refused from now on, which is looked at here: with 401."""
    server.tokens, secret.token = {NEW: OPENS}, NEW
    with pytest.raises(HubReplyError, match="does not accept the token"):
        HubClient(server.endpoint, token=OLD).resolve(MODEL, "main")


def _resolve(hub: HubClient, repository: Repository) -> object:
    return hub.resolve(MODEL, "main").commit == repository.commit


def _list(hub: HubClient, repository: Repository) -> object:
    return {one.path for one in hub.tree(MODEL, repository.commit)} == set(repository.files)


def _small(hub: HubClient, repository: Repository) -> object:
    file = repository.files["config.json"]
    listed = HubFile("config.json", file.size_bytes, file.git_oid, None)
    return read_small(hub, MODEL, repository.commit, listed, 1 << 20) == file.content


def _large(hub: HubClient, repository: Repository) -> object:
    """What is redirected to the CDN, and what the Hub gives itself."""
    return all(_windows(hub, repository, path) for path in (SHARD, "tokenizer.json"))


def _windows(hub: HubClient, repository: Repository, path: str) -> bool:
    file = repository.files[path]
    windows = Windows(hub, FileAt(MODEL, repository.commit, path, file.size_bytes))
    try:
        return b"".join(bytes(one) for one in windows) == file.content
    finally:
        windows.close()


STEPS: dict[str, Callable[[HubClient, Repository], object]] = {
    "a revision": _resolve,
    "a list of files": _list,
    "a small file": _small,
    "large files": _large,
}


@pytest.mark.parametrize("step", STEPS)
def test_a_rotated_token_is_read_again_at_the_first_refusal(
    server: HubServer, secret: Secret, repository: Repository, step: str
) -> None:
    hub = staging.hub().within(PATIENCE)
    assert hub.resolve(MODEL, "main").commit == repository.commit
    rotate(server, secret)
    assert STEPS[step](hub, repository)
    assert secret.reads == 2
    assert staging.hub().within(PATIENCE).resolve(MODEL, "main").commit == repository.commit
    assert secret.reads == 3, "whoever comes next begins with the new one"


def test_an_address_at_the_hub_itself_gets_the_new_token_in_the_middle_of_a_file(
    server: HubServer, secret: Secret, repository: Repository
) -> None:
    hub, path = staging.hub().within(PATIENCE), "tokenizer.json"
    file = repository.files[path]
    windows = Windows(
        hub,
        FileAt(MODEL, repository.commit, path, file.size_bytes),
        connections=1,
        window_bytes=file.size_bytes // 4,
    )
    try:
        found = b""
        for number, window in enumerate(windows):
            found += bytes(window)
            if number == 0:
                rotate(server, secret)
    finally:
        windows.close()
    assert (found, secret.reads) == (file.content, 2)


def test_a_token_that_is_set_only_now_opens_what_was_closed(
    server: HubServer, secret: Secret, repository: Repository
) -> None:
    secret.token = "unset"
    hub = staging.hub().within(PATIENCE)
    secret.token = OLD
    assert _small(hub, repository)
    assert hub.token.given


def test_a_token_is_read_anew_after_five_minutes_before_anybody_refuses_it(
    server: HubServer, secret: Secret, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at(second: float) -> HubClient:
        monkeypatch.setattr(staging, "time", SimpleNamespace(time=lambda: second))
        return staging.hub().within(PATIENCE)

    for second in (0.0, 299.0):
        assert at(second).resolve(MODEL, "main").commit == repository.commit
    assert secret.reads == 1
    rotate(server, secret)
    hub = at(300.0)
    assert secret.reads == 2, "before the Hub was asked anything"
    assert hub.resolve(MODEL, "main").commit == repository.commit
    assert secret.reads == 2


def test_a_token_that_is_refused_and_has_no_successor_is_told_after_one_more_look(
    server: HubServer, secret: Secret
) -> None:
    hub = staging.hub().within(PATIENCE)
    rotate(server, secret)
    secret.token = OLD
    with pytest.raises(
        HubReplyError, match="does not accept the token in the stack's secret autoscaler/hub-token"
    ):
        hub.resolve(MODEL, "main")
    assert secret.reads == 2


def test_a_successor_that_is_no_token_is_told(server: HubServer, secret: Secret) -> None:
    hub = staging.hub().within(PATIENCE)
    rotate(server, secret)
    secret.token = "two words"
    with pytest.raises(HubError, match="is no token: it has spaces or breaks"):
        hub.resolve(MODEL, "main")
