"""Shapes of botocore's models: what is refused, in which words, and that replies fit."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from tools.embedded.sagemaker.wire import Call, parse, refuse, reply
from tools.embedded.shapes import ReplyShapeError, ServiceError, problems, service_model

TARGETS = {"sagemaker": "SageMaker", "application-autoscaling": "AnyScaleFrontendService"}
VARIANT = {"VariantName": "v", "InstanceType": "ml.g5.xlarge", "InitialInstanceCount": 1}


def request(service: str, operation: str, body: Any) -> Request:
    headers = {"X-Amz-Target": f"{TARGETS[service]}.{operation}"}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request(EnvironBuilder(method="POST", headers=headers, data=data).get_environ())


def refusal(operation: str, body: Any, service: str = "sagemaker") -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        parse(service, request(service, operation, body))
    return caught.value


def test_a_right_request_is_parsed_and_nulls_are_left_out() -> None:
    call = parse("sagemaker", request("sagemaker", "CreateModel", {"ModelName": "m", "Tags": None}))
    assert (call.name, call.arguments) == ("CreateModel", {"ModelName": "m"})


@pytest.mark.parametrize(
    "variant",
    [
        {"InstanceType": None},
        {"ManagedInstanceScaling": {"Status": "ENABLED", "MinInstanceCount": 0}},
        {"InstancePools": [{"InstanceType": "ml.g6.xlarge", "Priority": 1}]},
        {"InitialVariantWeight": 1},
        {"InitialVariantWeight": 0.5},
    ],
)
def test_what_the_model_allows_is_taken(variant: Any) -> None:
    body = {"EndpointConfigName": "c", "ProductionVariants": [VARIANT | variant]}
    parse("sagemaker", request("sagemaker", "CreateEndpointConfig", body))


@pytest.mark.parametrize(
    ("variant", "says"),
    [
        ({"VariantName": None}, "Value null at 'productionVariants.1.member.variantName' failed"),
        ({"InitialInstanceCount": 0}, "Value '0' at 'productionVariants.1.member.initialInstance"),
        ({"InstanceType": "ml.g5.tiny"}, "Member must satisfy enum value set: [ml.t2.medium, "),
        ({"VariantName": "a_b"}, "Member must satisfy regular expression pattern: [a-zA-Z0-9]"),
        ({"VariantName": "a" * 64}, "Member must have length less than or equal to 63"),
        ({"InstancePools": []}, "Member must have length greater than or equal to 1"),
        ({"ModelDataDownloadTimeoutInSeconds": 3601}, "value less than or equal to 3600"),
        (
            {"InstancePools": [{"InstanceType": "ml.g5.xlarge"}, {"Priority": 2}]},
            "Value null at 'productionVariants.1.member.instancePools.2.member.instanceType'",
        ),
        ({"ManagedInstanceScaling": {"Status": "ON"}}, "enum value set: [ENABLED, DISABLED]"),
        ({"Colour": "red"}, "Value 'red' at 'productionVariants.1.member.colour'"),
    ],
)
def test_each_constraint_is_named_with_path_and_value(variant: Any, says: str) -> None:
    body = {"EndpointConfigName": "c", "ProductionVariants": [VARIANT | variant]}
    error = refusal("CreateEndpointConfig", body)
    assert error.code == "ValidationException"
    assert error.message.startswith(("1 validation error detected: ", "2 validation errors"))
    assert says in error.message


def test_every_broken_constraint_is_counted() -> None:
    error = refusal("CreateEndpoint", {"EndpointName": "-"})
    assert error.message.startswith("2 validation errors detected: ")


@pytest.mark.parametrize(
    ("copies", "says"),
    [
        ("two", "STRING_VALUE can not be converted to Integer (at 'desiredRuntimeConfig.copyCount"),
        (1.5, "NUMBER_VALUE can not be converted to Integer"),
        (True, "TRUE_VALUE can not be converted to Integer"),
        ([1], "Start of structure or map can not be converted to Integer"),
    ],
)
def test_another_type_is_a_serialization_exception(copies: Any, says: str) -> None:
    body = {"InferenceComponentName": "ic", "DesiredRuntimeConfig": {"CopyCount": copies}}
    error = refusal("UpdateInferenceComponentRuntimeConfig", body)
    assert (error.code, says in error.message) == ("SerializationException", True)


def test_maps_are_looked_into() -> None:
    container = {"Image": "x", "Environment": {"1BAD": "v", "GOOD": "v" * 1025}}
    error = refusal("CreateModel", {"ModelName": "m", "PrimaryContainer": container})
    assert "at 'primaryContainer.environment.1BAD.key'" in error.message
    assert "at 'primaryContainer.environment.GOOD.value'" in error.message


@pytest.mark.parametrize("body", [b"{", b"[]"])
def test_a_body_that_is_no_object(body: bytes) -> None:
    assert refusal("ListModels", body).code == "SerializationException"


def test_an_operation_that_does_not_exist() -> None:
    assert refusal("CreateTeapot", {}).code == "UnknownOperationException"
    assert refusal("ListModels", {}, "application-autoscaling").code == "UnknownOperationException"


def invocation(path: str, body: bytes = b"{}", **headers: str) -> Request:
    builder = EnvironBuilder(method="POST", path=path, headers=headers, data=body)
    return Request(builder.get_environ())


def test_a_rest_request_has_members_in_path_headers_and_body() -> None:
    headers = {"X-Amzn-SageMaker-Inference-Component": "ic", "Content-Type": "application/json"}
    call = parse("sagemaker-runtime", invocation("/endpoints/e/invocations", **headers))
    assert call.name == "InvokeEndpoint"
    assert call.arguments == {
        "EndpointName": "e",
        "InferenceComponentName": "ic",
        "ContentType": "application/json",
        "Body": b"{}",
    }


def test_a_rest_request_is_held_against_its_shape() -> None:
    ttl = {"X-Amzn-SageMaker-RequestTTLSeconds": "5"}
    with pytest.raises(ServiceError, match=r"'requestTTLSeconds'.*greater than or equal to 60"):
        parse("sagemaker-runtime", invocation("/endpoints/e/async-invocations", b"", **ttl))
    with pytest.raises(ServiceError, match="HTTP content length exceeded 6291456 bytes") as large:
        parse("sagemaker-runtime", invocation("/endpoints/e/invocations", b"x" * 6291457))
    assert large.value.status == 413


def call_of(operation: str, service: str = "sagemaker") -> Call:
    return Call(service, service_model(service).operation_model(operation), {})


def test_a_reply_is_held_against_its_shape() -> None:
    arn = "arn:aws:sagemaker:us-east-1:123456789012:model/m"
    good = reply(call_of("CreateModel"), {"ModelArn": arn})
    assert (good.status_code, json.loads(good.data)) == (200, {"ModelArn": arn})
    for wrong in ({}, {"ModelArn": 3}, {"ModelArn": arn, "More": 1}):
        with pytest.raises(ReplyShapeError):
            reply(call_of("CreateModel"), wrong)


def test_a_reply_is_held_against_its_shape_at_any_depth() -> None:
    with pytest.raises(ReplyShapeError, match=r"endpoints\.1\.member\.endpointArn"):
        reply(call_of("ListEndpoints"), {"Endpoints": [{"EndpointName": "e"}]})


def test_timestamps_are_epoch_numbers() -> None:
    arn = "arn:aws:sagemaker:us-east-1:123456789012:model/m"
    row = {"ModelName": "m", "ModelArn": arn, "CreationTime": 1.5}
    assert json.loads(reply(call_of("ListModels"), {"Models": [row]}).data)["Models"] == [row]


def test_an_error_has_the_status_and_member_of_its_shape() -> None:
    members = {"OriginalStatusCode": 400, "OriginalMessage": "m"}
    answer = refuse("sagemaker-runtime", ServiceError("ModelError", "told", members=members))
    assert answer.status_code == 424
    assert answer.headers["x-amzn-errortype"] == "ModelError"
    assert json.loads(answer.data) == {"__type": "ModelError", "Message": "told", **members}


def test_sensitive_values_are_not_told() -> None:
    shape = service_model("sagemaker-runtime").shape_for("CustomAttributesHeader")
    (told,) = problems("\u00fc", shape, "customAttributes")
    assert "\u00fc" not in told


def operations_we_answer() -> list[tuple[str, str]]:
    from tools.embedded.sagemaker import (
        component_api,
        config_api,
        endpoint_api,
        model_api,
        tag_api,
    )
    from tools.embedded.scaling import activities, policies, schedules, targets

    found = []
    for service, kinds in (
        (
            "sagemaker",
            (
                component_api.ComponentApi,
                config_api.ConfigApi,
                endpoint_api.EndpointApi,
                model_api.ModelApi,
                tag_api.TagApi,
            ),
        ),
        (
            "application-autoscaling",
            (
                activities.Activities,
                policies.PolicyApi,
                schedules.ScheduleApi,
                targets.TargetApi,
            ),
        ),
    ):
        names = {re.sub(r"(?<!^)(?=[A-Z])", "_", n).lower(): n for n in _operations(service)}
        found += [(service, names[n]) for kind in kinds for n in dir(kind) if n in names]
    return found + [("sagemaker-runtime", n) for n in _operations("sagemaker-runtime")]


def _operations(service: str) -> list[str]:
    return list(service_model(service).operation_names)


def test_every_pattern_of_what_we_answer_can_be_read() -> None:
    from tools.embedded.shapes import pattern

    answered = operations_we_answer()
    assert len(answered) > 35
    for service, name in answered:
        operation = service_model(service).operation_model(name)
        for shape in filter(None, (operation.input_shape, operation.output_shape)):
            for text in _patterns(shape, set()):
                assert pattern(text).pattern != ".*" or text == ".*", text


def _patterns(shape: Any, seen: set[str]) -> set[str]:
    if shape.name in seen:
        return set()
    seen.add(shape.name)
    found = {shape.metadata["pattern"]} if "pattern" in shape.metadata else set()
    inner = {
        "structure": lambda: list(shape.members.values()),
        "list": lambda: [shape.member],
        "map": lambda: [shape.key, shape.value],
    }.get(shape.type_name, list)()
    for one in inner:
        found |= _patterns(one, seen)
    return found
