"""What a stack cannot carry out is refused before anything is made, saying what would work."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from autoscaler.catalog.models import known_models
from autoscaler.control.apply import apply
from autoscaler.control.plan import Setting, plan
from autoscaler.endpoints.acceptance import Place, refusals
from autoscaler.endpoints.names import ResourceNames
from autoscaler.endpoints.requests import deployment
from autoscaler.endpoints.status import Cause, ColdStart
from autoscaler.policy.types import Phase
from autoscaler.runtime.making import slowest_start_seconds
from autoscaler.spec import SpecError
from tests.api_shapes import check
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, document, put, spec

EXAMPLES = sorted((Path(__file__).parents[2] / "endpoints").glob("*.yaml"))
ACCOUNT, REGION = "123456789012", "eu-central-1"
TYPES = ["ml.g6e.xlarge"]


def key(region: str = REGION, account: str = ACCOUNT) -> dict[str, str]:
    return {"kms_key": f"arn:aws:kms:{region}:{account}:key/1234abcd-12ab-34cd-56ef-1234567890ab"}


ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def ecr(region: str) -> str:
    return f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com/mine:1-cu130"


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def setting(region: str = REGION) -> Setting:
    return Setting("stack", "Europe/Berlin", region, lambda _id, _revision: "c" * 40, ACCOUNT)


# What is wrong, the sentence's beginning, and what it says would work.
WRONG: list[tuple[dict[str, Any], str, str]] = [
    (
        {"kind": "async", "serving": {"concurrency_per_copy": 1001}},
        "serving.concurrency_per_copy: 1001 is more than the 1000 requests",
        "lower it",
    ),
    ({"serving": {"engine": "ollama"}}, "serving.engine: 'ollama' is not one of", "'sglang'"),
    (
        {"serving": {"parameters": {"gpu_memory_utilisation": 0.9}}},
        "serving.parameters.gpu_memory_utilisation: vllm 0.27.1 has no such setting",
        "did you mean gpu_memory_utilization",
    ),
    (
        {"serving": {"engine": "sglang", "parameters": {"mem-fraction": 0.9}}},
        "serving.parameters.mem-fraction: sglang 0.5.17 has no such setting",
        "mem_fraction_static",
    ),
    (
        {"serving": {"image": ecr("us-east-1")}},
        "serving.image: ",
        "lies in us-east-1, and SageMaker pulls images from its own Region only; copy it to "
        "eu-central-1",
    ),
    ({"serving": {"image": "vllm/vllm-openai:v0.27.1"}}, "serving.image: ", "push it to 123456789"),
    *(
        ({"serving": {"image": ecr("eu-central-1") + wrong}}, "serving.image: ", "push it to 1234")
        for wrong in (" y", "/Upper", ":tag:tag", "@@", "@sha256:12", "/x" * 120)
    ),
    (
        {"serving": {"image": ecr("eu-central-1").translate(ARABIC)}},
        "serving.image: ",
        "push it to 123456789",
    ),
    (
        {"encryption": key(account="999999999999")},
        "encryption.kms_key: the key belongs to account 999999999999, the stack to 123456789012",
        "name a key of 123456789012",
    ),
    (
        {"encryption": key(region="eu-west-1")},
        "encryption.kms_key: the key is in eu-west-1",
        "name a key of eu-central-1",
    ),
    ({"encryption": {"kms_key": "alias/mine"}}, "encryption.kms_key: 'alias/mine' is not", "arn:"),
    (
        {"network": {"isolation": True}, "model": {"id": "org/model", "source": "hub"}},
        "endpoint: network.isolation: an isolated container reaches no network",
        "leave model.source out",
    ),
    (
        {"network": {"vpc": {"subnets": ["eni-1"], "security_groups": ["sg-01234567"]}}},
        "network.vpc.subnets: 'eni-1' is not a subnet's id",
        "such as subnet-0123456789abcdef0",
    ),
    ({"network": {"vpc": {"subnets": ["subnet-01234567"]}}}, "network.vpc.security_groups", "requ"),
    ({"tags": {"aws:x": "1"}}, "tags: aws:x: keys that begin with", "choose another"),
    ({"tags": {"autoscaler:stack": "1"}}, "tags: autoscaler:stack: keys that begin with", "choose"),
    ({"tags": {"team": "x"}}, "tags: team is a tag already", "comes from `team:`"),
    ({"tags": {f"t{n}": "x" for n in range(48)}}, "tags: 48 tags; 47 at most", "three are ours"),
    ({"tags": {"a&b": "x"}}, "tags: a&b: letters, digits", "only"),
    ({"tags": {"a": "b\nc"}}, "tags: a: letters, digits, spaces", "only"),
    ({"tags": {"a": "b\u2028c"}}, "tags: a: letters, digits, spaces", "only"),
    ({"tags": {"a\tb": "c"}}, r"tags: 'a\tb': letters, digits, spaces", "only"),
    ({"tags": {"a\x1cb": "c"}}, r"tags: 'a\x1cb': letters, digits, spaces", "only"),
    ({"tags": {"a": "x" * 257}}, "tags: a: a key has 1 to 128", "256 at most"),
    (
        {"instances": {"types": TYPES, "cpus_per_copy": 64}},
        "instances.cpus_per_copy: 64 is more than the 4 of ml.g6e.xlarge",
        "lower it",
    ),
    (
        {"instances": {"types": TYPES, "memory_mib_per_copy": 65536}},
        "instances.memory_mib_per_copy: 65536 is more than the 32768 MiB of ml.g6e.xlarge",
        "leave it out",
    ),
    ({"serving": {"routing": "sticky"}}, "serving.routing: 'sticky' is not one of", "'random'"),
    ({"model": {"id": "a/b", "source": "gcs"}}, "model.source: 'gcs' is not one of", "'hub'"),
    (
        {"model": {"id": "deepseek-ai/DeepSeek-R1"}, "instances": {"types": TYPES}},
        "instances.types: deepseek-ai/DeepSeek-R1 does not fit ml.g6e.xlarge",
        "The cheapest that do: ml.",
    ),
]


@pytest.mark.parametrize(("changes", "begins", "way_out"), WRONG, ids=[w[1][:40] for w in WRONG])
@pytest.mark.parametrize("command", [plan, apply], ids=["plan", "apply"])
def test_what_cannot_work_is_refused_with_a_way_out_and_makes_nothing(
    world: MemoryWorld, command: Any, changes: dict[str, Any], begins: str, way_out: str
) -> None:
    with pytest.raises(SpecError) as refused:
        command(world, setting(), document("llama", **changes))
    (problem,) = refused.value.problems
    assert problem.startswith(begins)
    assert way_out in problem
    assert (world.store.records, world.flows.started) == ({}, [])


def test_a_region_without_a_registry_needs_an_image_of_ones_own(world: MemoryWorld) -> None:
    with pytest.raises(SpecError, match=r"^serving\.image: 'xx-north-1' is no Region whose"):
        plan(world, setting("xx-north-1"), document("llama"))
    mine = document("llama", serving={"image": ecr("xx-north-1")})
    assert plan(world, setting("xx-north-1"), mine).spec.serving.image == ecr("xx-north-1")


def test_every_problem_is_told_at_once() -> None:
    wrong = spec(serving={"image": "mine:1"}, encryption=key("us-east-1", "999999999999"))
    assert [problem.split(":")[0] for problem in refusals(wrong, Place(REGION, ACCOUNT))] == [
        "serving.image",
        "encryption.kms_key",
        "encryption.kms_key",
    ]


def test_a_model_that_nobody_knows_is_held_against_the_rest_all_the_same(
    world: MemoryWorld,
) -> None:
    unknown = {"id": "org/model", "source": "hub"}
    with pytest.raises(SpecError, match=r"^instances\.types: 'ml\.g6e\.tiny' is not"):
        plan(world, setting(), document("x", model=unknown, instances={"types": ["ml.g6e.tiny"]}))
    warnings = plan(world, setting(), document("x", model=unknown)).warnings
    assert any(told.startswith("model.source: ") for told in warnings)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_can_be_planned_and_built(world: MemoryWorld, path: Path) -> None:
    planned = plan(world, setting("us-east-1"), yaml.safe_load(path.read_text()))
    assert planned.preview
    wanted = planned.spec
    built = deployment(
        wanted,
        ResourceNames("autoscaler", wanted.name),
        region="us-east-1",
        weights_uri="s3://weights/models/x/y/",
        role_arn=f"arn:aws:iam::{ACCOUNT}:role/endpoints",
        facts=known_models()[wanted.model.id],
        tags={},
    )
    check("sagemaker", "CreateModel", built.model)
    check("sagemaker", "CreateEndpointConfig", built.endpoint_config)


def test_a_key_and_tags_of_the_right_account_are_taken(world: MemoryWorld) -> None:
    tags = {"cost-centre": "42", "Ümlaut key": "a b/c@d\u00a0\u3000e"}
    planned = plan(world, setting(), document("llama", encryption=key(), tags=tags))
    assert planned.spec.tags == tags


def start(seconds: float, seen: bool = True) -> ColdStart:
    ready = NOON + timedelta(seconds=seconds)
    return ColdStart(
        requested_at=NOON - timedelta(minutes=3),
        ready_at=ready,
        cause=Cause.MESSAGE,
        copies=1,
        instance_seen_at=NOON if seen else None,
    )


def test_the_slowest_start_is_measured_from_its_first_instance() -> None:
    assert slowest_start_seconds((start(100), start(250.5), start(9999, seen=False))) == 250.5
    assert slowest_start_seconds(()) is None
    assert slowest_start_seconds((start(10, seen=False),)) is None


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, 1),
        ({"scaling": {"max_copies": 1, "keep_alive": "10m"}}, 1),
        ({"serving": {"context_tokens": 4096}}, 0),
        ({"model": {"id": "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"}}, 0),
    ],
)
def test_what_was_measured_of_another_model_is_forgotten(
    world: MemoryWorld, changes: dict[str, Any], kept: int
) -> None:
    put(world, asleep("llama", phase=Phase.FAILED, cold_starts=(start(100),)))
    _, status = apply(world, setting(), document("llama", **changes))
    assert len(status.cold_starts) == kept
