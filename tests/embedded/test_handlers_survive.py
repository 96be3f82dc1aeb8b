"""Whatever event a handler gets: it does its work, or refuses by name before it changes anything.

The events are the samples of events/, with things dropped, added, renamed, doubled and replaced by
what breaks readers. Each handler runs in this process against a real stack's services.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Stage
from pydantic import ValidationError

from tests.embedded.handler_lab import EVENTS, HANDLERS, Lab, Outcome, lab
from tests.embedded.stack import ROOT
from tests.hostile import CANARY, closed, mutants, opened

# Of the wall; a shared machine stretches it. No function has less than a minute.
LONGEST_SECONDS = 20.0
EXAMPLES = 25
# Those that look at everything whatever they are told.
DEAF = {"alarm", "endpoint_changed", "held_alerts", "refresh_prices", "request_waited", "tick"}
# A batch of which nothing could be done fails loudly, with what AWS said (the handles are AWS's).
LOUD = {"request": ClientError}
# What a live stack answers to the sample as it is; the others do their work.
REFUSED = {
    "probe_endpoint": "NoCapacityError",  # there is no such endpoint
    "record_phase": "NotYetError",  # nor a copy
    "seal_staging": "IntegrityError",  # nothing was moved
    "stack_answered": "AnswerError",  # CloudFormation is out of reach
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("account")) as made:
        yield made


def test_every_handler_has_a_sample_and_every_sample_a_handler() -> None:
    handlers = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    assert {function for function, _ in HANDLERS.values()} == handlers
    assert {path.stem for path in Path(EVENTS).glob("*.json")} == set(HANDLERS)


@pytest.mark.parametrize("name", sorted(HANDLERS))
def test_the_sample_as_it_is_reaches_the_work(found: Lab, name: str) -> None:
    function, phase = HANDLERS[name]
    found.begin(phase)
    outcome = found.invoke(function, found.sample(name))
    error = type(outcome.error).__name__ if outcome.error else None
    assert error == REFUSED.get(name), outcome.error


@pytest.mark.parametrize("name", sorted(HANDLERS))
def test_what_is_nearly_right_is_done_or_refused_by_name(found: Lab, name: str) -> None:
    function, phase = HANDLERS[name]
    came: Counter[str] = Counter()

    @settings(
        max_examples=8 if name in DEAF else EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Stage.explicit, Stage.generate],
    )
    @given(mutants(opened(found.sample(name))))
    def survives(mutant: object) -> None:
        event = json.loads(json.dumps(closed(mutant)))
        found.begin(phase)
        outcome = found.invoke(function, event)
        came[type(outcome.error).__name__] += 1
        judge(outcome, LOUD.get(name))

    survives()
    refused = came.total() - came["NoneType"]
    assert name in DEAF or function == "accept_command" or refused, "nothing was hostile enough"


def judge(outcome: Outcome, loud: type[Exception] | None = None) -> None:
    error = outcome.error
    if isinstance(error, ValidationError):
        assert outcome.changes == [], "changed something before the event was looked at"
    elif error is not None and not (loud and isinstance(error, loud)):
        ours = type(error).__module__.startswith("autoscaler.")
        assert ours, f"{type(error).__name__} from inside: {error}"
    assert outcome.seconds < LONGEST_SECONDS
    assert CANARY not in str(error), "the error says a secret"
    assert CANARY not in outcome.logged, "the log says a secret"


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome(error=KeyError("Records")), "from inside"),
        (Outcome(error=RuntimeError(CANARY)), "from inside"),
        (Outcome(logged=f"asked: {CANARY}"), "the log says a secret"),
        (Outcome(seconds=LONGEST_SECONDS), "assert"),
    ],
)
def test_the_judge_does_not_let_everything_through(outcome: Outcome, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        judge(outcome)
