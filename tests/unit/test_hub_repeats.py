"""A Hub, or a proxy, that repeats what it was sent, or sends on to where nobody can go."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from autoscaler.staging.errors import HubReplyError, HubUnavailableError, StagingError
from autoscaler.staging.hub import HubClient, Location
from autoscaler.staging.ranges import RangeReader
from autoscaler.staging.retry import RetryPolicy, TransientError

TOKEN = "hf_S3CRETs3cretS3CRET"
MODEL, COMMIT = "example/model", "0" * 40
AT_ONCE = RetryPolicy(attempts=1, base_seconds=0.001, wait_budget_seconds=1.0)
Said = tuple[int, dict[str, str], bytes]
Answer = Callable[[str], Said]  # of the credentials that came


@contextmanager
def hub(answer: Answer) -> Iterator[tuple[HubClient, list[str]]]:
    """A client of a Hub that answers everything so, and the targets that it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, headers, body = answer(self.headers.get("Authorization", ""))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield (
            HubClient(
                f"http://127.0.0.1:{server.server_port}",
                TOKEN,
                policy=AT_ONCE,
                deadline_seconds=5,
            ),
            asked,
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def tree_of(name: str) -> bytes:
    return json.dumps([{"type": "file", "path": name, "size": 1, "oid": "0" * 40}]).encode()


REPEATS: dict[str, Answer] = {
    "in its message": lambda sent: (403, {"X-Error-Message": f"bad credentials: {sent}"}, b""),
    "in another case": lambda sent: (403, {"X-Error-Message": f"bad: {sent.upper()}"}, b""),
    "in its code": lambda sent: (418, {"X-Error-Code": sent}, b""),
    "as a commit": lambda sent: (200, {"X-Repo-Commit": sent}, b"[]"),
    "as a host": lambda sent: (302, {"Location": f"https://{sent.split()[-1]}.example/x"}, b""),
    "as a path": lambda sent: (302, {"Location": f"/{sent.split()[-1]}"}, b""),
    "as a scheme": lambda sent: (302, {"Location": f"{sent.split()[-1]}://x/"}, b""),
}


@pytest.mark.parametrize("answer", [*REPEATS.values()], ids=[*REPEATS])
def test_a_token_that_the_hub_repeats_is_in_no_error(answer: Answer) -> None:
    calls: list[Callable[[HubClient], object]] = [
        lambda client: client.resolve(MODEL, "main"),
        lambda client: list(client.tree(MODEL, COMMIT)),
        lambda client: client.locate(MODEL, COMMIT, "config.json"),
        lambda client: client.open(MODEL, COMMIT, "config.json"),
    ]
    said = []
    with hub(answer) as (client, asked):
        for call in calls:
            try:
                call(client)
            except (StagingError, TransientError) as refused:
                said.append(f"{refused!r} {refused.__cause__!r}")
    assert asked and said
    assert not [one for one in said if TOKEN.lower() in one.lower()]


def test_nor_in_the_names_of_its_files() -> None:
    with hub(lambda sent: (200, {}, tree_of(f"{sent}.json"))) as (client, _):
        assert [file.path for file in client.tree(MODEL, COMMIT)] == ["Bearer ***.json"]


def test_nor_in_the_error_of_a_range() -> None:
    with hub(REPEATS["in its message"]) as (client, asked):
        location = Location(f"{client.endpoint}/x", {"Authorization": f"Bearer {TOKEN}"}, True)
        with pytest.raises(HubReplyError, match=r"bad credentials: Bearer \*\*\*"):
            RangeReader(client, "x", 4).read(location, 0, memoryview(bytearray(4)))
    assert asked == ["/x"]


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ("/x?Signature=S3CRET a", "/x?Signature=S3CRET%20a"),
        ("/caf\xe9?Signature=S3CRET", "/caf%E9?Signature=S3CRET"),
        ("/x%20y?a=%2F&b=1+2", "/x%20y?a=%2F&b=1+2"),
    ],
)
def test_a_redirect_is_followed_by_the_bytes_that_it_named(target: str, sent: str) -> None:
    with (
        hub(lambda _: (302, {"Location": target}, b"")) as (client, asked),
        pytest.raises(HubReplyError, match="more than") as refused,
    ):
        client.resolve(MODEL, "main")
    assert sent in asked
    assert "S3CRET" not in str(refused.value)


@pytest.mark.parametrize(
    "target",
    [
        "https://a b.huggingface.co/x?Signature=S3CRET",
        "https://caf\xe9.huggingface.co/x?Signature=S3CRET",
        f"https://{'a' * 64}.huggingface.co/x?Signature=S3CRET",
        "https://[::1/x?Signature=S3CRET",
        "https://huggingface.co:99999/x?Signature=S3CRET",
    ],
)
def test_a_redirect_to_no_address_is_the_hubs_trouble_and_told_without_its_query(
    target: str,
) -> None:
    with (
        hub(lambda _: (302, {"Location": target}, b"")) as (client, asked),
        pytest.raises((HubReplyError, HubUnavailableError)) as refused,
    ):
        client.resolve(MODEL, "main")
    assert len(asked) == 1
    assert "S3CRET" not in str(refused.value)


def located(target: str) -> Location:
    """Where a file is that the Hub sends on to there."""
    with hub(lambda _: (302, {"Location": target}, b"")) as (client, _):
        return client.locate(MODEL, COMMIT, "x")


@pytest.mark.parametrize("host", ["cdn-lfs.huggingface.co", "cas-bridge.xethub.hf.co"])
def test_a_host_that_may_give_files_may_not_give_them_in_plain_text(host: str) -> None:
    """Whoever is on the way could read a private model, and exchange what comes."""
    assert located(f"https://{host}/x").url == f"https://{host}/x"
    with pytest.raises(HubReplyError, match=f"http://{host}, which is not an allowed host"):
        located(f"http://{host}/x")
