"""What the template says of the gateway: not there unless asked for, and never open."""

from __future__ import annotations

import os
from typing import Any

from autoscaler.gateway.serve import gateway_settings
from tests.contract.test_statemachines import ROOT, template

RESOURCES = template()["Resources"]
STREAM_SECONDS = 480  # SageMaker's longest


def of_gateway() -> dict[str, Any]:
    return {name: one for name, one in RESOURCES.items() if name.startswith("Gateway")}


def test_nothing_of_it_is_made_unless_it_is_asked_for() -> None:
    parameter = template()["Parameters"]["GatewayAccess"]
    assert parameter["Default"] == "none"
    assert "open" not in parameter["AllowedValues"]
    assert {one["Condition"] for one in of_gateway().values()} == {"HasGateway", "GatewayByKeys"}


def test_everybody_reaches_it_only_where_it_asks_for_keys() -> None:
    for name, one in RESOURCES.items():
        if one["Properties"].get("Principal") == "*":
            assert one["Condition"] == "GatewayByKeys", name
    address = RESOURCES["GatewayUrl"]["Properties"]
    assert address["AuthType"] == ["GatewayByKeys", "NONE", "AWS_IAM"]
    assert address["InvokeMode"] == "RESPONSE_STREAM"


def test_everybody_is_let_in_by_the_url_and_by_no_other_way() -> None:
    """Without the conditions any AWS account could invoke the function itself, with any event."""
    let_in = {
        one["Properties"]["Action"]: one["Properties"]
        for one in RESOURCES.values()
        if one["Properties"].get("Principal") == "*"
    }
    everybody = {"FunctionName": "GatewayFunction", "Principal": "*"}
    assert let_in == {
        action: {"Action": action, **everybody, **only}
        for action, only in (
            ("lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
            ("lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
        )
    }


def test_its_environment_is_what_it_reads_and_leaves_time_for_an_answer() -> None:
    properties = RESOURCES["GatewayFunction"]["Properties"]
    given = dict(properties["Environment"]["Variables"])
    assert given["GATEWAY_ACCESS"] == "GatewayAccess"
    env = gateway_settings({**given, "GATEWAY_ACCESS": "iam", "GATEWAY_WAIT_SECONDS": "300"})
    assert str(env.port) == given["AWS_LWA_PORT"]
    assert env.longest_wait_seconds + STREAM_SECONDS < properties["Timeout"]
    longest = template()["Parameters"]["GatewayWaitSeconds"]["MaxValue"]
    assert longest == env.longest_wait_seconds


def test_what_the_adapter_starts_can_be_started() -> None:
    handler = RESOURCES["GatewayFunction"]["Properties"]["Handler"]
    assert os.access(ROOT / "functions" / "gateway" / handler, os.X_OK)
