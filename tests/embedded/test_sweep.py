"""The hourly sweep, in an account with a deployed stack and an endpoint that is awake."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.cli_account import talks_to
from tests.embedded.by_hand import EVERYTHING, make, names, unmake
from tests.embedded.stack import Stack, deployed, wait_for
from tools.cli.app import app
from tools.embedded.types import Fault

NAME = "llama"
MARKED = {
    "autoscaler:stack": "autoscaler",
    "autoscaler:endpoint": "lost",
    "autoscaler:deletable": "true",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account"), SweepCap="2") as found:
        # It must not sweep by itself in between: the tests say when.
        found.account.boto("scheduler").delete_schedule(Name="autoscaler-sweep")
        assert found.apply(NAME, scaling={"min_copies": 1, "max_copies": 3})["ok"]
        found.until(NAME, "AWAKE")
        yield found


def sweep(stack: Stack, order: str = "remove") -> dict[str, Any]:
    reply = stack.account.boto("lambda").invoke(
        FunctionName=stack.outputs["SweepFunctionName"],
        Payload=json.dumps({"sweep": order}).encode(),
    )
    answer = json.loads(reply["Payload"].read())
    assert "FunctionError" not in reply, answer
    return answer


def verdicts(swept: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(one["kind"], one["name"]): one["verdict"] for one in swept["orphans"]}


def removed(swept: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["kind"], one["name"]) for one in swept["removed"]]


def told_of_strays(stack: Stack) -> Callable[[], list[str]]:
    return lambda: [one for one in stack.slack.titles() if "belongs to no endpoint" in one]


def test_of_a_live_endpoint_and_of_the_stack_itself_nothing_is_an_orphan(stack) -> None:
    stack.account.clock.jump(3600)
    swept = sweep(stack)
    assert (swept["orphans"], swept["gaps"], swept["problems"]) == ([], [], [])


def test_everything_that_the_stack_makes_for_an_endpoint_carries_its_tags(stack) -> None:
    boto, component = stack.account.boto, f"autoscaler-{NAME}"
    wanted = {**MARKED, "autoscaler:endpoint": NAME}
    sagemaker = {
        arn: tags for arn, tags in stack.account.sagemaker.tagged() if arn.endswith(component)
    }
    assert len(sagemaker) == 4
    sqs, tagged = boto("sqs"), list(sagemaker.values())
    for queue in (component, f"{component}-dlq"):
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        tagged.append(sqs.list_queue_tags(QueueUrl=url)["Tags"])
    (mapping,) = stack.mappings(NAME)
    arn = boto("lambda").get_event_source_mapping(UUID=mapping)["EventSourceMappingArn"]
    tagged.append(boto("lambda").list_tags(Resource=arn)["Tags"])
    alarms = boto("cloudwatch").describe_alarms(AlarmNamePrefix=f"{component}-")["MetricAlarms"]
    assert len(alarms) == 3
    for alarm in alarms:
        told = boto("cloudwatch").list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
        tagged.append({tag["Key"]: tag["Value"] for tag in told})
    for tags in tagged:
        assert wanted.items() <= tags.items()


def test_what_is_young_is_no_orphan_yet(stack) -> None:
    make(stack, "inference component", "autoscaler-byhand", {})
    assert sweep(stack, "look")["orphans"] == []


def test_without_the_tag_it_is_reported_with_its_price_and_never_removed(stack) -> None:
    for _ in range(3):
        stack.account.clock.jump(3600)
        swept = sweep(stack)
        found = verdicts(swept)
        assert {kind for kind, name in found if name == "autoscaler-byhand"} == EVERYTHING
        assert all("does not carry the stack's tag" in verdict for verdict in found.values())
        assert swept["removed"] == []
        # An hour that passes while the message is on its way would have it delivered again.
        wait_for(told_of_strays(stack), bool, "the alert")
    (endpoint,) = [one for one in swept["orphans"] if one["kind"] == "endpoint"]
    assert endpoint["instances"] == {"ml.g6e.xlarge": 1}
    hourly, so_far = float(endpoint["usd_per_hour"]), float(endpoint["usd_so_far"])
    assert hourly > 1
    assert so_far > 3 * hourly
    assert names(stack, "autoscaler-byhand") == EVERYTHING
    assert len(told_of_strays(stack)()) == 1, "once, not hourly"


def test_a_listing_that_fails_reports_and_removes_nothing(stack) -> None:
    make(stack, "inference component", "autoscaler-lost", MARKED)
    for _ in range(2):  # seen twice, so that only the failure keeps it
        stack.account.clock.jump(3600)
        fault = Fault("sagemaker:ListModels", "AccessDeniedException", "denied by a test")
        before = len(stack.account.front.fired)
        stack.account.front.inject(fault)
        swept = sweep(stack)
        assert len(stack.account.front.fired) == before + 1
        assert "models could not be listed" in swept["problems"][0]
        assert swept["removed"] == []
    assert names(stack, "autoscaler-lost") == EVERYTHING
    told = verdicts(swept)["inference component", "autoscaler-lost"]
    assert "could not be listed completely" in told


def test_a_tag_that_cannot_be_read_removes_nothing(stack) -> None:
    stack.account.clock.jump(3600)
    fault = Fault("sagemaker:ListTags", "InternalFailure", "broken by a test", status=400)
    before = len(stack.account.front.fired)
    stack.account.front.inject(fault)
    swept = sweep(stack)
    assert len(stack.account.front.fired) == before + 1
    assert swept["removed"] == []
    assert names(stack, "autoscaler-lost") == EVERYTHING


def test_looking_shows_what_would_be_removed_and_changes_nothing(stack) -> None:
    stack.account.clock.jump(3600)
    for _ in range(2):
        swept = sweep(stack, "look")
        assert verdicts(swept)["inference component", "autoscaler-lost"] == "is removed"
        assert swept["removed"] == []
    assert names(stack, "autoscaler-lost") == EVERYTHING


def test_the_command_line_shows_what_it_costs_and_asks_before_it_removes(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    talks_to(stack.account.endpoint_url, monkeypatch)
    shown = CliRunner().invoke(app, ["sweep"])
    assert shown.exit_code == 0, shown.output
    assert "endpoint autoscaler-byhand since" in shown.output
    assert "1 × ml.g6e.xlarge, $" in shown.output
    assert "an hour in all, at most $" in shown.output
    refused = CliRunner().invoke(app, ["sweep", "--delete"], input="n\n")
    assert "Remove inference component autoscaler-lost?" in refused.output
    assert refused.exit_code == 1
    assert names(stack, "autoscaler-lost") == EVERYTHING


def test_what_is_marked_and_was_seen_before_goes_in_order(stack) -> None:
    order = []
    for kinds in (["inference component"], ["endpoint"], ["endpoint config"], ["model"]):
        swept = sweep(stack)
        assert [kind for kind, _ in removed(swept)] == kinds, verdicts(swept)
        order += removed(swept)
        stack.account.clock.jump(3600)
    assert {name for _, name in order} == {"autoscaler-lost"}
    assert names(stack, "autoscaler-lost") == set()
    assert names(stack, "autoscaler-byhand") == EVERYTHING
    assert names(stack, f"autoscaler-{NAME}") == EVERYTHING
    assert any("The sweep removed the endpoint" in one for one in stack.slack.titles())


def test_no_more_than_the_cap_goes_at_a_time_and_never_a_queue_with_requests(stack) -> None:
    sqs = stack.account.boto("sqs")
    urls = [
        sqs.create_queue(QueueName=f"autoscaler-lost-{n}", tags=MARKED)["QueueUrl"]
        for n in range(5)
    ]
    sqs.send_message(QueueUrl=urls[0], MessageBody="somebody waits for this")
    stack.account.clock.jump(3600)
    assert removed(sweep(stack)) == []
    stack.account.clock.jump(3600)
    swept = sweep(stack)
    assert removed(swept) == [("queue", "autoscaler-lost-1"), ("queue", "autoscaler-lost-2")]
    found = verdicts(swept)
    assert "holds requests" in found["queue", "autoscaler-lost-0"]
    assert "reached its cap" in found["queue", "autoscaler-lost-3"]
    assert len(removed(sweep(stack))) == 2
    stack.account.clock.jump(3600)
    assert removed(sweep(stack)) == []
    assert [url for url in urls if url in sqs.list_queues()["QueueUrls"]] == urls[:1]
    sqs.delete_queue(QueueUrl=urls[0])


def test_what_somebody_named_otherwise_is_found_by_its_tag(stack) -> None:
    make(stack, "model", "copied-by-ada", {"autoscaler:stack": "autoscaler"})
    stack.account.clock.jump(3600)
    assert "is not marked" in verdicts(sweep(stack))["model", "copied-by-ada"]
    stack.account.boto("sagemaker").delete_model(ModelName="copied-by-ada")


def test_what_carries_another_stacks_tag_is_none_of_ours(stack) -> None:
    """Of a stack whose name begins with ours: its names look like those of our endpoints."""
    other, theirs = "autoscaler-dev-llama", {**MARKED, "autoscaler:stack": "autoscaler-dev"}
    make(stack, "queue", other, theirs)
    make(stack, "inference component", other, theirs)
    scaling = stack.account.boto("application-autoscaling")
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"inference-component/{other}",
        "ScalableDimension": "sagemaker:inference-component:DesiredCopyCount",
    }
    scaling.register_scalable_target(**target, MinCapacity=0, MaxCapacity=1)
    stack.account.clock.jump(3600)
    assert not [name for _, name in verdicts(sweep(stack)) if other in name]
    scaling.deregister_scalable_target(**target)
    unmake(stack, other)


def test_what_a_person_removes_by_the_command_line_is_told(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    talks_to(stack.account.endpoint_url, monkeypatch)
    stack.account.boto("sqs").create_queue(QueueName="autoscaler-stray", tags=MARKED)
    stack.account.clock.jump(3600)
    first = CliRunner().invoke(app, ["sweep", "--delete"])
    assert "goes when it is seen again" in first.output
    stack.account.clock.jump(1900)
    second = CliRunner().invoke(app, ["sweep", "--delete", "--yes"])
    assert "removed: queue autoscaler-stray" in second.output
    assert (first.exit_code, second.exit_code) == (0, 0)


def test_a_deploy_in_flight_is_untouched(stack) -> None:
    assert stack.apply("second")["ok"]
    wait_for(lambda: names(stack, "autoscaler-second"), lambda n: "endpoint" in n, "the creation")
    stack.account.clock.jump(1900)  # older than the grace, and not yet awake
    assert stack.get("second")["phase"] == "CREATING"
    swept = sweep(stack)
    assert not [name for _, name in verdicts(swept) if name.startswith("autoscaler-second")]
    stack.until("second", "AWAKE")


def test_an_endpoint_that_lost_its_reader_is_told_with_what_to_do(stack) -> None:
    (mapping,) = stack.mappings(NAME)
    stack.account.boto("lambda").delete_event_source_mapping(UUID=mapping)
    stack.account.clock.jump(3600)
    (gap,) = sweep(stack)["gaps"]
    assert (gap["endpoint"], gap["lacks"]) == (NAME, "event source mapping")
    assert "nobody reads its queue" in gap["what_to_do"]
