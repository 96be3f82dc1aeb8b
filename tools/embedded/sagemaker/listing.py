"""List operations: filters, order and pages, the same for every kind."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from tools.embedded.sagemaker.things import Members
from tools.embedded.shapes import ServiceError, invalid

_PAGE = 10  # as many as SageMaker gives when MaxResults is not asked for (API reference)


def listed(
    rows: Iterable[Members], given: Members, name: str, default_order: str = "Descending"
) -> tuple[list[Members], str | None]:
    """The page asked for and the next one's token; `name` is the member that holds a row's name."""
    found = [row for row in rows if _wanted(row, given, name)]
    by = given.get("SortBy", "CreationTime")
    key = {"Name": name, "CreationTime": "CreationTime"}.get(by, "LastModifiedTime")
    if by == "Status":
        key = next(member for member in found[0] if member.endswith("Status")) if found else name
    backwards = given.get("SortOrder", default_order) == "Descending"
    found.sort(key=lambda row: (row[key], row[name]), reverse=backwards)
    return page(found, given.get("NextToken"), given.get("MaxResults", _PAGE))


def page(
    rows: list[Any], token: str | None, size: int, refusal: ServiceError | None = None
) -> tuple[list[Any], str | None]:
    """Raises the refusal (else SageMaker's own) for a token that was not given out here."""
    try:
        start = _offset(token) if token else 0
    except ValueError as error:
        raise refusal or invalid("Invalid NextToken.") from error
    more = start + size < len(rows)
    following = base64.b64encode(f"from:{start + size}".encode()).decode() if more else None
    return rows[start : start + size], following


def _offset(token: str) -> int:
    return int(base64.b64decode(token, validate=True).decode().removeprefix("from:"))


def _wanted(row: Members, given: Members, name: str) -> bool:
    if given.get("NameContains", "").lower() not in row[name].lower():
        return False
    for member in ("CreationTime", "LastModifiedTime"):
        before, after = given.get(member + "Before"), given.get(member + "After")
        if before is not None and not row[member] < before:
            return False
        if after is not None and not row[member] > after:
            return False
    for asked, member in (
        ("EndpointNameEquals", "EndpointName"),
        ("VariantNameEquals", "VariantName"),
    ):
        if asked in given and row[member] != given[asked]:
            return False
    status = given.get("StatusEquals")
    return status is None or status in (
        row.get("EndpointStatus"),
        row.get("InferenceComponentStatus"),
    )
