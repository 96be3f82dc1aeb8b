"""`autoscaler plan` on what an account's own CloudWatch remembers of an endpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.embedded.stack import Stack, deployed, wait_for
from tests.samples import document
from tools.cli.app import app
from tools.cli.client import StackClient

NAME = "llama"
ANSWERS = 5


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("account")
    with deployed(folder, DefaultTimeZone="Europe/Berlin") as found:
        assert found.apply(NAME)["ok"]
        found.until(NAME, "AWAKE")
        yield found


@pytest.fixture
def changed(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that keeps the endpoint awake for two hours instead of ten minutes."""
    for name, value in stack.account.environment().items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "llama.yaml"
    path.write_text(json.dumps(document(NAME, scaling={"max_copies": 2, "keep_alive": "2h"})))
    return path


def _planned(path: Path) -> dict[str, Any]:
    ran = CliRunner().invoke(app, ["plan", str(path), "--json"])
    assert ran.exit_code == 0, ran.output
    (planned,) = json.loads(ran.stdout)
    return dict(planned)


def test_a_change_is_priced_on_the_requests_that_the_queue_had(stack: Stack, changed: Path) -> None:
    asked_nothing = _planned(changed)
    assert [change["before"] for change in asked_nothing["changes"]] == ["10m"]
    assert asked_nothing["notes"] == [
        "nothing to compare in the last 14 days of CloudWatch: no requests in it"
    ]
    for number in range(ANSWERS):
        stack.ask(NAME, {"id": f"r{number}", "prompt": "why?", "parameters": {"max_tokens": 50}})
    for number in range(ANSWERS):
        assert "answer" in stack.result(NAME, f"r{number}")

    def all_told(planned: dict[str, Any]) -> bool:
        return sum(one["requests"] for one in planned.get("replays", ())) == ANSWERS

    planned = wait_for(lambda: _planned(changed), all_told, f"{ANSWERS} requests in CloudWatch")
    (replay,) = planned["replays"]
    assert list(replay["rows"]) == ["as it is", "as planned", "always on"]
    lead = stack.command("get", endpoint=NAME)["result"]["endpoints"][0]["lead_time_seconds"]
    assert replay["lead_seconds"] == pytest.approx(lead, abs=0.1)


def test_the_stacks_time_zone_is_known(stack: Stack, changed: Path) -> None:
    assert StackClient("autoscaler").default_time_zone == "Europe/Berlin"
