"""The audit finds what is granted for nothing, and what the template's comments excuse wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.embedded.iam import ledger
from tools.embedded.iam.ledger import Use
from tools.embedded.iam.policy import Entry, Permission, judge, statement
from tools.permissions.__main__ import main
from tools.permissions.audit import audit, wildcards
from tools.permissions.grants import Grant, Roles
from tools.permissions.written import Written, written

HERE = Path("/stack")
ROOT = Path(__file__).parents[2]


def grant(sid: str, *actions: str, why: str = "", **unexercised: str) -> Grant:
    one = statement({"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": "arn:x"})
    reasons = {key.replace("__", ":").replace("all", ""): text for key, text in unexercised.items()}
    return Grant("Role", one, Written(why, reasons))


def use(action: str, *sids: str, role: str = "Role", template: Path = HERE) -> Use:
    by = tuple(Permission(sid, action) for sid in sids)
    return Use(str(template), role, action, "arn:x", (), by)


def found(uses: list[Use], *grants: Grant) -> list[str]:
    problems = audit(Roles(grants, {}, {}), uses, HERE)
    return [f"{one.sid} {one.action}: {one.problem.partition(';')[0]}" for one in problems]


def test_what_is_used_and_needed_is_no_finding() -> None:
    assert found([use("sqs:SendMessage", "A")], grant("A", "sqs:SendMessage")) == []


def test_what_no_test_used_is_found() -> None:
    both = grant("A", "sqs:SendMessage", "sqs:DeleteQueue")
    assert found([use("sqs:SendMessage", "A")], both) == ["A sqs:DeleteQueue: no test used it"]


def test_uses_of_other_roles_and_templates_do_not_count() -> None:
    uses = [
        use("sqs:SendMessage", "A", role="Other"),
        use("sqs:SendMessage", "A", template=Path("/copy")),
    ]
    assert found(uses, grant("A", "sqs:SendMessage")) == ["A sqs:SendMessage: no test used it"]


def test_what_another_statement_allows_too_would_not_be_missed() -> None:
    twice = [grant("A", "sqs:SendMessage"), grant("B", "sqs:SendMessage")]
    survivors = found([use("sqs:SendMessage", "A", "B")], *twice)
    assert [one.partition(":")[2] for one in survivors] == [
        f"SendMessage: {text}" for text in ["another statement allows all that it does"] * 2
    ]
    # One call that only A allows, and one that only B does: both would be missed.
    alone = [use("sqs:SendMessage", "A", "B"), use("sqs:SendMessage", "A")]
    assert [one.partition(" ")[0] for one in found(alone, *twice)] == ["B"]


def test_what_cannot_be_used_here_is_excused_by_its_reason_alone() -> None:
    assert found([], grant("A", "ecr:BatchGetImage", all="no images here")) == []
    parts = grant("A", "s3:GetObject", "s3:AbortMultipartUpload", s3__AbortMultipartUpload="parts")
    assert found([], parts) == ["A s3:GetObject: no test used it"]


def test_an_excuse_that_a_test_contradicts_is_found() -> None:
    excused = grant("A", "sqs:SendMessage", all="nobody can")
    assert found([use("sqs:SendMessage", "A")], excused) == [
        "A sqs:SendMessage: tests use it: take the excuse out of the template"
    ]
    assert found([], excused) == []


PATTERN = "a pattern allows what nobody named"
LEFT_OUT = "it allows whatever is not named"


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("Action", "*", f"*: {PATTERN}"),
        ("Action", "sqs:*", f"sqs:*: {PATTERN}"),
        ("Action", "dynamodb:Put*", f"dynamodb:Put*: {PATTERN}"),
        ("Action", "dynamodb:PutIte?", f"dynamodb:PutIte?: {PATTERN}"),
        ("Action", ["sqs:SendMessage", "sqs:*Queue"], f"sqs:*Queue: {PATTERN}"),
        ("NotAction", "sqs:DeleteQueue", f"NotAction: {LEFT_OUT}"),
        ("NotResource", "arn:y", f"NotResource: {LEFT_OUT}"),
        ("Action", "sqs:SendMessage", None),
    ],
)
def test_only_what_is_named_is_allowed_and_no_reason_helps(
    key: str, value: str | list[str], told: str | None
) -> None:
    plain = {"Action": "sqs:SendMessage", "Resource": "arn:x"}
    del plain[key.removeprefix("Not")]
    for effect, wanted in (("Allow", [told] if told else []), ("Deny", [])):
        one = statement({**plain, "Sid": "A", "Effect": effect, key: value})
        grants = (Grant("Role", one, Written("AWS wants it")),)
        assert [
            f"{finding.action}: {finding.problem.partition(';')[0]}"
            for finding in wildcards(Roles(grants, {}, {}))
        ] == wanted


TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/autoscaler-Table"
KEYS = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["FLEET"]}}
TAGS = {"StringEquals": {"aws:ResourceTag/autoscaler:stack": "autoscaler"}}


@pytest.mark.parametrize(
    ("resource", "conditions", "wide"),
    [
        ("*", {}, True),
        (TABLE, {}, True),
        (TABLE, TAGS, True),
        (TABLE, KEYS, False),
        ("arn:aws:s3:::autoscaler-weights/*", {}, True),
        ("arn:aws:s3:::autoscaler-weights/models/*", {}, False),
        ("arn:aws:s3:::autoscaler-weights", {}, False),
        ("arn:aws:sqs:us-east-1:123456789012:autoscaler-*", {}, True),
        ("arn:aws:sqs:us-east-1:123456789012:autoscaler-*", TAGS, False),
        ("arn:aws:sqs:us-east-1:123456789012:autoscaler-*-dlq", {}, True),
        ("arn:aws:kms:us-east-1:123456789012:key/*", TAGS, True),
        ("arn:aws:states:us-east-1:123456789012:execution:autoscaler-wake-endpoint:*", {}, False),
    ],
)
def test_what_takes_in_all_there_are_of_something_needs_a_reason(
    resource: str, conditions: dict[str, dict[str, str]], wide: bool
) -> None:
    written_so = {"Sid": "A", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": resource}
    one = statement({**written_so, "Condition": conditions})
    found_so = wildcards(Roles((Grant("Role", one, Written()),), {}, {}))
    assert [finding.sid for finding in found_so] == ["A"] * wide
    assert wildcards(Roles((Grant("Role", one, Written("for people")),), {}, {})) == []


def test_a_denial_grants_nothing_that_a_test_would_have_to_use() -> None:
    denial = {"Sid": "A", "Effect": "Deny", "Action": "sqs:*", "Resource": "*"}
    assert audit(Roles((Grant("Role", statement(denial), Written()),), {}, {}), [], HERE) == []


TEMPLATE = """
Resources:
  One:
    Type: X
    Properties:
      - Sid: Plain
        Effect: Allow
      - Sid: Told # why it is there
        # unexercised: nobody can
        # and more of why
        Effect: Allow
  Two: # another one
    Properties:
      - { Sid: Told, Effect: Allow } # in one line
      - Sid: Parts
        # unexercised s3:PutObject, s3:GetObject: large ones only
        Effect: Allow
      # - Sid: Off
