"""Real requests of boto3 are read back, and need what AWS asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from tools.embedded.iam.needed import Need
from tools.embedded.iam.needs import RULES, UnknownCallError, needs_of
from tools.embedded.iam.requests import Call, call_of

HERE = "us-east-1:123456789012"
TABLE = f"arn:aws:dynamodb:{HERE}:table/state"
QUEUE = f"arn:aws:sqs:{HERE}:autoscaler-a"
URL = "http://127.0.0.1:1/123456789012/autoscaler-a"
ROLE = "arn:aws:iam::123456789012:role/endpoint"
FUNCTION = f"arn:aws:lambda:{HERE}:function:dispatch"
MAPPING = "11111111-2222-3333-4444-555555555555"


class Around:
    """An account with a little in it."""

    account_id, region = "123456789012", "us-east-1"

    def __init__(self, scaling_role: bool = True) -> None:
        self._scaling_role = scaling_role

    def hash_key(self, table: str) -> str | None:
        return "pk" if table == "state" else None

    def secret_arn(self, secret_id: str) -> str | None:
        known = f"arn:aws:secretsmanager:{HERE}:secret:token-AbCdEf"
        return known if secret_id in ("token", known) else None

    def has_object(self, bucket: str, key: str) -> bool:
        return key == "there"

    def mapping_function(self, mapping_id: str) -> str | None:
        return FUNCTION if mapping_id == MAPPING else None

    def has_scaling_role(self) -> bool:
        return self._scaling_role

    def tags(self, arn: str) -> Mapping[str, str]:
        return {}


def sent(service: str, operation: str, **arguments: Any) -> Call:
    """What the front would make of a request that boto3 sends."""
    client = boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )
    seen: list[AWSPreparedRequest] = []

    def instead(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        seen.append(request)
        raise RuntimeError("not sent")

    client.meta.events.register("before-send", instead)
    with pytest.raises(RuntimeError, match="not sent"):
        getattr(client, operation)(**arguments)
    (request,) = seen
    headers = {name.lower(): _text(value) for name, value in request.headers.items()}
    address = urlsplit(request.url)
    environ = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote(address.path),
        "QUERY_STRING": address.query,
        "CONTENT_TYPE": headers.get("content-type", ""),
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
    }
    body = request.body or b""
    content = body if isinstance(body, bytes) else str(body).encode()
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", headers["authorization"])
    assert scope is not None
    return call_of(scope[1], environ, lambda: content)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def asked(call: Call, around: Around | None = None) -> list[tuple[str, str]]:
    return [(need.action, need.resource) for need in needs_of(call, around or Around())]


def arn(kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:{HERE}:{kind}/{name}"


ITEM = {"pk": {"S": "FLEET"}, "sk": {"S": "1"}}
CASES: list[tuple[str, str, dict[str, Any], list[tuple[str, str]]]] = [
    ("dynamodb", "get_item", {"TableName": "state", "Key": ITEM}, [("dynamodb:GetItem", TABLE)]),
    (
        "dynamodb",
        "transact_write_items",
        {
            "TransactItems": [
                {"Put": {"TableName": "state", "Item": ITEM}},
                {"ConditionCheck": {"TableName": "state", "Key": ITEM, "ConditionExpression": "a"}},
            ]
        },
        [("dynamodb:PutItem", TABLE), ("dynamodb:ConditionCheckItem", TABLE)],
    ),
    (
        "sqs",
        "create_queue",
        {"QueueName": "autoscaler-a", "tags": {"t": "1"}},
        [("sqs:CreateQueue", QUEUE), ("sqs:TagQueue", QUEUE)],
    ),
    ("sqs", "create_queue", {"QueueName": "autoscaler-a"}, [("sqs:CreateQueue", QUEUE)]),
    (
        "sqs",
        "send_message_batch",
        {"QueueUrl": URL, "Entries": [{"Id": "1", "MessageBody": "b"}]},
        [("sqs:SendMessage", QUEUE)],
    ),
    ("sqs", "get_queue_url", {"QueueName": "autoscaler-a"}, [("sqs:GetQueueUrl", QUEUE)]),
    (
        "s3",
        "put_object",
        {"Bucket": "b", "Key": "k/ü x", "Body": b"1"},
        [("s3:PutObject", "arn:aws:s3:::b/k/ü x")],
    ),
    (
        "s3",
        "get_object",
        {"Bucket": "b", "Key": "there"},
        [("s3:GetObject", "arn:aws:s3:::b/there")],
    ),
    (
        "s3",
        "head_object",
        {"Bucket": "b", "Key": "gone"},
        [("s3:GetObject", "arn:aws:s3:::b/gone"), ("s3:ListBucket", "arn:aws:s3:::b")],
    ),
    (
        "s3",
        "copy_object",
        {"Bucket": "b", "Key": "k", "CopySource": "a/there"},
        [("s3:PutObject", "arn:aws:s3:::b/k"), ("s3:GetObject", "arn:aws:s3:::a/there")],
    ),
    (
        "s3",
        "delete_objects",
        {"Bucket": "b", "Delete": {"Objects": [{"Key": "x"}, {"Key": "y"}]}},
        [("s3:DeleteObject", "arn:aws:s3:::b/x"), ("s3:DeleteObject", "arn:aws:s3:::b/y")],
    ),
    (
        "s3",
        "upload_part",
        {"Bucket": "b", "Key": "k", "UploadId": "u", "PartNumber": 1, "Body": b"1"},
        [("s3:PutObject", "arn:aws:s3:::b/k")],
    ),
    (
        "s3",
        "abort_multipart_upload",
        {"Bucket": "b", "Key": "k", "UploadId": "u"},
        [("s3:AbortMultipartUpload", "arn:aws:s3:::b/k")],
    ),
    (
        "s3",
        "list_parts",
        {"Bucket": "b", "Key": "k", "UploadId": "u"},
        [("s3:ListMultipartUploadParts", "arn:aws:s3:::b/k")],
    ),
    (
        "s3",
        "list_objects_v2",
        {"Bucket": "b", "Prefix": "p"},
        [("s3:ListBucket", "arn:aws:s3:::b")],
    ),
    (
        "s3",
        "list_multipart_uploads",
        {"Bucket": "b"},
        [("s3:ListBucketMultipartUploads", "arn:aws:s3:::b")],
    ),
    (
        "sagemaker",
        "create_model",
        {"ModelName": "m", "ExecutionRoleArn": ROLE, "Tags": [{"Key": "t", "Value": "1"}]},
        [
            ("sagemaker:CreateModel", arn("model", "m")),
            ("sagemaker:AddTags", arn("model", "m")),
            ("iam:PassRole", ROLE),
        ],
    ),
    (
        "sagemaker",
        "create_endpoint",
        {"EndpointName": "e", "EndpointConfigName": "c"},
        [
            ("sagemaker:CreateEndpoint", arn("endpoint", "e")),
            ("sagemaker:CreateEndpoint", arn("endpoint-config", "c")),
        ],
    ),
    (
        "sagemaker",
        "create_endpoint_config",
        {"EndpointConfigName": "c", "ExecutionRoleArn": ROLE, "KmsKeyId": "k"},
        [
            ("sagemaker:CreateEndpointConfig", arn("endpoint-config", "c")),
            ("iam:PassRole", ROLE),
            ("kms:DescribeKey", f"arn:aws:kms:{HERE}:key/k"),
            ("kms:CreateGrant", f"arn:aws:kms:{HERE}:key/k"),
        ],
    ),
    (
        "sagemaker-runtime",
        "invoke_endpoint_with_response_stream",
        {"EndpointName": "e", "InferenceComponentName": "i", "Body": b"{}"},
        [
            ("sagemaker:InvokeEndpoint", arn("endpoint", "e")),
            ("sagemaker:InvokeEndpoint", arn("inference-component", "i")),
            ("sagemaker:InvokeEndpointWithResponseStream", arn("endpoint", "e")),
            ("sagemaker:InvokeEndpointWithResponseStream", arn("inference-component", "i")),
        ],
    ),
    (
        "sagemaker-runtime",
        "invoke_endpoint_async",
        {"EndpointName": "e", "InputLocation": "s3://b/k"},
        [("sagemaker:InvokeEndpointAsync", arn("endpoint", "e"))],
    ),
    (
        "lambda",
        "invoke",
        {"FunctionName": FUNCTION, "Payload": b"{}"},
        [("lambda:InvokeFunction", FUNCTION)],
    ),
    (
        "lambda",
        "create_event_source_mapping",
        {"FunctionName": "dispatch", "EventSourceArn": QUEUE, "Tags": {"t": "1"}},
        [
            ("lambda:CreateEventSourceMapping", "*"),
            ("lambda:TagResource", f"arn:aws:lambda:{HERE}:event-source-mapping:new"),
        ],
    ),
    (
        "lambda",
        "delete_event_source_mapping",
        {"UUID": MAPPING},
        [
            (
                "lambda:DeleteEventSourceMapping",
                f"arn:aws:lambda:{HERE}:event-source-mapping:{MAPPING}",
            )
        ],
    ),
    ("lambda", "list_event_source_mappings", {}, [("lambda:ListEventSourceMappings", "*")]),
    (
        "cloudwatch",
        "put_metric_alarm",
        {"AlarmName": "x", "Tags": [{"Key": "t", "Value": "1"}]},
        [
            ("cloudwatch:PutMetricAlarm", f"arn:aws:cloudwatch:{HERE}:alarm:x"),
            ("cloudwatch:TagResource", f"arn:aws:cloudwatch:{HERE}:alarm:x"),
        ],
    ),
    (
        "cloudwatch",
        "delete_alarms",
        {"AlarmNames": ["x", "y"]},
        [
            ("cloudwatch:DeleteAlarms", f"arn:aws:cloudwatch:{HERE}:alarm:x"),
            ("cloudwatch:DeleteAlarms", f"arn:aws:cloudwatch:{HERE}:alarm:y"),
        ],
    ),
    (
        "sns",
        "publish",
        {"TopicArn": f"arn:aws:sns:{HERE}:t", "Message": "m"},
        [("sns:Publish", f"arn:aws:sns:{HERE}:t")],
    ),
    (
        "events",
        "put_events",
        {"Entries": [{"EventBusName": "bus", "Source": "s", "DetailType": "d", "Detail": "{}"}]},
        [("events:PutEvents", f"arn:aws:events:{HERE}:event-bus/bus")],
    ),
    (
        "secretsmanager",
        "get_secret_value",
        {"SecretId": "token"},
        [
            (
                "secretsmanager:GetSecretValue",
                f"arn:aws:secretsmanager:{HERE}:secret:token-AbCdEf",
            )
        ],
    ),
    (
        "logs",
        "filter_log_events",
        {"logGroupName": "/g"},
        [("logs:FilterLogEvents", f"arn:aws:logs:{HERE}:log-group:/g:log-stream:")],
    ),
    (
        "application-autoscaling",
        "put_scaling_policy",
        {
            "PolicyName": "p",
            "ServiceNamespace": "sagemaker",
            "ResourceId": "inference-component/i",
            "ScalableDimension": "d",
            "PolicyType": "TargetTrackingScaling",
        },
        [
            (
                "application-autoscaling:PutScalingPolicy",
                f"arn:aws:application-autoscaling:{HERE}:scalable-target/inference-component/i",
            ),
            (
                "cloudwatch:PutMetricAlarm",
                f"arn:aws:cloudwatch:{HERE}:alarm:TargetTracking-inference-component/i-AlarmHigh",
            ),
            ("cloudwatch:DescribeAlarms", "*"),
        ],
    ),
    ("sts", "get_caller_identity", {}, []),
]


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "wanted"),
    CASES,
    ids=[f"{case[0]}-{case[1]}-{number}" for number, case in enumerate(CASES)],
)
def test_a_call_needs_what_aws_asks_for(
    service: str, operation: str, arguments: dict[str, Any], wanted: list[tuple[str, str]]
) -> None:
    assert asked(sent(service, operation, **arguments)) == wanted


def presigned(version: str, operation: str, **arguments: Any) -> Call:
    """What the front would make of an address that boto3 has signed."""
    client = boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=Config(signature_version=version),
    )
    place = urlsplit(client.generate_presigned_url(operation, Params=arguments))
    method = {"get_object": "GET", "abort_multipart_upload": "DELETE"}.get(operation, "PUT")
    path = {"REQUEST_METHOD": method, "PATH_INFO": unquote(place.path)}
    return call_of("s3", {**path, "QUERY_STRING": place.query}, lambda: b"")


PLACE = {"Bucket": "weights", "Key": "models/a b"}
WEIGHTS = "arn:aws:s3:::weights/models/a b"
PART = {**PLACE, "UploadId": "u", "PartNumber": 2}
PRESIGNED: list[tuple[str, str, dict[str, Any], list[tuple[str, str]]]] = [
    ("s3v4", "put_object", PLACE, [("s3:PutObject", WEIGHTS)]),
    ("s3v4", "upload_part", PART, [("s3:PutObject", WEIGHTS)]),
    ("s3v4", "get_object", {**PLACE, "Key": "there"},
     [("s3:GetObject", "arn:aws:s3:::weights/there")]),
    ("s3v4", "abort_multipart_upload", {**PLACE, "UploadId": "u"},
     [("s3:AbortMultipartUpload", WEIGHTS)]),
    ("s3", "put_object", PLACE, [("s3:PutObject", WEIGHTS)]),
    ("s3", "upload_part", PART, [("s3:PutObject", WEIGHTS)]),
    # What `s3v4` leaves to the sender as a header, the old way has in the address.
    ("s3", "put_object", {**PLACE, "Tagging": "a=b"},
     [("s3:PutObject", WEIGHTS), ("s3:PutObjectTagging", WEIGHTS)]),
    ("s3", "copy_object", {**PLACE, "CopySource": {"Bucket": "other", "Key": "there"}},
     [("s3:PutObject", WEIGHTS), ("s3:GetObject", "arn:aws:s3:::other/there")]),
]  # fmt: skip


@pytest.mark.parametrize(("version", "operation", "arguments", "wanted"), PRESIGNED)
def test_a_presigned_call_needs_what_the_call_needs(
    version: str, operation: str, arguments: dict[str, Any], wanted: list[tuple[str, str]]
) -> None:
    assert asked(presigned(version, operation, **arguments)) == wanted


def context(service: str, operation: str, **arguments: Any) -> dict[str, tuple[str, ...]]:
    needs: list[Need] = needs_of(sent(service, operation, **arguments), Around())
    return {key: value for need in needs for key, value in need.context.items()}


def test_the_partition_key_is_the_leading_key() -> None:
    given: dict[str, Any] = {
        "TableName": "state",
        "KeyConditionExpression": "#p = :p AND begins_with(sk, :s)",
        "ExpressionAttributeNames": {"#p": "pk"},
        "ExpressionAttributeValues": {":p": {"S": "HELD"}, ":s": {"S": "x"}},
    }
    assert context("dynamodb", "query", **given) == {"dynamodb:leadingkeys": ("HELD",)}
    put = context("dynamodb", "put_item", TableName="state", Item=ITEM)
    assert put == {"dynamodb:leadingkeys": ("FLEET",)}


def test_conditions_see_roles_tags_namespaces_and_functions() -> None:
    made = context(
        "sagemaker",
        "create_model",
        ModelName="m",
        ExecutionRoleArn=ROLE,
        Tags=[{"Key": "t", "Value": "1"}],
    )
    assert made["iam:passedtoservice"] == ("sagemaker.amazonaws.com",)
    assert made["aws:tagkeys"] == ("t",)
    target = {"ServiceNamespace": "sagemaker", "ResourceId": "endpoint/e/variant/v"}
    gone = context(
        "application-autoscaling", "deregister_scalable_target", ScalableDimension="d", **target
    )
    assert gone["application-autoscaling:service-namespace"] == ("sagemaker",)
    mapping = context("lambda", "update_event_source_mapping", UUID=MAPPING, Enabled=False)
    assert mapping == {"lambda:functionarn": (FUNCTION,)}
    assert context("lambda", "delete_event_source_mapping", UUID="gone") == {}


def test_registering_a_target_needs_the_right_to_move_it_and_makes_a_role_once() -> None:
    given = {"ServiceNamespace": "sagemaker", "ResourceId": "inference-component/i"}
    call = sent(
        "application-autoscaling", "register_scalable_target", ScalableDimension="d", **given
    )
    component = arn("inference-component", "i")
    moved = [
        ("sagemaker:DescribeInferenceComponent", component),
        ("sagemaker:UpdateInferenceComponentRuntimeConfig", component),
    ]
    assert asked(call)[1:] == moved
    assert asked(call, Around(scaling_role=False))[-1][0] == "iam:CreateServiceLinkedRole"


def test_registering_a_variant_looks_at_its_config_too() -> None:
    given = {"ServiceNamespace": "sagemaker", "ResourceId": "endpoint/e/variant/v"}
    call = sent(
        "application-autoscaling", "register_scalable_target", ScalableDimension="d", **given
    )
    assert asked(call)[1:] == [
        ("sagemaker:DescribeEndpoint", arn("endpoint", "e")),
        ("sagemaker:UpdateEndpointWeightsAndCapacities", arn("endpoint", "e")),
        (
            "sagemaker:DescribeEndpointConfig",
            arn("endpoint-config", "7f4e1944-1817-4891-9bef-e055a90787a4"),
        ),
    ]


def test_a_name_is_in_small_letters_where_a_role_is_judged() -> None:
    call = sent("sagemaker", "describe_endpoint", EndpointName="LLM-Autoscaler-llama")
    assert asked(call) == [("sagemaker:DescribeEndpoint", arn("endpoint", "llm-autoscaler-llama"))]


def test_a_call_that_nobody_described_is_refused_and_says_what_to_add() -> None:
    with pytest.raises(UnknownCallError, match=r"dynamodb:Scan: .* has no rule"):
        needs_of(sent("dynamodb", "scan", TableName="state"), Around())
    with pytest.raises(UnknownCallError, match="s3"):
        needs_of(sent("s3", "get_object_acl", Bucket="b", Key="k"), Around())
    assert "dynamodb:Scan" not in RULES


def test_a_secret_that_is_not_there_is_asked_for_by_its_name() -> None:
    ((_, resource),) = asked(sent("secretsmanager", "get_secret_value", SecretId="none"))
    assert resource == f"arn:aws:secretsmanager:{HERE}:secret:none-000000"
