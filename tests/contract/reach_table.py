"""What each role may reach of its own stack, written once more by hand.

Under a role each line is a kind, the places of it (see reach.py), and what may be done there; a
line that is deeper goes on with the one before. `*` are all partitions of the table but that of
CloudFormation's address, which is two functions' own. Roles that reach none of these places are not
here. A right that grows has to grow here too, while docs/permissions.md is made from the template
and would follow it without a word.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from tests.contract.reach import Reached, places

_SERVICES = {
    "weights": "s3",
    "results": "s3",
    "reports": "s3",
    "table": "dynamodb",
    "queue": "sqs",
    "alarm": "cloudwatch",
    "machine": "states",
    "run": "states",
    "function": "lambda",
    "secret": "secretsmanager",
}
_TABLE = """
AcceptCommandFunctionRole
    machine: DeployEndpoint RemoveCapacity RetireEndpoint SleepEndpoint UpdateEndpoint
        WakeEndpoint | StartExecution
    queue: Notify NotifyDeadLetter dlq later queue | GetQueueAttributes GetQueueUrl ListQueueTags
    run: DeployEndpoint RemoveCapacity RetireEndpoint SleepEndpoint UpdateEndpoint
        WakeEndpoint | DescribeExecution
    run: DeployEndpoint RetireEndpoint SleepEndpoint UpdateEndpoint WakeEndpoint | StopExecution
    secret: HubToken | GetSecretValue
    table: * | GetItem PutItem Query
AnswerStackFunctionRole
    table: RETIREMENT | GetItem
CreateModelFunctionRole
    secret: HubToken | GetSecretValue
DispatchRequestsFunctionRole
    machine: WakeEndpoint | StartExecution
    queue: dlq later queue |
        ChangeMessageVisibility DeleteMessage GetQueueAttributes GetQueueUrl ReceiveMessage
    queue: dlq later | SendMessage
    results: async | DeleteObject
    results: answers async requests results | GetObject
    results: list | ListBucket
    results: answers async results | PutObject
    run: SleepEndpoint | StopExecution
    table: * | DeleteItem GetItem PutItem Query UpdateItem
EndpointRole
    alarm: endpoint's | DescribeAlarms
    results: async | AbortMultipartUpload GetObject PutObject
    weights: models | GetObject
    weights: list | ListBucket
FlowRole
    alarm: endpoint's tracking | DeleteAlarms PutMetricAlarm
    alarm: AlertsLost AlertsRefused DispatchFailing NotifyFailing Stuck TickFailing
        TickMissing endpoint's tracking | DescribeAlarms
    alarm: endpoint's | TagResource
    function: CheckNames CreateModel GuardSleep LookAtStart PlanDeployment PlanStaging
        PlanWake ProbeEndpoint RecordPhase RemoveWeights SealStaging StageFile | InvokeFunction
    machine: CreateCapacity RemoveCapacity ReshapeCapacity StageWeights | StartExecution
    queue: dlq later queue |
        CreateQueue DeleteQueue GetQueueAttributes GetQueueUrl SetQueueAttributes TagQueue
    run: CreateCapacity RemoveCapacity ReshapeCapacity StageWeights |
        DescribeExecution StopExecution
    table: * | GetItem
GatewayFunctionRole
    machine: WakeEndpoint | StartExecution
    queue: later queue | GetQueueUrl SendMessage
    results: answers requests results | GetObject
    results: list | ListBucket
    results: answers requests | PutObject
    run: SleepEndpoint | StopExecution
    secret: GatewayKeys | GetSecretValue
    table: * | GetItem Query
    table: FLEET HISTORY USAGE | PutItem
    table: TRAFFIC | UpdateItem
GuardSleepFunctionRole
    machine: WakeEndpoint | StartExecution
    queue: Notify NotifyDeadLetter dlq later queue | GetQueueAttributes GetQueueUrl
    run: SleepEndpoint | StopExecution
    table: * | GetItem PutItem Query
LookAtStartFunctionRole
    table: * | GetItem PutItem Query
NotifyFunctionRole
    queue: Notify | ChangeMessageVisibility DeleteMessage GetQueueAttributes ReceiveMessage
    secret: Slack | GetSecretValue
    table: HELD | DeleteItem Query
    table: FLEET PAUSE | GetItem
    table: HELD PAUSE SEEN | PutItem
PlanDeploymentFunctionRole
    table: * | GetItem Query
    weights: models passports | GetObject
    weights: list | ListBucket
