"""Who signed a request, and for which service: in its header, or in its address (presigned).

No signature is proved, nor a session's token, and an address is good for ever: moto looks at none
of it. A form that a browser posts has its signer in the body, and counts as nobody's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

_SCOPE = re.compile(r"Credential=([^/]+)/(?:\d{8}/[^/]+/([^/]+)/)?")
# Signature version 2, which boto3 still presigns with unless it is told to use `s3v4`.
_OLD = re.compile(r"AWS ([^:]+):")


@dataclass(frozen=True)
class Signature:
    """`service`: its signing name; "" when the scope does not say it."""

    access_key: str
    service: str


def signature_of(environ: Mapping[str, Any]) -> Signature | None:
    """None: nobody signed it."""
    header = environ.get("HTTP_AUTHORIZATION", "")
    if found := _SCOPE.search(header):
        return Signature(found[1], found[2] or "")
    if found := _OLD.match(header):
        return Signature(found[1], "s3")
    query = {name.lower(): value for name, value in parse_qsl(environ.get("QUERY_STRING", ""))}
    if found := _SCOPE.match(f"Credential={query.get('x-amz-credential', '')}"):
        return Signature(found[1], found[2] or "")
    key = query.get("awsaccesskeyid")
    return Signature(key, "s3") if key else None
