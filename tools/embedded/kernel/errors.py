"""AWS errors in the protocol of the request that they answer."""

from __future__ import annotations

import json
import uuid
from functools import cache
from xml.sax.saxutils import escape

from werkzeug.wrappers import Request, Response

_CBOR_TEXT, _CBOR_MAP = 0x60, 0xA0
_XML = frozenset({"query", "ec2", "rest-xml"})


def error_reply(
    request: Request, code: str, message: str, status: int = 400, *, service: str = ""
) -> Response:
    """An error as an SDK reads it; `service`: the one whose protocol a bare request speaks."""
    headers = {"x-amzn-errortype": code, "x-amzn-RequestId": str(uuid.uuid4())}
    members = {"__type": code, "message": message}
    kind = request.content_type or ""
    if "cbor" in kind:
        return Response(
            _cbor(members),
            status=status,
            content_type="application/cbor",
            headers={**headers, "smithy-protocol": "rpc-v2-cbor"},
        )
    if service != "s3" and (
        "json" in kind or "X-Amz-Target" in request.headers or _speaks_json(service, kind)
    ):
        return Response(
            json.dumps(members),
            status=status,
            content_type="application/x-amz-json-1.1",
            headers=headers,
        )
    error = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    body = error if service == "s3" else f"<ErrorResponse>{error}</ErrorResponse>"
    return Response(body, status=status, content_type="text/xml", headers=headers)


def _speaks_json(service: str, kind: str) -> bool:
    return bool(service) and "x-www-form" not in kind and _protocol(service) not in _XML


@cache
def _protocol(service: str) -> str:
    """What a service's model says; a service that botocore does not know under its signing name
    is taken for one of the many that speak JSON."""
    import botocore.session
    from botocore.exceptions import UnknownServiceError

    try:
        model = botocore.session.get_session().get_service_model(service)
    except UnknownServiceError:
        return "rest-json"
    return str(model.metadata["protocol"])


def _cbor(members: dict[str, str]) -> bytes:
    """A map of a few texts (RFC 8949)."""
    parts = [part for item in members.items() for part in map(_cbor_text, item)]
    return bytes([_CBOR_MAP | len(members)]) + b"".join(parts)


def _cbor_text(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) < 24:
        return bytes([_CBOR_TEXT | len(encoded)]) + encoded
    return bytes([_CBOR_TEXT | 25]) + len(encoded).to_bytes(2, "big") + encoded
