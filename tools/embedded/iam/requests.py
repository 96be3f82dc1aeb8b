"""What a request asks for: service, operation and members, read by botocore's own models.

Bodies that only carry data (objects of S3, prompts, payloads of functions) are not read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel
from botocore.parsers import BaseCBORParser

# As requests are signed; elsewhere the signing name, IAM's prefix and botocore's name are the same.
_PREFIXES = {"monitoring": "cloudwatch", "tagging": "tag"}
_MODELS = {
    "states": "stepfunctions",
    "servicequotas": "service-quotas",
    "tag": "resourcegroupstaggingapi",
}
_RUNTIME = "sagemaker-runtime"
_SMITHY = re.compile(r"/service/\w+/operation/(\w+)")
_DATA_ONLY = frozenset({"InvokeEndpoint", "InvokeEndpointAsync", "Invoke"})
_DATA_ONLY_STREAM = "InvokeEndpointWithResponseStream"


@dataclass(frozen=True)
class Call:
    """One request, by the prefix that IAM has for its service."""

    service: str
    operation: str  # "" when it is not known
    members: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"


def call_of(signed_for: str, environ: Mapping[str, Any], body: Callable[[], bytes]) -> Call:
    """The call that a WSGI environment holds; `body` reads its body, if it is needed."""
    service = _PREFIXES.get(signed_for, signed_for)
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return Call(service, target.rpartition(".")[2], _object(body()))
    if service == "s3":
        return s3_call(environ, body)
    if smithy := _SMITHY.fullmatch(environ["PATH_INFO"]):
        return Call(service, smithy[1], _cbor(body()))
    if "x-www-form-urlencoded" in environ.get("CONTENT_TYPE", ""):
        form = dict(parse_qsl(body().decode()))
        return Call(service, form.get("Action", ""), form)
    return _rest_call(service, environ, body)


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}  # the service itself will refuse it
    return found if isinstance(found, dict) else {}


def _cbor(body: bytes) -> Mapping[str, Any]:
    if not body:
        return {}
    reader: Any = BaseCBORParser()
    found = reader.parse_data_item(reader.get_peekable_stream_from_bytes(body))
    return found if isinstance(found, dict) else {}


def _rest_call(service: str, environ: Mapping[str, Any], body: Callable[[], bytes]) -> Call:
    path = environ["PATH_INFO"]
    runtime = service == "sagemaker" and path.startswith("/endpoints/")
    for method, route, operation in _routes(_RUNTIME if runtime else service):
        found = route.fullmatch(path.rstrip("/") or "/")
        if found is None or method != environ["REQUEST_METHOD"]:
            continue
        members = {key: unquote(value) for key, value in found.groupdict().items()}
        members |= _elsewhere(operation, environ)
        if operation.name not in _DATA_ONLY and operation.name != _DATA_ONLY_STREAM:
            members |= _object(body())
        return Call(service, str(operation.name), members)
    return Call(service, "", {"path": path, "method": environ["REQUEST_METHOD"]})


def _elsewhere(operation: OperationModel, environ: Mapping[str, Any]) -> dict[str, Any]:
    """Members in headers and in the query."""
    query = parse_qs(environ.get("QUERY_STRING", ""))
    found: dict[str, Any] = {}
    shape: Any = operation.input_shape
    for name, member in shape.members.items() if shape is not None else ():
        where, label = member.serialization.get("location"), member.serialization.get("name", name)
        header = "HTTP_" + label.upper().replace("-", "_")
        if where == "header" and header in environ:
            found[name] = environ[header]
        elif where == "querystring" and label in query:
            found[name] = query[label] if member.type_name == "list" else query[label][0]
    return found


@cache
def _routes(service: str) -> tuple[tuple[str, re.Pattern[str], OperationModel], ...]:
    return tuple(_made_routes(_MODELS.get(service, service)))


def _made_routes(name: str) -> Iterator[tuple[str, re.Pattern[str], OperationModel]]:
    loader = Loader()
    if name not in loader.list_available_services("service-2"):
        return
    model = ServiceModel(loader.load_service_model(name, "service-2"), name)
    for operation_name in model.operation_names:
        operation = model.operation_model(operation_name)
        uri = operation.http["requestUri"].partition("?")[0].rstrip("/") or "/"
        text = re.sub(r"\{(\w+)\+\}", r"(?P<\1>.+)", uri)
        text = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", text)
        yield operation.http["method"], re.compile(text), operation


# S3 by method and sub-resource; the object's operations first, then the bucket's.
_OBJECT = {
    ("GET", ""): "GetObject",
    ("HEAD", ""): "HeadObject",
    ("PUT", ""): "PutObject",
    ("DELETE", ""): "DeleteObject",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("PUT", "uploadId"): "UploadPart",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("GET", "uploadId"): "ListParts",
    ("GET", "attributes"): "GetObjectAttributes",
    ("GET", "tagging"): "GetObjectTagging",
    ("PUT", "tagging"): "PutObjectTagging",
}
_BUCKET = {
    ("GET", ""): "ListObjects",
    ("HEAD", ""): "HeadBucket",
    ("GET", "uploads"): "ListMultipartUploads",
    ("GET", "location"): "GetBucketLocation",
    ("POST", "delete"): "DeleteObjects",
}
_SUBRESOURCES = frozenset(word for _, word in (*_OBJECT, *_BUCKET) if word)
# Sub-resources of which nobody here makes use: named so that they are refused, not taken for less.
_OTHERS = frozenset(
    "acl encryption lifecycle notification policy restore retention".split()  # noqa: SIM905
    + "legal-hold select versioning versions website".split()  # noqa: SIM905
)
_KEY = re.compile(rb"<Key>(.*?)</Key>", re.DOTALL)


def s3_call(environ: Mapping[str, Any], body: Callable[[], bytes]) -> Call:
    """Of path-style addresses, which is what boto3 uses for an address of the loopback."""
    # PATH_INFO is decoded by the server: a key is taken as it is.
    bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    words = [word for word in query if word in _SUBRESOURCES or word in _OTHERS]
    table = _OBJECT if key else _BUCKET
    operation = table.get((environ["REQUEST_METHOD"], words[0] if words else ""), "")
    members: dict[str, Any] = {"Bucket": bucket, "Key": key}
    if "prefix" in query:
        members["Prefix"] = query["prefix"][0]
    if source := _said(environ, query, "x-amz-copy-source"):
        operation = {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}[operation]
        members["CopySource"] = unquote(source).lstrip("/").partition("?")[0]
    if (tagging := _said(environ, query, "x-amz-tagging")) is not None:
        members["Tagging"] = tagging
    if operation == "DeleteObjects":
        members["Keys"] = [one.decode() for one in _KEY.findall(body())]
    return Call("s3", operation, members)


def _said(environ: Mapping[str, Any], query: Mapping[str, list[str]], header: str) -> str | None:
    """A header, which a presigned address may carry itself."""
    found: str | None = environ.get(f"HTTP_{header.upper().replace('-', '_')}")
    return found if found is not None else next(iter(query.get(header, ())), None)
