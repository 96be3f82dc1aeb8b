"""Plans over a Hub in memory, the retry budget, and what a plan must not grow to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from autoscaler.staging import plan as planning
from autoscaler.staging.errors import (
    FileTooLargeError,
    GatedModelError,
    HubBusyError,
    HubReplyError,
    HubUnavailableError,
    IntegrityError,
    TooManyFilesError,
    UnsafeNameError,
)
from autoscaler.staging.hub import HubClient
from autoscaler.staging.hub_files import HubFile, Revision, git_blob_oid, parse_file
from autoscaler.staging.plan import StagingPlan, passport_key, plan_staging, weights_prefix
from autoscaler.staging.retry import Retrier, RetryPolicy, TransientError, told_to_wait

COMMIT = "a" * 40
NOW = datetime(2026, 11, 20, tzinfo=UTC)
OPEN = Revision("acme/model", COMMIT, gated=False, licence="mit")


def weights(path: str, size_bytes: int = 1000) -> HubFile:
    return HubFile(path, size_bytes, COMMIT, "b" * 64)


class MemoryHub(HubClient):
    """A tree, without a network."""

    def __init__(self, files: list[HubFile], **options: Any) -> None:
        super().__init__(**options)
        self.files = files

    def tree(self, model_id: str, commit: str) -> Any:
        return iter(self.files)


def plan_of(*files: HubFile, pinned: Revision = OPEN, **options: Any) -> StagingPlan:
    return plan_staging(MemoryHub(list(files)), pinned, "main", now=NOW, **options)


def test_largest_first_and_json_able() -> None:
    plan = plan_of(weights("a.safetensors", 5), weights("b.safetensors", 9), weights("c.md", 7))
    assert [file.path for file in plan.files] == ["b.safetensors", "c.md", "a.safetensors"]
    assert plan.total_bytes == 21
    assert plan.prefix == f"models/acme--model/{COMMIT}/"
    assert StagingPlan.model_validate(plan.model_dump(mode="json")) == plan


def test_deepseek_r1_fits_through_a_state_machine() -> None:
    shards = [weights(f"model-{n:05d}-of-000163.safetensors", 4_300_000_000) for n in range(163)]
    plan = plan_of(*shards, concurrency=16)
    assert len(plan.model_dump_json()) < 60_000
    assert 500 < plan.estimate_seconds < 600  # 701 GB over 16 connections at 80 MB/s


def test_too_many_files_are_refused() -> None:
    with pytest.raises(TooManyFilesError, match="801 files"):
        plan_of(*(weights(f"{n}.safetensors") for n in range(801)))
    with pytest.raises(TooManyFilesError, match="is too long"):
        plan_of(*(weights("x" * 600 + f"{n}.safetensors") for n in range(300)))
    with pytest.raises(TooManyFilesError, match="is too long"):  # bytes, not characters
        plan_of(*(weights("重" * 200 + f"{n}.safetensors") for n in range(400)))


def test_files_that_s3_does_not_take_are_refused_before_a_byte_moves() -> None:
    plan_of(weights("m.safetensors", planning.MAX_FILE_BYTES))
    with pytest.raises(FileTooLargeError, match=r"5\.0 TiB; S3 takes 5 TiB"):
        plan_of(weights("m.safetensors", planning.MAX_FILE_BYTES + 1))


def test_a_large_file_outside_lfs_is_refused() -> None:
    with pytest.raises(IntegrityError, match="outside LFS"):
        plan_of(weights("m.safetensors"), HubFile("v.json", 2**26, COMMIT, None))


def test_names_are_checked_even_of_files_that_would_be_skipped() -> None:
    with pytest.raises(UnsafeNameError):
        plan_of(weights("m.safetensors"), weights("../evil.bin"))


def test_a_gated_repository_without_a_token_is_refused_before_anything_is_read() -> None:
    gated = Revision("acme/model", COMMIT, gated=True, licence=None)
    with pytest.raises(GatedModelError, match="HubTokenSecretName=make"):
        plan_of(weights("m.safetensors"), pinned=gated)


def test_skips_are_counted_and_the_dangerous_are_named_first() -> None:
    dangerous = [weights("z.bin"), weights("z.py"), weights("z.zip")]
    plan = plan_of(weights("m.safetensors"), *(weights(f"{n}.png") for n in range(70)), *dangerous)
    assert (plan.skipped_count, len(plan.skipped)) == (73, 50)
    assert [file.path for file in plan.unsafe] == ["z.bin", "z.py", "z.zip"]
    assert plan.skipped[:3] == plan.unsafe


def test_the_estimate_knows_of_files_at_a_time_and_connections() -> None:
    files = [weights(f"{n}.safetensors", 10**10) for n in range(8)]
    slow, more_files, more_connections = (
        plan_of(*files, concurrency=concurrency, connections=connections).estimate_seconds
        for concurrency, connections in ((1, 1), (4, 1), (1, 8))
    )
    assert 3900 < slow < 4100  # 80 GB at 20 MB/s
    assert slow / 4.2 < more_files < slow / 3.8
    assert slow / 8.2 < more_connections < slow / 7.6


def test_an_index_that_names_a_missing_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    index = HubFile("model.safetensors.index.json", 10, COMMIT, None)
    for content, why in (
        (b'{"weight_map": {"a": "gone.safetensors"}}', r"names gone\.safetensors"),
        (b'{"weight_map": {"a": "../m.safetensors"}}', r"names \.\./m\.safetensors"),
        (b'{"weight_map": []}', "is not an index"),
        (b"{}", "is not an index"),
    ):
        monkeypatch.setattr(planning, "read_small", lambda *_, content=content: content)
        with pytest.raises(IntegrityError, match=why):
            plan_of(weights("m.safetensors"), index)


def test_keys() -> None:
    assert weights_prefix("a/b", COMMIT, True) == f"models/a--b/{COMMIT}-with-code/"
    assert passport_key("a/b", COMMIT) == f"passports/a--b/{COMMIT}.json"


def test_git_blob_oid_is_what_git_says() -> None:
    assert git_blob_oid(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert git_blob_oid(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {},
        {"path": "a", "size": 1},
        {"path": "a", "size": 1, "oid": "short"},
        {"path": "a", "size": -1, "oid": COMMIT},
        {"path": "a", "size": 1, "oid": COMMIT, "lfs": {"oid": "x", "size": 1}},
        "x",
        {"path": 5, "size": 1, "oid": COMMIT},
        {"path": "a", "size": float("inf"), "oid": COMMIT},
        {"path": "a", "size": "1", "oid": COMMIT},
        {"path": "a", "size": True, "oid": COMMIT},
        {"path": "a", "size": 1, "oid": COMMIT, "lfs": "x"},
    ],
)
def test_entries_that_make_no_sense(entry: Any) -> None:
    with pytest.raises(HubReplyError, match="makes no sense"):
        parse_file(entry)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Fri, 20 Nov 2026 00:00:30 GMT"}, 30.0),
        ({"retry-after": "Thu, 19 Nov 2026 00:00:00 GMT"}, 0.0),
        ({"ratelimit": '"resolvers";r=0;t=42'}, 42.0),
        ({"ratelimit": '"resolvers";r=10;t=42'}, None),
        ({"ratelimit": '"api";r=0;t=42', "retry-after": "60"}, 60.0),
        ({"ratelimit": '"api";r=5;t=42, "resolvers";r=0;t=55'}, 55.0),
        ({"ratelimit": '"resolvers";r=0;t=55, "api";r=5;t=1'}, 55.0),
        ({"ratelimit": '"resolvers";r=0;t=55, "api";r=0;t=70'}, 70.0),
        ({"ratelimit": '"api";t=42;r=0'}, 42.0),
        ({"ratelimit": "api;r=0;t=280"}, 280.0),
        ({"ratelimit": '"a,r=0;t=9";r=1;t=5'}, None),
        ({"retry-after": "12345678901"}, 12345678901.0),
    ],
)
def test_what_a_reply_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert told_to_wait(headers, NOW) == seconds


def test_the_jitter_is_full_and_stands_on_top_of_what_was_told() -> None:
    asked: list[tuple[float, float]] = []

    def jitter(low: float, high: float) -> float:
        asked.append((low, high))
        return 0.25

    waits: list[float] = []
    policy = RetryPolicy(attempts=9, base_seconds=1, cap_seconds=5, wait_budget_seconds=100)
    retrier = Retrier(policy, sleep=waits.append, jitter=jitter)
    for told in (None, None, None, 7.0):
        retrier.wait(TransientError("busy", told), "x")
    assert asked == [(0.0, 2.0), (0.0, 4.0), (0.0, 5.0), (0.0, 5.0)]
    assert waits == [0.25, 0.25, 0.25, 7.25]


def test_the_jitter_of_a_worker_is_random() -> None:
    waits: list[float] = []
    for _ in range(50):
        Retrier(RetryPolicy(base_seconds=1), sleep=waits.append).wait(TransientError("x"), "x")
    assert min(waits) < 0.5
    assert max(waits) > 1.5


def test_who_is_told_to_wait_longer_than_it_may_says_how_long() -> None:
    policy = RetryPolicy(attempts=2, wait_budget_seconds=60)
    with pytest.raises(HubBusyError, match="exceed the retry budget") as told:
        Retrier(policy, sleep=_never).wait(TransientError("429", 200), "x")
    assert told.value.wait_seconds >= 200
    spent = Retrier(policy, sleep=lambda _: None)
    spent.wait(TransientError("429", 5), "x")
    with pytest.raises(HubBusyError, match="gave up after 2") as told:  # also after the attempts
        spent.wait(TransientError("429", 5), "x")
    assert told.value.wait_seconds >= 5


def test_nobody_sleeps_into_the_end_of_its_time() -> None:
    policy = RetryPolicy(left_seconds=lambda: 3.0)
    assert not Retrier(policy, sleep=_never).may_wait(TransientError("busy", 4))
    with pytest.raises(HubBusyError):
        Retrier(policy, sleep=_never).wait(TransientError("busy", 4), "x")


def _never(seconds: float) -> None:
    raise AssertionError(f"slept {seconds} s")


def test_the_budget_of_attempts_and_of_waiting() -> None:
    waits: list[float] = []
    policy = RetryPolicy(attempts=3, base_seconds=1, cap_seconds=4, wait_budget_seconds=100)
    retrier = Retrier(policy, sleep=waits.append, jitter=lambda low, high: high)
    retrier.wait(TransientError("a", 10), "x")
    retrier.wait(TransientError("b"), "x")
    assert waits == [12.0, 4.0]
    with pytest.raises(HubUnavailableError, match=r"gave up after 3 attempts; .* c"):
        retrier.wait(TransientError("c"), "x")
    retrier.progressed()
    with pytest.raises(HubUnavailableError, match="budget of 100 s"):
        retrier.wait(TransientError("d", 90), "x")
    assert waits == [12.0, 4.0]


@pytest.mark.parametrize(
    "endpoint",
    ["http://huggingface.co", "ftp://127.0.0.1", "https://user:pw@huggingface.co", "https://", "x"],
)
def test_endpoints_that_would_give_the_token_away(endpoint: str) -> None:
    with pytest.raises(HubReplyError):
        HubClient(endpoint, token="hf_x")


def test_a_broken_token_is_not_repeated_in_the_error() -> None:
    with pytest.raises(HubReplyError) as caught:
        HubClient(token="hf_secret\nX-Evil: 1")
    assert "secret\n" not in str(caught.value)
    assert "hf_" not in str(caught.value)
