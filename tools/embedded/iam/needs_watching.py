"""What calls of CloudWatch, its logs, and of services that are only read need."""

from __future__ import annotations

from tools.embedded.iam.needed import Maker, Need, requested
from tools.embedded.iam.needs_capacity import listing
from tools.embedded.iam.needs_state import Members, Rule


def _alarm(make: Maker, name: str) -> str:
    return make.arn("cloudwatch", f"alarm:{name}")


def _put_alarm(make: Maker, given: Members) -> list[Need]:
    arn, tags = _alarm(make, given.get("AlarmName", "")), requested(given.get("Tags"))
    return [
        make.need("cloudwatch:PutMetricAlarm", arn, tags),
        *make.tagging("cloudwatch:TagResource", arn, tags),
    ]


def _delete_alarms(make: Maker, given: Members) -> list[Need]:
    names = given.get("AlarmNames", ())
    return [make.need("cloudwatch:DeleteAlarms", _alarm(make, name)) for name in names]


def _describe_alarms(make: Maker, given: Members) -> list[Need]:
    """By name on each of them; otherwise it is a listing."""
    names = given.get("AlarmNames", ())
    asked = [_alarm(make, name) for name in names] or ["*"]
    return [make.need("cloudwatch:DescribeAlarms", arn) for arn in asked]


def _alarm_tags(make: Maker, given: Members) -> list[Need]:
    return [make.need("cloudwatch:ListTagsForResource", given.get("ResourceARN", ""))]


def _put_metrics(make: Maker, given: Members) -> list[Need]:
    context = {"cloudwatch__namespace": given.get("Namespace", "")}
    return [make.need("cloudwatch:PutMetricData", **context)]


def _group(make: Maker, given: Members) -> str:
    """With the stream that AWS puts behind it, also when there is none."""
    name = given.get("logGroupName") or given.get("logGroupIdentifier", "")
    return make.arn("logs", f"log-group:{name.rpartition(':')[2]}:log-stream:")


def _on_group(action: str) -> Rule:
    return lambda make, given: [make.need(f"logs:{action}", _group(make, given))]


def _create_group(make: Maker, given: Members) -> list[Need]:
    arn = _group(make, given)
    tags = requested(given.get("tags"))
    return [
        make.need("logs:CreateLogGroup", arn, tags),
        *make.tagging("logs:TagResource", arn.removesuffix(":log-stream:"), tags),
    ]


_READ = (
    "cloudwatch:GetMetricData",
    "servicequotas:ListServiceQuotas",
    "pricing:GetProducts",
    "ce:GetCostAndUsage",
    "tag:GetResources",
)
RULES: dict[str, Rule] = {
    **{name: listing(name) for name in _READ},
    "cloudwatch:PutMetricAlarm": _put_alarm,
    "cloudwatch:DeleteAlarms": _delete_alarms,
    "cloudwatch:DescribeAlarms": _describe_alarms,
    "cloudwatch:ListTagsForResource": _alarm_tags,
    "cloudwatch:PutMetricData": _put_metrics,
    "logs:CreateLogGroup": _create_group,
    "logs:FilterLogEvents": _on_group("FilterLogEvents"),
    "logs:PutRetentionPolicy": _on_group("PutRetentionPolicy"),
}
# With any credentials, whatever their policies say: STS tells everybody who they are.
FREE = frozenset({"sts:GetCallerIdentity"})
