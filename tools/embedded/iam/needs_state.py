"""What calls of DynamoDB, S3 and Secrets Manager need."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tools.embedded.iam.needed import Maker, Need, name_of

Members = Mapping[str, Any]
Rule = Callable[[Maker, Members], list[Need]]
_EQUALS = re.compile(r"([#\w]+)\s*=\s*(:\w+)")
_TRANSACTED = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}


def _item(make: Maker, action: str, given: Members) -> Need:
    """An action on an item, which `Key` or `Item` names."""
    key = _scalar((given.get("Key") or given.get("Item") or {}).get(_hash(make, given)))
    return _on_table(make, action, given, key)


def _on_table(make: Maker, action: str, given: Members, key: str | None) -> Need:
    table = make.arn("dynamodb", f"table/{name_of(given['TableName'])}")
    leading = {"dynamodb__leadingkeys": key} if key is not None else {}
    return make.need(f"dynamodb:{action}", table, **leading)


def _hash(make: Maker, given: Members) -> str:
    return make.around.hash_key(name_of(given["TableName"])) or ""


def _scalar(value: Any) -> str | None:
    return next(iter(value.values())) if isinstance(value, Mapping) else None


def item_rule(action: str) -> Rule:
    return lambda make, given: [_item(make, action, given)]


def _query(make: Maker, given: Members) -> list[Need]:
    names, values = (
        given.get("ExpressionAttributeNames", {}),
        given.get("ExpressionAttributeValues", {}),
    )
    equal = {
        names.get(name, name): values.get(value)
        for name, value in _EQUALS.findall(given.get("KeyConditionExpression", ""))
    }
    if "IndexName" in given:
        table = f"table/{name_of(given['TableName'])}/index/{given['IndexName']}"
        return [make.need("dynamodb:Query", make.arn("dynamodb", table))]
    return [_on_table(make, "Query", given, _scalar(equal.get(_hash(make, given))))]


def _transact(make: Maker, given: Members) -> list[Need]:
    return [
        _item(make, _TRANSACTED[kind], one)
        for entry in given.get("TransactItems", ())
        for kind, one in entry.items()
    ]


def _batch_write(make: Maker, given: Members) -> list[Need]:
    return [
        _item(make, "BatchWriteItem", {"TableName": table, **next(iter(entry.values()))})
        for table, entries in given.get("RequestItems", {}).items()
        for entry in entries
    ]


def _batch_get(make: Maker, given: Members) -> list[Need]:
    return [
        _item(make, "BatchGetItem", {"TableName": table, "Key": key})
        for table, asked in given.get("RequestItems", {}).items()
        for key in asked["Keys"]
    ]


def _object(action: str, bucket: str, key: str, make: Maker) -> Need:
    return make.need(f"s3:{action}", f"arn:aws:s3:::{bucket}/{key}")


def object_rule(action: str) -> Rule:
    return lambda make, given: [
        _object(action, given["Bucket"], given["Key"], make),
        *(
            [_object("PutObjectTagging", given["Bucket"], given["Key"], make)]
            * ("Tagging" in given)
        ),
    ]


def bucket_rule(action: str) -> Rule:
    def rule(make: Maker, given: Members) -> list[Need]:
        prefix = {"s3__prefix": given["Prefix"]} if "Prefix" in given else {}
        return [make.need(f"s3:{action}", f"arn:aws:s3:::{given['Bucket']}", **prefix)]

    return rule


def _read_object(make: Maker, given: Members) -> list[Need]:
    """That there is no such object, S3 tells only to those who may list the bucket."""
    bucket, key = given["Bucket"], given["Key"]
    found = [_object("GetObject", bucket, key, make)]
    if not make.around.has_object(bucket, key):
        found.append(make.need("s3:ListBucket", f"arn:aws:s3:::{bucket}"))
    return found


def _copy(make: Maker, given: Members) -> list[Need]:
    bucket, _, key = given["CopySource"].partition("/")
    target = _object("PutObject", given["Bucket"], given["Key"], make)
    return [target, *_read_object(make, {"Bucket": bucket, "Key": key})]


def _delete_objects(make: Maker, given: Members) -> list[Need]:
    return [_object("DeleteObject", given["Bucket"], key, make) for key in given["Keys"]]


def _secret(make: Maker, given: Members) -> list[Need]:
    """Of a secret that is not there, the name with an end as AWS would have given it."""
    asked = given.get("SecretId", "")
    arn = make.around.secret_arn(asked)
    missing = asked if asked.startswith("arn:") else make.arn("secretsmanager", f"secret:{asked}")
    return [make.need("secretsmanager:GetSecretValue", arn or f"{missing}-000000")]


RULES: dict[str, Rule] = {
    **{
        f"dynamodb:{name}": item_rule(name)
        for name in ("GetItem", "PutItem", "UpdateItem", "DeleteItem")
    },
    "dynamodb:Query": _query,
    "dynamodb:TransactWriteItems": _transact,
    "dynamodb:TransactGetItems": _transact,
    "dynamodb:BatchWriteItem": _batch_write,
    "dynamodb:BatchGetItem": _batch_get,
    "s3:GetObject": _read_object,
    "s3:HeadObject": _read_object,
    "s3:GetObjectAttributes": _read_object,
    "s3:PutObject": object_rule("PutObject"),
    "s3:CopyObject": _copy,
    "s3:DeleteObject": object_rule("DeleteObject"),
    "s3:DeleteObjects": _delete_objects,
    "s3:CreateMultipartUpload": object_rule("PutObject"),
    "s3:UploadPart": object_rule("PutObject"),
    "s3:UploadPartCopy": _copy,
    "s3:CompleteMultipartUpload": object_rule("PutObject"),
    "s3:AbortMultipartUpload": object_rule("AbortMultipartUpload"),
    "s3:ListParts": object_rule("ListMultipartUploadParts"),
    "s3:GetObjectTagging": object_rule("GetObjectTagging"),
    "s3:PutObjectTagging": object_rule("PutObjectTagging"),
    "s3:ListObjects": bucket_rule("ListBucket"),
    "s3:HeadBucket": bucket_rule("ListBucket"),
    "s3:ListMultipartUploads": bucket_rule("ListBucketMultipartUploads"),
    "s3:GetBucketLocation": bucket_rule("GetBucketLocation"),
    "secretsmanager:GetSecretValue": _secret,
}
