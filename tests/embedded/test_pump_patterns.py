"""Event patterns: every operator, and how they nest."""

from __future__ import annotations

import pytest

from tools.embedded.pump.patterns import matches

EVENT = {
    "source": "aws.sagemaker",
    "detail-type": "State Change",
    "resources": ["arn:a", "arn:b"],
    "detail": {
        "name": "DeepSeek-R1",
        "count": 7,
        "cost": 1.5,
        "ok": True,
        "gone": None,
        "empty": "",
        "ip": "10.0.0.7",
        "path": "weights/r1/model-001.safetensors",
        "tags": ["prod", "gpu"],
        "inner": {"phase": "AWAKE"},
        "items": [{"id": "x", "n": 1}, {"id": "y", "n": 5}],
    },
}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"source": ["aws.sagemaker"]}, True),
        ({"source": ["aws.ec2", "aws.sagemaker"]}, True),
        ({"source": ["aws.ec2"]}, False),
        ({"resources": ["arn:b"]}, True),
        ({"detail": {"inner": {"phase": ["AWAKE"]}}}, True),
        ({"detail": {"inner": {"phase": ["ASLEEP"]}}}, False),
        ({"detail": {"inner": {"other": ["AWAKE"]}}}, False),
        ({"detail": {"name": [{"prefix": "Deep"}]}}, True),
        ({"detail": {"name": [{"prefix": "deep"}]}}, False),
        ({"detail": {"name": [{"prefix": {"equals-ignore-case": "deep"}}]}}, True),
        ({"detail": {"name": [{"suffix": "-R1"}]}}, True),
        ({"detail": {"name": [{"suffix": {"equals-ignore-case": "-r1"}}]}}, True),
        ({"detail": {"name": [{"equals-ignore-case": "deepseek-r1"}]}}, True),
        ({"detail": {"count": [7]}}, True),
        ({"detail": {"count": ["7"]}}, False),
        ({"detail": {"ok": [True]}}, True),
        ({"detail": {"ok": [1]}}, False),
        ({"detail": {"gone": [None]}}, True),
        ({"detail": {"empty": [""]}}, True),
        ({"detail": {"count": [{"numeric": [">", 5, "<=", 7]}]}}, True),
        ({"detail": {"count": [{"numeric": ["<", 7]}]}}, False),
        ({"detail": {"cost": [{"numeric": ["=", 1.5]}]}}, True),
        ({"detail": {"name": [{"numeric": [">", 0]}]}}, False),
        ({"detail": {"name": [{"anything-but": "DeepSeek-R1"}]}}, False),
        ({"detail": {"name": [{"anything-but": ["a", "b"]}]}}, True),
        ({"detail": {"count": [{"anything-but": [7]}]}}, False),
        ({"detail": {"name": [{"anything-but": {"prefix": "Deep"}}]}}, False),
        ({"detail": {"name": [{"anything-but": {"prefix": ["x", "y"]}}]}}, True),
        ({"detail": {"name": [{"anything-but": {"suffix": "-R2"}}]}}, True),
        ({"detail": {"name": [{"anything-but": {"wildcard": "*R1"}}]}}, False),
        ({"detail": {"missing": [{"anything-but": "a"}]}}, False),
        ({"detail": {"missing": [{"exists": False}]}}, True),
        ({"detail": {"name": [{"exists": True}]}}, True),
        ({"detail": {"name": [{"exists": False}]}}, False),
        ({"nothing": {"here": [{"exists": False}]}}, True),
        ({"detail": {"path": [{"wildcard": "weights/*/model-*.safetensors"}]}}, True),
        ({"detail": {"path": [{"wildcard": "weights/*.json"}]}}, False),
        ({"detail": {"path": [{"wildcard": r"weights/\*"}]}}, False),
        ({"detail": {"ip": [{"cidr": "10.0.0.0/24"}]}}, True),
        ({"detail": {"ip": [{"cidr": "10.1.0.0/24"}]}}, False),
        ({"detail": {"tags": ["gpu"]}}, True),
        ({"detail": {"tags": [{"prefix": "g"}]}}, True),
        ({"detail": {"items": {"id": ["y"]}}}, True),
        ({"detail": {"items": {"n": [{"numeric": [">", 9]}]}}}, False),
        ({"$or": [{"source": ["no"]}, {"detail": {"count": [7]}}]}, True),
        ({"$or": [{"source": ["no"]}, {"detail": {"count": [8]}}]}, False),
        ({"source": ["aws.sagemaker"], "detail": {"$or": [{"count": [1]}, {"ok": [True]}]}}, True),
        ({"source": ["no"], "detail": {"$or": [{"count": [1]}, {"ok": [True]}]}}, False),
        ({"source": ["aws.sagemaker"], "detail-type": ["Other"]}, False),
        ({"detail": {"name": [{"unknown-operator": 1}]}}, False),
    ],
)
def test_patterns(pattern, expected):
    assert matches(pattern, EVENT) is expected