PlanStagingFunctionRole
    secret: HubToken | GetSecretValue
    weights: passports | GetObject
    weights: list | ListBucket
PlanWakeFunctionRole
    queue: Notify NotifyDeadLetter dlq later queue | GetQueueAttributes GetQueueUrl
    table: * | GetItem PutItem Query
ProbeEndpointFunctionRole
    results: async | DeleteObject GetObject PutObject
    results: list | ListBucket
ReconcileFunctionRole
    machine: DeployEndpoint RemoveCapacity RetireEndpoint SleepEndpoint UpdateEndpoint
        WakeEndpoint | StartExecution
    queue: Notify NotifyDeadLetter dlq later queue | GetQueueAttributes GetQueueUrl
    run: DeployEndpoint RemoveCapacity RetireEndpoint SleepEndpoint UpdateEndpoint
        WakeEndpoint | DescribeExecution
    run: DeployEndpoint RetireEndpoint SleepEndpoint UpdateEndpoint WakeEndpoint | StopExecution
    table: * | DeleteItem GetItem PutItem Query
RecordPhaseFunctionRole
    machine: SleepEndpoint | StartExecution
    queue: Notify NotifyDeadLetter dlq later queue | GetQueueAttributes GetQueueUrl
    run: WakeEndpoint | StopExecution
    table: * | DeleteItem GetItem PutItem Query
RefreshPricesFunctionRole
    queue: Notify | SendMessage
    table: FLEET | GetItem PutItem
RemoveWeightsFunctionRole
    table: * | GetItem Query
    weights: models | AbortMultipartUpload
    weights: checkpoints models passports | DeleteObject
    weights: list | ListBucket ListBucketMultipartUploads
ReportCostsFunctionRole
    queue: Notify | SendMessage
    reports: reports | GetObject PutObject
    reports: list | ListBucket
    table: * | GetItem Query
RetireStackFunctionRole
    machine: RetireStack | StartExecution
    table: RETIREMENT | PutItem
RetireStackRole
    function: AcceptCommand AnswerStack | InvokeFunction
    table: * | Query
ScheduleRole
    function: Notify Reconcile RefreshPrices ReportCosts SweepAccount | InvokeFunction
    queue: NotifyDeadLetter | SendMessage
SealStagingFunctionRole
    weights: models | AbortMultipartUpload
    weights: checkpoints models passports | DeleteObject
    weights: models passports | GetObject
    weights: list | ListBucket ListBucketMultipartUploads
    weights: contents passports | PutObject
StageFileFunctionRole
    secret: HubToken | GetSecretValue
    weights: models | AbortMultipartUpload ListMultipartUploadParts
    weights: checkpoints | DeleteObject
    weights: checkpoints contents else models passports | GetObject
    weights: list | ListBucket
    weights: checkpoints models | PutObject
SweepAccountFunctionRole
    alarm: endpoint's tracking | DeleteAlarms
    alarm: AlertsLost AlertsRefused DispatchFailing NotifyFailing Stuck TickFailing
        TickMissing endpoint's tracking | DescribeAlarms
    alarm: AlertsLost AlertsRefused DispatchFailing NotifyFailing Stuck TickFailing
        TickMissing endpoint's | ListTagsForResource
    queue: dlq later queue | DeleteQueue
    queue: Notify NotifyDeadLetter dlq later queue | GetQueueAttributes ListQueueTags
    queue: Notify | SendMessage
    run: RemoveCapacity RetireEndpoint | DescribeExecution
    table: * | GetItem Query
    table: SWEEP | PutItem
"""


def written() -> Mapping[str, set[Reached]]:
    """By role: the actions and places of the table. KeyError for a kind or place that is none."""
    known = {place.name: place.name for place in places()}
    found: dict[str, set[Reached]] = defaultdict(set)
    role = ""
    for line in _TABLE.replace("\n        ", " ").strip().splitlines():
        if not line.startswith(" "):
            role = line
            continue
        kind, _, rest = line.strip().partition(":")
        named, _, actions = rest.partition("|")
        every = [name.partition(":")[2] for name in known if name.startswith(f"{kind}:")]
        every = [name for name in every if name != "RETIREMENT"]
        for place in every if named.strip() == "*" else named.split():
            found[role] |= {
                (f"{_SERVICES[kind]}:{action}", known[f"{kind}:{place}"])
                for action in actions.split()
            }
    return found
