"""A callback reaches the host that the list names, and nothing that its name may come to mean."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from autoscaler.alerts.message import message_of
from autoscaler.alerts.pace import Pace
from autoscaler.alerts.plain import document
from autoscaler.alerts.sinks import RetryLater, SinkRejectedError
from autoscaler.aws.callbacks import Callbacks, ForbiddenPlaceError, is_public
from autoscaler.aws.posts import PostSink
from autoscaler.ports import ReplyError
from tests.alerts_events import ONE_OF_EACH

HOST = "hooks.example.com"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "169.254.170.2", "100.64.0.1", "0.0.0.0", "192.0.2.1", "198.18.0.1", "224.0.0.1",
        "240.0.0.1", "255.255.255.255", "::", "::1", "fd00:ec2::254", "fe80::1", "fec0::1",
        "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1", "2002:7f00:1::1", "2001:0:1::1", "2001:db8::1",
    ],
)  # fmt: skip
def test_no_address_inside_a_network_is_public(address) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111"])
def test_addresses_of_the_internet_are(address) -> None:
    assert is_public(ip_address(address))


@dataclass
class Receiver:
    """A TLS server on loopback, with a certificate for HOST; answers with `status`."""

    port: int
    tls: ssl.SSLContext
    status: int = 200
    drips: bool = False
    location: str = ""
    got: list[tuple[str, str, bytes]] = field(default_factory=list)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(pem + signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def receiver(certificate: Path) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.got.append((self.path, self.headers["Host"], body))
            if found.drips:
                try:
                    for _ in range(100):
                        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                        time.sleep(0.05)
                except OSError:
                    return
            self.send_response(found.status)
            if found.location:
                self.send_header("Location", found.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    found = Receiver(server.server_port, ssl.create_default_context(cafile=str(certificate)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()


def callbacks(receiver: Receiver, *addresses: str, seconds: float = 5) -> Callbacks:
    return Callbacks(
        [f"{HOST}:{receiver.port}"],
        resolve=lambda host, port: addresses or ["127.0.0.1"],
        is_allowed=lambda address: str(address) == "127.0.0.1",
        tls=receiver.tls,
        seconds=seconds,
    )


def url(receiver: Receiver, path: str = "/answers?key=secret") -> str:
    return f"https://{HOST}:{receiver.port}{path}"


def test_the_document_is_posted_under_the_hosts_own_name(receiver) -> None:
    callbacks(receiver).post(url(receiver), b'{"id": "r-1"}')
    assert receiver.got == [("/answers?key=secret", f"{HOST}:{receiver.port}", b'{"id": "r-1"}')]


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 500, 503])
def test_only_2xx_is_taken_and_no_redirect_is_followed(receiver, status) -> None:
    receiver.status, receiver.location = status, url(receiver, "/elsewhere")
    with pytest.raises(ReplyError, match=f"answered {status}") as failed:
        callbacks(receiver).post(url(receiver), b"{}")
    assert [path for path, *_ in receiver.got] == ["/answers?key=secret"]
    assert "secret" not in str(failed.value)


def test_a_name_that_means_an_inner_address_is_not_connected_to(receiver) -> None:
    """The check is the default one: loopback is where the receiver really listens."""
    strict = Callbacks(
        [f"{HOST}:{receiver.port}"], resolve=lambda *_: ["127.0.0.1"], tls=receiver.tls
    )
    with pytest.raises(ReplyError, match="inside a network"):
        strict.post(url(receiver), b"{}")
    assert receiver.got == []


def test_one_inner_address_among_others_is_enough_to_send_nothing(receiver) -> None:
    with pytest.raises(ReplyError, match="inside a network"):
        callbacks(receiver, "127.0.0.1", "10.0.0.1").post(url(receiver), b"{}")
    assert receiver.got == []


def test_the_name_is_looked_up_once_and_that_address_is_connected_to(receiver) -> None:
    looked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        looked.append(host)
        return ["127.0.0.1"] if len(looked) == 1 else ["10.0.0.1"]

    Callbacks(
        [f"{HOST}:{receiver.port}"],
        resolve=rebinding,
        is_allowed=lambda address: True,
        tls=receiver.tls,
    ).post(url(receiver), b"{}")
    assert looked == [HOST]
    assert len(receiver.got) == 1


def test_a_certificate_of_another_host_is_not_taken(receiver) -> None:
    port = receiver.port
    other = Callbacks(
        [f"other.example.com:{port}"],
        resolve=lambda *_: ["127.0.0.1"],
        is_allowed=lambda address: True,
        tls=receiver.tls,
    )
    with pytest.raises(ReplyError, match="SSLCertVerificationError"):
        other.post(f"https://other.example.com:{port}/", b"{}")
    assert receiver.got == []


def test_a_server_that_drips_has_the_time_once(receiver) -> None:
    receiver.drips = True
    began = time.monotonic()
    with pytest.raises(ReplyError, match="was not reached"):
        callbacks(receiver, seconds=0.5).post(url(receiver), b"{}")
    assert receiver.got, "it was connected to"
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("http://hooks.example.com/", "https only"),
        ("https://evil.example.com/", "'evil.example.com' is not among"),
        ("https://hooks.example.com.evil.com/", "is not among"),
        ("https://hooks.example.com:8443/", "'hooks.example.com:8443' is not among"),
        ("https://127.0.0.1/", "'127.0.0.1' is not among"),
    ],
)
def test_what_the_list_does_not_name_is_refused(given, said) -> None:
    found = Callbacks(["hooks.example.com"], resolve=lambda *_: pytest.fail("looked up"))
    assert said in (found.problem(given) or "")
    with pytest.raises(ReplyError, match=r"https only|is not among"):
        found.post(given, b"{}")


@pytest.mark.parametrize(
    "given", ["https://HOOKS.example.com/x", "https://hooks.example.com.:443/"]
)
def test_a_host_is_the_same_in_capitals_and_with_its_dot(given) -> None:
    assert Callbacks([" Hooks.example.com "]).problem(given) is None


def test_an_unknown_name_has_no_address() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise OSError("name or service not known")

    with pytest.raises(ReplyError, match="has no address"):
        Callbacks([HOST], resolve=unknown).post(f"https://{HOST}/", b"{}")


# The same way out, for alerts: a plain webhook.
FAILED = message_of(next(one for one in ONE_OF_EACH if one.detail_type == "EndpointFailed"))


def pace() -> Pace:
    return Pace(lambda: datetime(2026, 11, 24, tzinfo=UTC), burst=1000)


def hook(receiver: Receiver, **more: Any) -> PostSink:
    """To the TLS server on loopback, whose address alone is allowed here."""

    def callbacks(host: str) -> Callbacks:
        allowed = {"is_allowed": lambda _: True, **more}
        return Callbacks([host], resolve=lambda *_: ["127.0.0.1"], tls=receiver.tls, **allowed)

    return PostSink(f"https://{HOST}:{receiver.port}/x/secret", pace(), callbacks)


def test_a_plain_webhook_gets_json(receiver: Receiver) -> None:
    hook(receiver).send(FAILED)
    ((path, _, body),) = receiver.got
    assert path == "/x/secret" and json.loads(body) == document(FAILED)
    assert json.loads(body)["severity"] == "critical"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_webhook_that_is_busy_is_tried_later(receiver: Receiver, status: int) -> None:
    receiver.status = status
    with pytest.raises(RetryLater):
        hook(receiver).send(FAILED)


@pytest.mark.parametrize(
    ("status", "lasting"), [(404, True), (403, True), (410, True), (302, True), (400, False)]
)
def test_a_webhook_that_refuses_is_named_by_its_host(
    receiver: Receiver, status: int, lasting: bool
) -> None:
    receiver.status = status
    with pytest.raises(SinkRejectedError, match=f"{HOST} answered {status}") as rejected:
        hook(receiver).send(FAILED)
    assert rejected.value.lasting is lasting and "/x/" not in str(rejected.value)


def test_a_webhook_inside_a_network_is_refused_for_good(receiver: Receiver) -> None:
    with pytest.raises(SinkRejectedError, match="inside a network") as rejected:
        hook(receiver, is_allowed=is_public).send(FAILED)
    assert rejected.value.lasting and receiver.got == []


def test_a_webhook_out_of_reach_is_tried_later(receiver: Receiver) -> None:
    with pytest.raises(RetryLater):
        PostSink(
            f"https://{HOST}:1/x",
            pace(),
            lambda host: Callbacks(
                [host], resolve=lambda *_: ["127.0.0.1"], is_allowed=lambda _: True
            ),
        ).send(FAILED)


@pytest.mark.parametrize(
    "url",
    [
        f"https://{HOST}:99999/x",
        f"https://{HOST}:port/x",
        f"https://{HOST}/\u00fcber",
        "https://[::",
    ],
)
def test_a_url_that_is_none_is_refused_in_words_and_not_by_a_crash(url: str) -> None:
    callbacks = Callbacks([HOST], resolve=lambda host, port: ["93.184.216.34"])
    assert callbacks.problem(url)
    with pytest.raises(ForbiddenPlaceError, match="callback's URL"):
        callbacks.exchange(url, b"{}")


@pytest.mark.parametrize("host", ["a..b", f"{'x' * 70}.com"])
def test_a_host_that_is_no_name_has_no_address(host: str) -> None:
    with pytest.raises(ReplyError, match="has no address"):
        Callbacks([host]).exchange(f"https://{host}/", b"{}")
