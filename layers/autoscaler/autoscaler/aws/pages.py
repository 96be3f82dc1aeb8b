"""Queries of the table, followed to their end: DynamoDB ends a page at 1 MB, whatever its limit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from .items import Item


def items_of(
    dynamodb: Any,
    table: str,
    pk: str,
    *,
    begins_with: str | None = None,
    between: tuple[str, str] | None = None,
    newest: int | None = None,
) -> Iterator[Item]:
    """The items of a partition by their sort key; of all or those that are named, `newest`: the
    last so many, last first."""
    condition, values = "pk = :pk", {":pk": {"S": pk}}
    if begins_with is not None:
        condition += " AND begins_with(sk, :from)"
        values[":from"] = {"S": begins_with}
    if between is not None:
        condition += " AND sk BETWEEN :from AND :to"
        values |= {":from": {"S": between[0]}, ":to": {"S": between[1]}}
    last = {} if newest is None else {"MaxItems": newest, "PageSize": newest}
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression=condition,
        ExpressionAttributeValues=values,
        ConsistentRead=True,
        ScanIndexForward=newest is None,
        PaginationConfig=last,
    )
    for page in pages:
        yield from page["Items"]


def span(start: datetime, end: datetime) -> tuple[str, str]:
    """[start, end) of sort keys that begin with a time in UTC and go on after it."""
    return start.astimezone(UTC).isoformat(), end.astimezone(UTC).isoformat()