"""


def test_comments_are_read_by_resource_and_statement() -> None:
    read = written(TEMPLATE)
    assert set(read) == {("One", "Plain"), ("One", "Told"), ("Two", "Told"), ("Two", "Parts")}
    assert read[("One", "Plain")].why == ""
    assert read[("One", "Told")].why == "why it is there and more of why"
    assert read[("One", "Told")].exempt("any:Action") == "nobody can"
    assert read[("Two", "Told")].why == "in one line"
    assert read[("Two", "Parts")].exempt("s3:GetObject") == "large ones only"
    assert read[("Two", "Parts")].exempt("s3:ListBucket") is None


def test_the_ledger_is_read_as_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by, entries = (Permission("S", "a:*"),), (Entry("S", "a:*", 1),)
    kept = Use("/t", "Role", "a:B", "arn:x", (("k:v", ("1", "2")),), by, entries)
    ledger.write([kept])  # nobody asked for a ledger
    monkeypatch.setenv(ledger.VARIABLE, str(tmp_path / "made"))
    ledger.write([kept])
    ledger.write([kept])
    assert list(ledger.read(tmp_path / "made")) == [kept, kept]
    (tmp_path / "made" / "cut.jsonl").write_text('{"template": "/t", "ro')
    with pytest.raises(ValueError, match=r"cut\.jsonl, line 1"):
        list(ledger.read(tmp_path / "made"))


def test_a_check_without_a_ledger_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(tmp_path / "none")]) == 2
    assert "no test has written into this ledger" in capsys.readouterr().out


def test_a_check_lists_what_was_not_needed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ledger.VARIABLE, str(tmp_path))
    ledger.write([use("sqs:SendMessage", "KeepMissedCalls", role="ScheduleRole")])
    assert main(["check", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "ScheduleRole / CallOnTime / lambda:InvokeFunction: no test used it" in told
    assert "1 uses" in told


BUCKET = "arn:aws:s3:::weights"
REMOVE = {
    "Sid": "Remove",
    "Effect": "Allow",
    "Action": ["s3:DeleteObject", "s3:AbortMultipartUpload"],
    "Resource": [f"{BUCKET}/models/*", f"{BUCKET}/passports/*"],
}


def judged(action: str, *resources: str, written: dict[str, object] = REMOVE) -> list[Use]:
    """What the guard notes of an action on each of some resources."""
    found = []
    for resource in resources:
        verdict = judge([statement(written)], action, resource, {})
        assert verdict.allowed
        found.append(Use(str(HERE), "Role", action, resource, (), verdict.by, verdict.entries))
    return found


def spare(uses: list[Use], written: dict[str, object] = REMOVE) -> list[str]:
    grants = (Grant("Role", statement(written), Written()),)
    problems = audit(Roles(grants, {}, {}), uses, HERE)
    return [f"{one.action}: {one.problem.partition(';')[0]}" for one in problems]


def test_a_resource_that_no_use_of_an_action_needed_is_found() -> None:
    uses = judged("s3:DeleteObject", f"{BUCKET}/models/a", f"{BUCKET}/passports/a")
    uses += judged("s3:AbortMultipartUpload", f"{BUCKET}/models/a")
    assert spare(uses) == [
        "s3:AbortMultipartUpload: no test needed it on arn:aws:s3:::weights/passports/*"
    ]


def test_a_resource_that_lies_inside_another_one_would_not_be_missed() -> None:
    inside = [f"{BUCKET}/models/*", f"{BUCKET}/models/a"]
    written = {**REMOVE, "Action": "s3:DeleteObject", "Resource": inside}
    both = judged("s3:DeleteObject", f"{BUCKET}/models/a", written=written)
    alone = judged("s3:DeleteObject", f"{BUCKET}/models/b", written=written)
    inner = "s3:DeleteObject: no test needed it on arn:aws:s3:::weights/models/a"
    assert spare(both + alone, written) == [inner]


def test_a_resource_of_another_kind_or_the_only_one_is_not_asked_for() -> None:
    here = "arn:aws:sagemaker:us-east-1:123456789012"
    kinds = [f"{here}:endpoint/s-a", f"{here}:model/s-a"]
    mixed = {**REMOVE, "Action": ["sagemaker:DescribeEndpoint"], "Resource": kinds}
    looked = judged("sagemaker:DescribeEndpoint", f"{here}:endpoint/s-a", written=mixed)
    assert spare(looked, mixed) == []
    alone = {**REMOVE, "Action": ["s3:GetObject"], "Resource": f"{BUCKET}/models/*"}
    assert spare(judged("s3:GetObject", f"{BUCKET}/models/a", written=alone), alone) == []


def test_an_action_that_nobody_used_is_found_once() -> None:
    uses = judged("s3:DeleteObject", f"{BUCKET}/models/a", f"{BUCKET}/passports/a")
    assert spare(uses) == ["s3:AbortMultipartUpload: no test used it"]
