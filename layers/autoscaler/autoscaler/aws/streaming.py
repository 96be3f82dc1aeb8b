"""Asks models over SageMaker's response stream without a thread for each: the gateway's way.

boto3 has no asynchronous client. The request is signed and the event stream is decoded by
botocore; only the connection is another's.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError
from yarl import URL

from ..endpoints.names import ResourceNames
from ..ports import BusyError, ModelError
from ..spec import EndpointSpec
from .clients import STREAM_READ_SECONDS, Access, model_access
from .model import typed

_CONNECT_SECONDS = 5
_IDLE_SECONDS = 20  # SageMaker closes idle connections after a minute; botocore keeps them as well
_CREDENTIAL_SECONDS = 60.0  # how long a look at credentials that renew themselves is good for
_OPERATION = "InvokeEndpointWithResponseStream"


class RefusedByModelError(ModelError):
    """The model's own 4xx, with its status."""

    def __init__(self, message: str, status: int) -> None:
        self.status = status
        super().__init__(message)


class ModelFailedError(RuntimeError):
    """The container, or SageMaker before it, failed on a request that may be right."""


class BrokenStreamError(RuntimeError):
    """The model's answer ended in its middle."""


class ModelStream:
    """The bytes of one answer, as the container sends them. Closing it ends the request."""

    def __init__(self, reply: aiohttp.ClientResponse) -> None:
        self._reply = reply

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and self._reply.content.at_eof():
            self._reply.release()
        else:
            self._reply.close()  # SageMaker and the container see it, and stop working

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Raises BrokenStreamError."""
        frames = EventStreamBuffer()
        try:
            async for data in self._reply.content.iter_any():
                frames.add_data(data)
                for frame in frames:
                    yield _payload(frame.to_response_dict())
        except (aiohttp.ClientError, TimeoutError) as cut:
            raise BrokenStreamError(f"the connection to the model was lost: {cut}") from cut


class ModelStreams:
    """Opens streams to the models of one stack, over one pool of connections."""

    def __init__(self, prefix: str, access: Access | None = None) -> None:
        self._prefix = prefix
        self._access = access or model_access()
        self._session: aiohttp.ClientSession | None = None
        self._signer: tuple[float, SigV4Auth] | None = None

    async def open(self, spec: EndpointSpec, body: bytes) -> ModelStream:
        """Returns once the answer begins. Raises RefusedByModelError, NoCapacityError (also when
        what the table said is old, and there is no such endpoint), BusyError, ModelFailedError,
        NotAllowedError; anything else is a failure."""
        request = await self._signed(spec, body)
        try:
            reply = await self._connections().post(
                URL(request.url, encoded=True),
                data=body,
                headers=dict(request.headers.items()),
                proxy=self._access.proxy or None,
            )
        except aiohttp.ClientHttpProxyError as refused:
            raise ModelFailedError(f"the proxy on the way answered {refused.status}") from refused
        except (aiohttp.ClientConnectionError, TimeoutError) as unreached:
            raise BusyError(f"SageMaker was not reached: {unreached}") from unreached
        if reply.status == 200:
            return ModelStream(reply)
        async with reply:
            raise _refusal(reply, await reply.read())

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0, keepalive_timeout=_IDLE_SECONDS, ssl=_trust(self._access.authorities)
                ),
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=_CONNECT_SECONDS, sock_read=STREAM_READ_SECONDS
                ),
                auto_decompress=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
            )
        return self._session

    async def _signed(self, spec: EndpointSpec, body: bytes) -> Any:
        names = ResourceNames(self._prefix, spec.name, shared=spec.instances.shared or "")
        headers = {"Content-Type": "application/json"}
        if not spec.kind.is_whole_instance:
            headers["X-Amzn-SageMaker-Inference-Component"] = names.component
        url = f"{self._access.url}/endpoints/{names.endpoint}/invocations-response-stream"
        request = AWSRequest(method="POST", url=url, data=body, headers=headers)
        (await self._current_signer()).add_auth(request)
        return request

    async def _current_signer(self) -> SigV4Auth:
        """Renewing credentials may be a call of some service, and so not for the event loop."""
        now = time.monotonic()
        if self._signer is None or now - self._signer[0] > _CREDENTIAL_SECONDS:
            frozen = await asyncio.to_thread(self._access.credentials.get_frozen_credentials)
            self._signer = (now, SigV4Auth(frozen, "sagemaker", self._access.region))
        return self._signer[1]


def _trust(authorities: str) -> ssl.SSLContext | bool:
    """True: whom the machine trusts."""
    if not authorities:
        return True
    if Path(authorities).is_dir():
        return ssl.create_default_context(capath=authorities)
    return ssl.create_default_context(cafile=authorities)


def _payload(frame: dict[str, Any]) -> bytes:
    headers = frame["headers"]
    if headers.get(":message-type") == "event":
        return bytes(frame["body"]) if headers.get(":event-type") == "PayloadPart" else b""
    kind = headers.get(":exception-type") or headers.get(":error-code") or "error"
    said = _document(frame["body"])
    message = said.get("Message") or said.get("message") or headers.get(":error-message") or ""
    raise BrokenStreamError(f"{kind}: {message}" if message else str(kind))


def _refusal(reply: aiohttp.ClientResponse, body: bytes) -> Exception:
    said = _document(body)
    code = reply.headers.get("x-amzn-errortype") or said.get("__type") or said.get("code") or ""
    code = str(code).partition(":")[0].rpartition("#")[2]
    message = said.get("Message") or said.get("message") or f"SageMaker said {reply.status}"
    members = {
        name: said[name] for name in ("OriginalStatusCode", "OriginalMessage") if name in said
    }
    described: Any = {"Error": {"Code": code, "Message": message}, **members}
    error = typed(ClientError(described, _OPERATION))
    if type(error) is ModelError:
        return RefusedByModelError(str(error), int(said["OriginalStatusCode"]))
    if isinstance(error, ClientError):
        return ModelFailedError(_failure(code or str(reply.status), said))
    return error


def _failure(code: str, said: dict[str, Any]) -> str:
    """Not SageMaker's own sentence, which names the account and its logs."""
    status, words = said.get("OriginalStatusCode"), said.get("OriginalMessage")
    if status is None:
        return f"SageMaker answered {code}"
    return f"its container answered {status}" + (f": {words}" if words else "")


def _document(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
