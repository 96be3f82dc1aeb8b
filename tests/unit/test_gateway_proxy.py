"""A gateway on a machine from which AWS is reached by a proxy, as boto3 reaches it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from autoscaler.aws.clients import Access, client, model_access
from autoscaler.aws.streaming import ModelFailedError, ModelStreams
from autoscaler.ports import BusyError
from tests.samples import spec
from tools.embedded.sagemaker.eventstream import payload_part

URL = "http://runtime.sagemaker.somewhere.example"
CREDENTIALS: Any = SimpleNamespace(
    get_frozen_credentials=lambda: SimpleNamespace(access_key="A", secret_key="s", token=None)
)


@asynccontextmanager
async def serving(
    status: int, context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, list[str]]]:
    """A server's port, and what it is asked for."""
    seen: list[str] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(str(request.url))
        return web.Response(status=status, body=payload_part(b"because"))

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield runner.addresses[0][1], seen
    finally:
        await runner.cleanup()


async def asked(access: Access) -> list[bytes]:
    streams = ModelStreams("stack", access)
    try:
        async with await streams.open(spec("llama"), b"{}") as stream:
            return [data async for data in stream]
    finally:
        await streams.close()


async def asked_by_a_proxy(status: int, url: str = URL) -> tuple[list[bytes], list[str]]:
    """What comes back, and what the proxy was asked for."""
    async with serving(status) as (port, seen):
        access = Access(CREDENTIALS, "eu-west-1", url, proxy=f"http://127.0.0.1:{port}")
        return await asked(access), seen


def test_a_model_is_asked_by_way_of_the_proxy() -> None:
    said, seen = asyncio.run(asked_by_a_proxy(200))
    assert said == [b"because"]
    assert seen == [f"{URL}/endpoints/stack-llama/invocations-response-stream"]


def test_a_proxy_that_refuses_is_told() -> None:
    with pytest.raises(ModelFailedError, match="the proxy on the way answered 407"):
        asyncio.run(asked_by_a_proxy(407, URL.replace("http:", "https:")))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "AWS_ENDPOINT_URL",
                 "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of-a-test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    client.cache_clear()
    yield monkeypatch
    client.cache_clear()


def test_the_way_to_aws_is_that_of_boto3(machine: pytest.MonkeyPatch) -> None:
    straight = model_access()
    assert (straight.proxy, straight.authorities) == ("", "")
    machine.setenv("HTTPS_PROXY", "proxy.corp.example:3128")
    machine.setenv("REQUESTS_CA_BUNDLE", "/etc/corp.pem")
    by_proxy = model_access()
    assert by_proxy.proxy == "http://proxy.corp.example:3128"
    assert by_proxy.authorities == "/etc/corp.pem"
    machine.setenv("AWS_CA_BUNDLE", "/etc/aws.pem")
    machine.setenv("NO_PROXY", urlsplit(straight.url).hostname or "")
    assert (model_access().proxy, model_access().authorities) == ("", "/etc/aws.pem")


def test_only_the_authorities_of_the_bundle_are_trusted(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def ask(authorities: str) -> list[bytes]:
        async with serving(200, context) as (port, _):
            url = f"https://127.0.0.1:{port}"
            access = Access(CREDENTIALS, "eu-west-1", url, authorities=authorities)
            return await asked(access)

    assert asyncio.run(ask(str(certificate))) == [b"because"]
    with pytest.raises(BusyError, match="not reached"):
        asyncio.run(ask(""))


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Files of a certificate for 127.0.0.1, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "corp")])
    now, me = datetime.now(UTC), x509.IPAddress(ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([me]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "corp.pem", folder / "corp.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files
