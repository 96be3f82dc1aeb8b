"""A stack that is brought to another template."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.inventory import inventory
from tests.embedded.kernel_lab import FUNCTIONS, START, invoke, template
from tests.embedded.stack import wait_for
from tests.embedded.test_kernel_stacks import EVERYTHING, PARAMETERS, POLICY
from tools.embedded.kernel.account import Account
from tools.embedded.kernel.intrinsics import TemplateError

WAITS = json.dumps(
    {
        "StartAt": "Wait",
        "States": {
            "Wait": {"Type": "Wait", "Seconds": 120, "Next": "Say"},
            "Say": {"Type": "Pass", "Result": "old", "End": True},
        },
    }
)


@pytest.fixture
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with Account(tmp_path_factory.mktemp("account"), start=START, speed=60) as running:
        yield running


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The folder of the next release."""
    (tmp_path / "next").mkdir()
    return tmp_path / "next"


def changed(**properties: dict[str, Any]) -> dict[str, Any]:
    """Everything, with other properties of some."""
    resources = deepcopy(EVERYTHING)
    for logical, changes in properties.items():
        resources[logical]["Properties"].update(changes)
    return resources


def remove(account: Account, before: dict[str, Any]) -> None:
    account.engine.delete("whole")
    assert inventory(account) == before


def test_everything_is_changed_in_place_and_keeps_its_identity(
    account: Account, tmp_path: Path, other: Path
) -> None:
    before = inventory(account)
    account.deploy(template(tmp_path, EVERYTHING, Parameters=PARAMETERS), "whole", {"Size": "5"})
    first = {name: made.physical_id for name, made in account.engine.stacks["whole"].made.items()}
    resources = changed(
        Role={"Policies": [{"PolicyName": "some", "PolicyDocument": POLICY}]},
        Beside={"PolicyDocument": {**POLICY, "Id": "x"}},
        TopicPolicy={"PolicyDocument": {**POLICY, "Id": "x"}},
        Queue={"VisibilityTimeout": 99},
        QueuePolicy={"PolicyDocument": {**POLICY, "Id": "x"}},
        BucketPolicy={"PolicyDocument": {**POLICY, "Id": "x"}},
        Rule={"EventPattern": {"source": ["other"]}, "Targets": []},
        LogGroup={"RetentionInDays": 7},
        Mapping={"BatchSize": 3},
        Schedule={"ScheduleExpression": "rate(2 days)"},
        Secret={"Description": "of the Hub"},
        Alarm={"Threshold": 7},
        Dashboard={"DashboardBody": '{"widgets": [], "start": "-PT1H"}'},
        Machine={"DefinitionString": WAITS},
        One={"Environment": {"Variables": {"GREETING": "hi"}}},
    )
    account.update(template(other, resources, Parameters=PARAMETERS), "whole")
    stack = account.engine.stacks["whole"]
    assert stack.status == "UPDATE_COMPLETE"
    assert stack.parameters["Size"] == "5", "what was not given keeps its value"
    layer = next(name for name, kind in stack.types.items() if kind.endswith("LayerVersion"))
    after = {name: made.physical_id for name, made in stack.made.items()}
    assert {name for name in after if after[name] != first[name]} == {layer}
    iam, role = account.boto("iam"), after["Role"]
    of_others = "more"  # an AWS::IAM::Policy's, which this update leaves alone
    assert set(iam.list_role_policies(RoleName=role)["PolicyNames"]) == {"some", of_others}
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert {one["PolicyArn"] for one in attached} == {after["Beside"], after["Rights"]}
    beside = iam.get_policy(PolicyArn=after["Beside"])["Policy"]["DefaultVersionId"]
    version = iam.get_policy_version(PolicyArn=after["Beside"], VersionId=beside)["PolicyVersion"]
    assert version["Document"]["Id"] == "x"
    topic = account.boto("sns").get_topic_attributes(TopicArn=after["Topic"])["Attributes"]
    assert json.loads(topic["Policy"])["Id"] == "x"
    url = after["Queue"]
    attributes = account.boto("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    assert attributes["Attributes"]["VisibilityTimeout"] == "99"
    assert json.loads(attributes["Attributes"]["Policy"])["Id"] == "x"
    events = account.boto("events")
    rule = {"Rule": after["Rule"], "EventBusName": "own"}
    assert events.list_targets_by_rule(**rule)["Targets"] == []
    groups = account.boto("logs").describe_log_groups(logGroupNamePrefix="/own")["logGroups"]
    assert groups[0]["retentionInDays"] == 7
    mapping = account.boto("lambda").get_event_source_mapping(UUID=after["Mapping"])
    assert mapping["BatchSize"] == 3
    schedule = account.boto("scheduler").get_schedule(Name=after["Schedule"])
    assert schedule["ScheduleExpression"] == "rate(2 days)"
    (alarm,) = account.boto("cloudwatch").describe_alarms()["MetricAlarms"]
    assert alarm["Threshold"] == 7
    machine = account.boto("stepfunctions").describe_state_machine(stateMachineArn=after["Machine"])
    assert json.loads(machine["definition"])["StartAt"] == "Wait"
    assert invoke(account, "one")[0]["environ"]["GREETING"] == "hi"
    remove(account, before)


def test_an_update_takes_no_new_default_for_a_parameter_that_there_was(
    account: Account, tmp_path: Path, other: Path
) -> None:
    """So a template may have other defaults for new stacks."""
    before = inventory(account)
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": {"Ref": "Size"}}}
    account.deploy(template(tmp_path, {"Queue": queue}, Parameters=PARAMETERS), "whole")
    newer = {"Size": {"Type": "Number", "Default": 7}, "More": {"Type": "String", "Default": "x"}}
    account.update(template(other, {"Queue": queue}, Parameters=newer), "whole")
    assert account.engine.stacks["whole"].parameters == {"Size": 3, "More": "x"}
    remove(account, before)


def test_what_is_new_is_made_and_what_is_missing_goes(
    account: Account, tmp_path: Path, other: Path
) -> None:
    before = inventory(account)
    account.deploy(template(tmp_path, EVERYTHING), "whole")
    resources = changed(Queue={"QueueName": "renamed"})
    del resources["Topic"], resources["TopicPolicy"], resources["Subscription"]
    resources["Second"] = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "second"}}
    account.update(template(other, resources), "whole")
    urls = account.boto("sqs").list_queues()["QueueUrls"]
    assert {url.rpartition("/")[2] for url in urls} == {"renamed", "second"}
    assert account.boto("sns").list_topics()["Topics"] == []
    statuses = {e.logical_id: e.status for e in account.engine.stacks["whole"].events}
    assert [statuses[name] for name in ("Queue", "Second", "Topic")] == [
        "UPDATE_COMPLETE", "CREATE_COMPLETE", "DELETE_COMPLETE",
    ]  # fmt: skip
    remove(account, before)


