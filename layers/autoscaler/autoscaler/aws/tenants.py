"""What the tenants of an endpoint have at work: pk `TENANTS#<endpoint>`, sk the tenant.

One item holds a tenant's leases (by message, with their ends) and how many it began this minute.
It is written on the condition that nobody else wrote meanwhile; a lease that has ended counts no
more, whoever forgot to give it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from ..control.fairness import within
from ..spec import Tenant
from .clients import client, error_code

_TRIES = 8
_KEPT = timedelta(days=2)  # until DynamoDB removes what nobody uses
_CONFLICT = "ConditionalCheckFailedException"


class TableTenants:
    """TenantLeases over DynamoDB."""

    def __init__(self, table: str, dynamodb: Any = None) -> None:
        self._table = table
        self._db = dynamodb or client("dynamodb")

    def running(self, endpoint: str, now: datetime) -> dict[str, int]:
        pages = self._db.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"TENANTS#{endpoint}"}},
        )
        items = [item for page in pages for item in page["Items"]]
        return {item["sk"]["S"]: len(_alive(item, now)) for item in items}

    def take(
        self,
        endpoint: str,
        tenant: str,
        wanted: Sequence[str],
        limits: Tenant | None,
        now: datetime,
        until: datetime,
    ) -> list[str]:
        for _ in range(_TRIES):
            item = self._read(endpoint, tenant)
            leases, minute = _alive(item, now), int(now.timestamp() // 60)
            begun = int(item["begun"]["N"]) if _number(item, "minute") == minute else 0
            # Who holds a lease already keeps it, and is not begun once more.
            new = within(limits, wanted, leases, begun)
            taken = [one for one in wanted if one in leases or one in new]
            if not taken:
                return []
            ends = {"N": str(until.timestamp())}
            after = {
                **_key(endpoint, tenant),
                "leases": {"M": {**leases, **dict.fromkeys(taken, ends)}},
                "minute": {"N": str(minute)},
                "begun": {"N": str(begun + len(new))},
                "version": {"N": str(_number(item, "version") + 1)},
                "expires_at": {"N": str(int((now + _KEPT).timestamp()))},
            }
            if self._written(after, _number(item, "version")):
                return taken
        return []  # others are quicker: the requests come back in a moment

    def give_back(self, endpoint: str, tenant: str, lease: str) -> None:
        try:
            self._db.update_item(
                TableName=self._table,
                Key=_key(endpoint, tenant),
                UpdateExpression="REMOVE leases.#lease ADD version :one",
                ConditionExpression="attribute_exists(leases.#lease)",
                ExpressionAttributeNames={"#lease": lease},
                ExpressionAttributeValues={":one": {"N": "1"}},
            )
        except ClientError as refused:
            if error_code(refused) != _CONFLICT:  # it has ended, and was cleared away
                raise

    def _read(self, endpoint: str, tenant: str) -> dict[str, Any]:
        found = self._db.get_item(
            TableName=self._table, Key=_key(endpoint, tenant), ConsistentRead=True
        )
        item: dict[str, Any] = found.get("Item", {})
        return item

    def _written(self, item: dict[str, Any], version: int) -> bool:
        try:
            self._db.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(pk) OR version = :read",
                ExpressionAttributeValues={":read": {"N": str(version)}},
            )
        except ClientError as refused:
            if error_code(refused) != _CONFLICT:
                raise
            return False
        return True


def _key(endpoint: str, tenant: str) -> dict[str, Any]:
    return {"pk": {"S": f"TENANTS#{endpoint}"}, "sk": {"S": tenant}}


def _number(item: dict[str, Any], name: str) -> int:
    return int(item[name]["N"]) if name in item else 0


def _alive(item: dict[str, Any], now: datetime) -> dict[str, Any]:
    leases = item.get("leases", {}).get("M", {})
    return {one: end for one, end in leases.items() if float(end["N"]) > now.timestamp()}
