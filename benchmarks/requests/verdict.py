"""What was stored in the end, version by version, against what was sent."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from benchmarks.requests.sender import expected, request_id, said
from benchmarks.requests.storm import NAME, Storm, messages
from tests.embedded.stack import Stack

THREADS = 4


@dataclass
class Verdict:
    """Ids of requests. A request may be in several lists."""

    sent: int
    answered: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)  # different answers were stored or announced
    undone: list[str] = field(default_factory=list)  # an answer was overwritten by a refusal
    wrong: list[str] = field(default_factory=list)  # not the whole answer to this request
    lost: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    left_in_queues: int = 0

    @property
    def is_clean(self) -> bool:
        bad = (self.twice, self.undone, self.wrong, self.lost, self.refused)
        return len(self.answered) == self.sent and not any(bad)


def judge(stack: Stack, storm: Storm) -> Verdict:
    """Reads every result that was ever stored."""
    verdict = Verdict(storm.plan.requests)
    stored = _stored(stack)
    for number in range(storm.plan.requests):
        name = request_id(number)
        results = stored.get(name, [])
        answers = [result["answer"] for result in results if "answer" in result]
        different = {json.dumps(answer, sort_keys=True) for answer in answers}
        if answers and "answer" in results[-1]:
            verdict.answered.append(name)
        if len(different) > 1 or len(storm.witness.places[name]) > 1:
            verdict.twice.append(name)
        if any(said(answer) != expected(number) for answer in answers):
            verdict.wrong.append(name)
        if answers and "answer" not in results[-1]:
            verdict.undone.append(name)
        if results and not answers:
            verdict.refused.append(name)
        if not results or not storm.witness.announced[name]:
            verdict.lost.append(name)
    queues = (f"autoscaler-{NAME}", f"autoscaler-{NAME}-dlq")
    verdict.left_in_queues = sum(messages(stack, queue) for queue in queues)
    return verdict


def _stored(stack: Stack) -> dict[str, list[dict[str, Any]]]:
    """Every version of every result, the oldest first."""
    s3, bucket = stack.account.boto("s3"), stack.outputs["ResultsBucketName"]
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=bucket, Prefix=f"results/{NAME}/"
    )
    versions = [version for page in pages for version in page.get("Versions", [])]

    def read(version: dict[str, Any]) -> dict[str, Any]:
        where = {"Key": version["Key"], "VersionId": version["VersionId"]}
        return dict(json.loads(s3.get_object(Bucket=bucket, **where)["Body"].read()))

    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(read, versions))
    return _by_request(versions, results)


def _by_request(
    versions: Sequence[dict[str, Any]], results: Sequence[dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    stored: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    read = sorted(zip(versions, results, strict=True), key=lambda one: one[0]["IsLatest"])
    for version, result in read:
        stored[PurePosixPath(version["Key"]).stem].append(result)
    return stored