def test_a_running_execution_keeps_its_definition_and_a_new_one_has_the_new(
    account: Account, tmp_path: Path, other: Path
) -> None:
    before = inventory(account)
    account.deploy(template(tmp_path, changed(Machine={"DefinitionString": WAITS})), "whole")
    states, arn = account.boto("stepfunctions"), account.engine.stacks["whole"].made["Machine"].ref
    running = states.start_execution(stateMachineArn=arn, name="old")["executionArn"]
    say = WAITS.replace("old", "new").replace("120", "1")
    account.update(template(other, changed(Machine={"DefinitionString": say})), "whole")
    assert states.describe_execution(executionArn=running)["status"] == "RUNNING"
    later = states.start_execution(stateMachineArn=arn, name="new")["executionArn"]

    def outputs() -> list[str | None]:
        found = (states.describe_execution(executionArn=one) for one in (running, later))
        return [one.get("output") for one in found]

    assert wait_for(outputs, all, "both executions") == ["old", "new"]
    remove(account, before)


def test_what_runs_ends_with_the_old_code_and_what_begins_has_the_new(
    account: Account, tmp_path: Path, other: Path
) -> None:
    before = inventory(account)
    resources = {name: deepcopy(FUNCTIONS[name]) for name in ("Role", "One", "Napper")}
    resources["Napper"]["Properties"]["Timeout"] = 30
    account.deploy(template(tmp_path, resources), "whole")
    warm = invoke(account, "one")[0]["pid"]
    said: list[Any] = []
    nap = threading.Thread(
        target=lambda: said.append(invoke(account, "napper", {"mib": 1, "seconds": 2}))
    )
    nap.start()
    wait_for(lambda: account.runtime.find("napper").environments, bool, "the nap")
    path = template(other, resources)
    code = (
        (other / "code" / "app.py").read_text().replace('return {"pid"', 'return {"new": 1, "pid"')
    )
    (other / "code" / "app.py").write_text(code)
    account.update(path, "whole")
    told = invoke(account, "one")[0]
    assert told["new"] == 1
    assert told["pid"] != warm
    assert not said, "the nap has outlasted the update"
    nap.join()
    assert said == [(None, None)]
    assert not account.runtime.find("napper").environments, "no old process is used again"
    remove(account, before)


def test_an_update_that_cannot_be_done_says_which_resource_and_another_may_follow(
    account: Account, tmp_path: Path, other: Path
) -> None:
    before = inventory(account)
    account.deploy(template(tmp_path, EVERYTHING), "whole")
    wrong = changed(Queue={"VisibilityTimeout": {"Ref": "Nobody"}})
    with pytest.raises(TemplateError, match=r"Queue \(AWS::SQS::Queue\): Nobody is neither"):
        account.update(template(other, wrong), "whole")
    assert account.engine.stacks["whole"].status == "UPDATE_FAILED"
    account.update(template(other, EVERYTHING), "whole")
    assert account.engine.stacks["whole"].status == "UPDATE_COMPLETE"
    remove(account, before)
