"""Staging over real sockets: the stand-in Hub with each fault shown to have fired, and moto's S3.

moto accepts a wrong declared checksum, so what is refused here is refused by our own worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from autoscaler.aws.weights import S3WeightStore
from autoscaler.staging.errors import (
    GatedModelError,
    HubReplyError,
    HubUnavailableError,
    IntegrityError,
    ModelNotFoundError,
    RevisionNotFoundError,
    StagingError,
    UnsafeFormatError,
)
from autoscaler.staging.job import Source
from autoscaler.staging.passport import read_passport, seal, standing_passport
from autoscaler.staging.plan import plan_staging
from autoscaler.staging.retry import RetryPolicy, TransientError
from autoscaler.staging.sizes import Sizes
from autoscaler.staging.transfer import stage_file
from tests.embedded.staging_lab import (
    MODEL,
    REPOSITORY,
    SHARD,
    client,
    keys,
    one,
    planned,
    stage_all,
)
from tests.embedded.staging_lab import s3 as s3
from tests.embedded.staging_lab import server as server
from tests.embedded.staging_lab import store as store
from tools.hub import Fault, HubServer, Repository, make_repository

# ------------------------------------------------------------------------- the whole way


def test_a_repository_is_planned_moved_and_sealed(server: HubServer, store: S3WeightStore) -> None:
    hub = client(server)
    plan = planned(server)

    assert plan.commit == REPOSITORY.commit
    assert [f.size_bytes for f in plan.files] == sorted(
        (f.size_bytes for f in plan.files), reverse=True
    )
    assert {s.path: s.why.name for s in plan.skipped} == {
        ".gitattributes": "NOT_ALLOWED",
        "LICENSE": "NOT_ALLOWED",
    }
    assert plan.licence == "mit"

    staged = stage_all(plan, hub, store)
    assert sum(file.moved_bytes for file in staged) == plan.total_bytes

    passport = seal(plan, store)
    assert passport.prefix == f"models/acme--tiny-llama/{REPOSITORY.commit}/"
    assert passport.key == f"passports/acme--tiny-llama/{REPOSITORY.commit}.json"
    assert {f.path: f.sha256 for f in passport.files} == {
        f.path: REPOSITORY.files[f.path].sha256 for f in plan.files
    }
    for file in plan.files:
        content = b"".join(REPOSITORY.files[file.path].blocks())
        assert store.get(plan.prefix + file.path) == content
    assert read_passport(store, passport.key) == passport
    assert standing_passport(store, MODEL, plan.commit) == passport


def test_a_second_staging_moves_no_byte(server: HubServer, store: S3WeightStore) -> None:
    plan, hub = planned(server), client(server)
    stage_all(plan, hub, store)
    before = len(server.seen)

    again = stage_all(plan, hub, store)

    assert [file.moved_bytes for file in again] == [0] * len(plan.files)
    assert len(server.seen) == before


def test_a_stored_file_with_other_bytes_is_staged_again(
    server: HubServer, store: S3WeightStore
) -> None:
    plan, hub = planned(server), client(server)
    for path in (SHARD, "config.json"):
        store.put_bytes(plan.prefix + path, b"!" * one(plan, path).size_bytes)
        assert stage_file(one(plan, path), Source.of(plan), hub, store).moved_bytes > 0


def test_the_tree_is_read_page_by_page(server: HubServer) -> None:
    server.page_entries = 2
    assert {file.path for file in client(server).tree(MODEL, REPOSITORY.commit)} == set(
        REPOSITORY.files
    )
    assert sum("cursor=" in seen.path for seen in server.seen) >= 3


def test_a_repository_that_was_renamed_is_staged_by_its_old_name(store: S3WeightStore) -> None:
    with HubServer([REPOSITORY], page_entries=3, renamed={"acme/Tiny_Llama": MODEL}) as renamed:
        plan = planned(renamed, "acme/Tiny_Llama")
        stage_all(plan, client(renamed), store)
        assert {f.path for f in plan.files} == {f.path for f in planned(renamed).files}
        assert seal(plan, store).commit == REPOSITORY.commit
        assert plan.prefix.startswith("models/acme--Tiny_Llama/")


# ------------------------------------------------------------------------- trouble that passes

PASSING: list[tuple[Fault, dict[str, Any]]] = [
    (Fault.THROTTLE, {"seconds": 0.2}),
    (Fault.RATE_LIMIT, {"seconds": 0.2}),
    (Fault.SERVER_ERROR, {"times": 2}),
    (Fault.EXPIRED, {}),
    (Fault.UNAUTHORIZED, {}),
    (Fault.HTML, {}),
    (Fault.MOVED, {}),
    (Fault.ENCODED, {}),
    (Fault.CHUNKED, {}),
    (Fault.WRONG_SIZE, {}),
    (Fault.DRIP_HEADERS, {"seconds": 9}),
    (Fault.RESET, {"after_bytes": 700_000}),
    (Fault.RESET, {"after_bytes": 0, "times": 2}),
    (Fault.TRUNCATE, {"after_bytes": 1_500_000}),
    (Fault.STALL, {"after_bytes": 300_000, "seconds": 9}),
    (Fault.DRIP, {"after_bytes": 300_000, "seconds": 9}),
]


@pytest.mark.parametrize(("fault", "order"), PASSING, ids=lambda v: str(v))
def test_passing_trouble_is_survived(
    server: HubServer, store: S3WeightStore, fault: Fault, order: dict[str, Any]
) -> None:
    plan = planned(server)
    server.inject(fault, SHARD, **order)
    began = time.monotonic()

    staged = stage_file(one(plan), Source.of(plan), client(server), store)

    # The deadline of a receive is 0.5 s: nobody waits for the end of a stall or a drip-feed.
    assert time.monotonic() - began < 7
    assert server.fired[fault] == order.get("times", 1)
    assert staged.sha256 == REPOSITORY.files[SHARD].sha256
    stored = store.head(plan.prefix + SHARD)
    assert stored is not None
    assert stored.sha256 == staged.sha256


@pytest.mark.parametrize("fault", [Fault.IGNORE_RANGE, Fault.WRONG_RANGE])
def test_a_range_that_is_not_what_was_asked_for_is_asked_again(
    server: HubServer, store: S3WeightStore, fault: Fault
) -> None:
    plan = planned(server)
    server.inject(Fault.TRUNCATE, SHARD, after_bytes=500_000)
    server.inject(fault, SHARD)

    staged = stage_file(one(plan), Source.of(plan), client(server), store)

    assert server.fired == {Fault.TRUNCATE: 1, fault: 1}
    assert staged.sha256 == REPOSITORY.files[SHARD].sha256


def test_after_a_cut_only_the_rest_is_read_again(server: HubServer, store: S3WeightStore) -> None:
    plan = planned(server)
    server.inject(Fault.TRUNCATE, SHARD, after_bytes=1_000_000)

    staged = stage_file(one(plan), Source.of(plan), client(server), store)

    assert server.fired[Fault.TRUNCATE] == 1
    assert [s.byte_range for s in server.seen if s.place == "cdn"] == [
        "bytes=0-2137247",
        "bytes=1000000-2137247",
    ]
    assert staged.moved_bytes == staged.size_bytes


@pytest.mark.parametrize("target", ["revision", "tree"])
@pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.SERVER_ERROR])
def test_the_api_calls_survive_trouble(server: HubServer, target: str, fault: Fault) -> None:
    server.inject(fault, target, seconds=0.05)
    assert planned(server).commit == REPOSITORY.commit
    assert server.fired[fault] == 1


def test_never_sooner_than_told(server: HubServer) -> None:
    waits: list[float] = []
    hub = client(server)
    server.inject(Fault.THROTTLE, "revision", seconds=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("autoscaler.staging.hub.Retrier", _recording(waits))
        hub.resolve(MODEL, "main")
    assert server.fired[Fault.THROTTLE] == 1
    assert len(waits) == 1
    assert waits[0] >= 1.0


def _recording(waits: list[float]) -> Callable[[RetryPolicy], Any]:
    from autoscaler.staging.retry import Retrier

    return lambda policy: Retrier(policy, sleep=waits.append)


def test_a_wait_beyond_the_budget_is_reported_at_once(server: HubServer) -> None:
    server.inject(Fault.THROTTLE, "revision", seconds=600)
    with pytest.raises(HubUnavailableError, match="600 s more would exceed the retry budget"):
        client(server).resolve(MODEL, "main")
    assert server.fired[Fault.THROTTLE] == 1


@pytest.mark.parametrize(
    "fault",
    [Fault.DRIP, Fault.DRIP_HEADERS, Fault.HTML, Fault.ENCODED, Fault.WRONG_SIZE, Fault.STALL],
)
def test_passing_trouble_of_a_small_file_is_survived(
    server: HubServer, store: S3WeightStore, fault: Fault
) -> None:
    plan = planned(server)
    server.inject(fault, "tokenizer.json", after_bytes=100, seconds=9)
    began = time.monotonic()
    file = one(plan, "tokenizer.json")
    staged = stage_file(file, Source.of(plan), client(server), store)
    assert time.monotonic() - began < 5, "the deadline is 0.5 s"
    assert server.fired[fault] == 1
    assert staged.sha256 == REPOSITORY.files["tokenizer.json"].sha256


def test_a_web_page_in_the_place_of_the_api_is_asked_again(server: HubServer) -> None:
    hub, pages = client(server), [0]
    original = hub._follow

    class Page:
        status, headers = 200, {"content-type": "text/html"}
        chunks = [b"<html>", b""]

        def receive(self) -> bytes:
            return self.chunks.pop(0)

        def close(self) -> None:
            """Nothing is open."""

    def once(*args: Any) -> Any:
        pages[0] += 1
        return Page() if pages[0] == 1 else original(*args)

    hub._follow = once  # type: ignore[method-assign]
    assert hub.resolve(MODEL, "main").commit == REPOSITORY.commit
    assert pages == [2]


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.RESET, Fault.STALL, Fault.HTML])
def test_lasting_trouble_leaves_nothing(
    server: HubServer, store: S3WeightStore, fault: Fault
) -> None:
    plan = planned(server)
    server.inject(fault, SHARD, times=99, after_bytes=1000, seconds=1)
    with pytest.raises(HubUnavailableError, match="gave up after"):
        stage_file(one(plan), Source.of(plan), client(server, deadline_seconds=0.2), store)
    assert server.fired[fault] >= 1
    assert keys(store) == []


# ------------------------------------------------------------------------- refusals

REFUSED: list[tuple[Fault, type[StagingError], str]] = [
    (Fault.WRONG_BYTES, IntegrityError, "its bytes have the SHA-256"),
    (Fault.WRONG_COMMIT, IntegrityError, "answers for commit ffff"),
    (Fault.FOREIGN_REDIRECT, HubReplyError, "hub.example.invalid, which is not an allowed host"),
]


@pytest.mark.parametrize(("fault", "error", "sentence"), REFUSED, ids=lambda v: str(v))
@pytest.mark.parametrize("path", [SHARD, "tokenizer.json"])
def test_wrong_content_is_refused_and_leaves_nothing(
    server: HubServer,
    store: S3WeightStore,
    fault: Fault,
    error: type[StagingError],
    sentence: str,
    path: str,
) -> None:
    plan = planned(server)
    if fault is Fault.WRONG_BYTES and path != SHARD:
        sentence = "but the Hub lists"
    server.inject(fault, path)
    with pytest.raises(error, match=sentence):
        stage_file(one(plan, path), Source.of(plan), client(server), store)
    assert server.fired[fault] == 1
    assert keys(store) == []


def test_a_hostile_header_is_refused_before_the_file_is_read(
    server: HubServer, store: S3WeightStore
) -> None:
    content = (2**40).to_bytes(8, "little") + b"x" * 20_000_000
    hostile = Repository.of("evil/model", {"model.safetensors": content})
    server.add(hostile)
    plan = planned(server, "evil/model")
    with pytest.raises(IntegrityError, match="claims 1099511627776 bytes"):
        stage_file(plan.files[0], Source.of(plan), client(server), store)
    assert keys(store) == []


def test_absent_things_are_named(server: HubServer) -> None:
    hub = client(server)
    with pytest.raises(ModelNotFoundError, match=r"nobody/nothing .*no such model"):
        hub.resolve("nobody/nothing", "main")
    with pytest.raises(RevisionNotFoundError, match="tiny-llama at v9"):
        hub.resolve(MODEL, "v9")


@pytest.mark.parametrize("target", ["revision", "tree", SHARD, "config.json"])
def test_a_token_without_a_right_is_told_by_the_hubs_words_and_at_once(
    server: HubServer, store: S3WeightStore, target: str
) -> None:
    server.tokens = {"hf_narrow": frozenset()}
    plan, hub = planned(server), client(server, token="hf_narrow", token_place="its secret")
    server.inject(Fault.FORBIDDEN, target, times=9)
    with pytest.raises(HubReplyError, match=r"its secret\): Please enable access to public gated"):
        match target:
            case "revision":
                hub.resolve(MODEL, "main")
            case "tree":
                list(hub.tree(MODEL, REPOSITORY.commit))
            case _:
                stage_file(one(plan, target), Source.of(plan), hub, store)
    assert server.fired[Fault.FORBIDDEN] == 1


def test_gated_models_need_a_token_with_access(server: HubServer, store: S3WeightStore) -> None:
    gated = make_repository("acme/gated", shards=1, shard_bytes=500_000, gated=True)
    server.add(gated)
    server.tokens = {"hf_good": frozenset({"acme/gated"}), "hf_other": frozenset()}

    for token, sentence in ((None, "put a read token into"), ("hf_other", "has no access")):
        hub = client(server, token=token)
        with pytest.raises(GatedModelError, match=sentence):
            plan_staging(hub, hub.resolve("acme/gated", "main"), "main")

    hub = client(server, token="hf_good")
    plan = plan_staging(hub, hub.resolve("acme/gated", "main"), "main")
    stage_all(plan, hub, store)
    assert seal(plan, store).gated


@pytest.mark.parametrize("path", [SHARD, "config.json"])
def test_the_token_does_not_follow_a_redirect(server: HubServer, path: str) -> None:
    """`open` follows redirects by itself, to the CDN for a shard as the Hub does by default."""
    server.tokens = {"hf_secret": frozenset()}
    if path != SHARD:
        server.inject(Fault.ALLOWED_REDIRECT, path)
    hub = client(server, token="hf_secret")
    try:
        hub.open(MODEL, REPOSITORY.commit, path).close()
    except TransientError:
        assert path != SHARD, "the CDN knows no such path"
    assert [(s.place, s.has_authorization) for s in server.seen] == [("hub", True), ("cdn", False)]


def test_a_file_is_resolved_once_for_all_its_windows(
    server: HubServer, store: S3WeightStore
) -> None:
    plan = planned(server)
    server.seen.clear()
    sizes = Sizes(connections=3, window_bytes=200_000)
    stage_file(one(plan), Source.of(plan), client(server), store, sizes=sizes)
    assert sum("/resolve/" in seen.path for seen in server.seen) == 1
    assert sum(seen.place == "cdn" for seen in server.seen) >= 10


def test_the_next_page_must_be_of_the_same_hub_and_commit(server: HubServer) -> None:
    server.inject(Fault.FOREIGN_PAGE, "page")
    with pytest.raises(HubReplyError, match="on another host"):
        planned(server)
    assert server.fired[Fault.FOREIGN_PAGE] == 1
    server.page_entries = 3
    hub = client(server)
    pages = hub.tree(MODEL, REPOSITORY.commit)
    next(pages)
    server.inject(Fault.WRONG_COMMIT, "tree")
    with pytest.raises(IntegrityError, match="answers for commit ffff"):
        list(pages)
    assert server.fired[Fault.WRONG_COMMIT] == 1
    link = {"link": '</api/models/acme/tiny-llama/tree/main?cursor=3>; rel="next"'}
    with pytest.raises(IntegrityError, match="of another model or commit"):
        hub._next_page(f"{server.endpoint}/api/models/{MODEL}/tree/{REPOSITORY.commit}", link)


def test_the_token_stays_with_the_hub(server: HubServer, store: S3WeightStore) -> None:
    server.tokens = {"hf_secret": frozenset()}
    hub = client(server, token="hf_secret")
    plan = planned(server)
    server.seen.clear()
    stage_file(one(plan), Source.of(plan), hub, store)
    assert {(s.place, s.has_authorization) for s in server.seen} == {("hub", True), ("cdn", False)}
    assert "hf_secret" not in repr(hub)


def test_a_token_that_the_hub_does_not_know(server: HubServer) -> None:
    with pytest.raises(HubReplyError, match="does not accept the token"):
        client(server, token="hf_stale").resolve(MODEL, "main")


def test_code_needs_trust_and_then_lies_apart(server: HubServer, store: S3WeightStore) -> None:
    contents = {path: b"".join(file.blocks()) for path, file in REPOSITORY.files.items()}
    contents["config.json"] = b'{"auto_map": {"AutoModel": "modeling.Model"}}'
    contents["modeling.py"] = b"print('hello')\n"
    contents["sub/generation_config.json"] = b'{"auto_map": {"AutoTokenizer": ["t.T", null]}}'
    coded = Repository.of("acme/coded", contents)
    server.add(coded)

    with pytest.raises(UnsafeFormatError, match="auto_map"):
        planned(server, "acme/coded")

    plan = planned(server, "acme/coded", trust_remote_code=True)
    stage_all(plan, client(server), store)
    passport = seal(plan, store)
    assert passport.trust_remote_code
    assert [(e.path, e.name, e.reference) for e in read_passport(store, passport.key).code] == [
        ("config.json", "AutoModel", "modeling.Model"),
        ("sub/generation_config.json", "AutoTokenizer", "t.T"),
    ]
    assert "modeling.py" in {file.path for file in passport.files}
    assert passport.prefix.endswith("-with-code/")
    assert standing_passport(store, "acme/coded", plan.commit) is None
