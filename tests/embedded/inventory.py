"""Everything that lies in an account, service by service."""

from __future__ import annotations

from tools.embedded.kernel.account import Account

LISTS = {
    "buckets": ("s3", "list_buckets", "Buckets", "Name"),
    "tables": ("dynamodb", "list_tables", "TableNames", None),
    "secrets": ("secretsmanager", "list_secrets", "SecretList", "Name"),
    "buses": ("events", "list_event_buses", "EventBuses", "Name"),
    "queues": ("sqs", "list_queues", "QueueUrls", None),
    "roles": ("iam", "list_roles", "Roles", "RoleName"),
    "policies": ("iam", "list_policies", "Policies", "PolicyName"),
    "log groups": ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    "functions": ("lambda", "list_functions", "Functions", "FunctionName"),
    "layers": ("lambda", "list_layers", "Layers", "LayerName"),
    "mappings": ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
    "schedules": ("scheduler", "list_schedules", "Schedules", "Name"),
    "topics": ("sns", "list_topics", "Topics", "TopicArn"),
    "subscriptions": ("sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
    "alarms": ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    "dashboards": ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    "machines": ("stepfunctions", "list_state_machines", "stateMachines", "name"),
    "models": ("sagemaker", "list_models", "Models", "ModelName"),
    "configs": ("sagemaker", "list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
    "endpoints": ("sagemaker", "list_endpoints", "Endpoints", "EndpointName"),
    "components": (
        "sagemaker", "list_inference_components", "InferenceComponents", "InferenceComponentName",
    ),
}  # fmt: skip

_CONTAINERS = "/aws/sagemaker/"


def inventory(account: Account) -> dict[str, list[str]]:
    """Names by what they are; rules with their bus, and functions that the account could run."""
    found: dict[str, list[str]] = {}
    for what, (service, operation, members, name) in LISTS.items():
        reply = getattr(account.boto(service), operation)()
        found[what] = sorted(one[name] if name else one for one in reply.get(members, []))
    # Why a container died is read there after its endpoint is gone; each goes by itself.
    groups = account.boto("logs").describe_log_groups(logGroupNamePrefix=_CONTAINERS)["logGroups"]
    ending = {one["logGroupName"] for one in groups if "retentionInDays" in one}
    found["log groups"] = [one for one in found["log groups"] if one not in ending]
    events = account.boto("events")
    found["rules"] = [
        f"{bus}/{rule['Name']}"
        for bus in found["buses"]
        for rule in events.list_rules(EventBusName=bus)["Rules"]
    ]
    found["targets"] = account.boto("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="sagemaker"
    )["ScalableTargets"]
    found["deployed"] = sorted(account.runtime.deployed)
    found["layers deployed"] = sorted(account.runtime.layers)
    return found


def left(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, list[str]]:
    """What is there after and was not before."""
    more = {
        what: [one for one in names if one not in before[what]] for what, names in after.items()
    }
    return {what: names for what, names in more.items() if names}
